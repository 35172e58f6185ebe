/* SPDX-License-Identifier: MIT
 *
 * What objects behind a key have in common, see key_object.h: how their failures are told, and their mode.
 * Floor 4.
 */
#include "key_object.h"
#include "bind.h"
#include "option.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/reason.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What errno means for an object behind a key, whatever its engine, if strerror does not say it. */
static const char *reason(int err)
{
	switch (err) {
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENXIO: return "what is there was made by another program for another purpose";
	case ENOENT: return "there is none";
	case EFBIG: return "it would be larger than a file may be (ulimit -f)";
	case EPROTO:
		return "it was made by another version, and its layout differs; when no program uses it, remove it";
	case EXDEV:
		return "it was made in another pid namespace, whose processes cannot be told from here; when they have "
		       "gone, "
		       "remove it";
	case EUCLEAN: return "it is damaged; remove it";
	case EPERM: return "it belongs to another user";
	case EAGAIN: return "no thread can be made to wait with (ulimit -u)";
	case ETIMEDOUT: return "a process that has it locked for a moment stands still";
	default: return NULL;
	}
}

/* What is in the way, and how to remove it, where the constructor says that it is no object that can be opened. */
static void push_place(lua_State *L, int err, const char *noun, const struct il_key *key)
{
	char place[IL_PLACE_TEXT];
	bool remove = err == EUCLEAN || err == EXDEV || err == EPROTO;
	if (!key->engine->place || !(remove || err == EINVAL || err == EISDIR || err == ELOOP || err == ENXIO)) {
		lua_pushliteral(L, "");
		return;
	}
	key->engine->place(key, noun, remove, place);
	lua_pushfstring(L, " (%s)", place);
}

/* The engine does not have the noun. */
static int has_none(lua_State *L, const char *noun, const struct il_key *key)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s %s: a %s has no %s; use a file, shm or redis key", noun, key->text, key->engine->name,
		noun);
	lua_pushinteger(L, ENOTSUP);
	return 3;
}

/* FNV-1a. */
static uint64_t add_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

static const uint64_t HASH = UINT64_C(0xcbf29ce484222325);

/* Memory without a name is known to those that have inherited its handle, and so this number. */
static uint64_t private_identity(void)
{
	static int64_t serial;
	char text[64];
	snprintf(text, sizeof text, "%d %" PRId64 " %" PRId64, (int)il_fork.pid, il_now(), ++serial);
	return add_text(HASH, text);
}

uint64_t il_key_identity(const struct il_key *key, const char *noun)
{
	uint64_t hash = add_text(add_text(HASH, noun), key->engine->name);
	char number[16];
	if (key->id) { /* of a System V key: one file has many paths */
		snprintf(number, sizeof number, "%" PRId32, key->id);
		return add_text(hash, number);
	}
	if (!key->name)
		return private_identity();
	return add_text(hash, key->name);
}

uint64_t il_path_identity(const char *path)
{
	char folder[PATH_MAX];
	uint64_t hash = HASH;
	if (path[0] != '/' && getcwd(folder, sizeof folder))
		hash = add_text(hash, folder);
	return add_text(hash, path);
}

int il_key_fail(lua_State *L, int err, const char *noun, const struct il_key *key)
{
	const char *why = il_why(err);
	bool known = why;
	if (!why && err == ENOTSUP)
		return has_none(L, noun, key);
	if (!why && key->engine->describe_error)
		why = key->engine->describe_error(err);
	if (!why)
		why = reason(err);
	if (!why)
		return il_fail(L, err, "%s %s", noun, key->text);
	lua_pushnil(L);
	push_place(L, known ? 0 : err, noun, key);
	lua_pushfstring(L, "%s %s: %s%s", noun, key->text, why, lua_tostring(L, -1));
	lua_replace(L, -2);
	lua_pushinteger(L, err);
	return 3;
}

/* The engine has nothing to say. */
static int fail(lua_State *L, int err, const char *noun, const char *what)
{
	bool known = err == EUCLEAN || err == ETIMEDOUT || err == EXDEV || err == EPERM || err == EAGAIN;
	const char *why = known ? reason(err) : NULL;
	if (err == EIDRM)
		return il_word(L, "removed");
	if (err == ECANCELED)
		return il_word(L, "closed");
	if (!why)
		return il_fail(L, err, "%s %s", noun, what);
	lua_pushnil(L);
	lua_pushfstring(L, "%s %s: %s", noun, what, why);
	lua_pushinteger(L, err);
	return 3;
}

int il_shared_fail(lua_State *L, int err, const void *object, const char *noun, const char *what)
{
	const struct il_shared *shared = object;
	if (!shared || !shared->why || err == EIDRM || err == ECANCELED)
		return fail(L, err, noun, what);
	lua_pushnil(L);
	if (err == ECONNABORTED)
		lua_pushfstring(L, "%s %s: connection lost; it may or may not have happened (%s)", noun, what,
			shared->why);
	else
		lua_pushfstring(L, "%s %s: %s", noun, what, shared->why);
	lua_pushinteger(L, err);
	return 3;
}

void il_note_why(int err, const void *object)
{
	const struct il_shared *shared = object;
	if (shared->why)
		il_because(err, "%s", shared->why);
}

void il_warn_shared(lua_State *L, const struct il_shared *shared, const char *noun, const char *what)
{
	if (!shared->warning)
		return;
	lua_pushfstring(L, "%s %s: %s", noun, what, shared->warning);
	lua_warning(L, lua_tostring(L, -1), 0);
	lua_pop(L, 1);
}

/* Option create: false, what is not there is not made. */
static bool is_to_be_there(lua_State *L, int arg)
{
	int type = il_option(L, arg, "create");
	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		il_option_refuse(L, arg, "create must be true or false");
	bool there = type == LUA_TBOOLEAN && !lua_toboolean(L, -1);
	lua_pop(L, 1);
	return there;
}

unsigned il_mode_option(lua_State *L, int arg)
{
	unsigned mode = 0;
	if (is_to_be_there(L, arg))
		return IL_MODE_EXISTING;
	int type = il_option(L, arg, "mode");
	const char *digits = type == LUA_TNIL                 ? "600"
		: lua_isinteger(L, -1) || type == LUA_TSTRING ? lua_tostring(L, -1)
							      : "";
	size_t length = strspn(digits, "01234567");
	for (size_t i = 0; i < length && i < 5; i++)
		mode = mode * 8 + (unsigned)(digits[i] - '0');
	if (!length || digits[length] || mode > 0777 || length > 4)
		il_option_refuse(L, arg, "mode must be permissions in octal digits, such as 0660 or \"0660\"");
	lua_pop(L, 1);
	return mode;
}

enum il_sync il_sync_option(lua_State *L, int arg)
{
	enum il_sync sync = IL_SYNC_USUAL;
	if (il_option(L, arg, "sync") != LUA_TNIL) {
		const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
		sync = strcmp(word, "each") == 0 ? IL_SYNC_EACH : strcmp(word, "soon") == 0 ? IL_SYNC_SOON : sync;
		if (!sync)
			il_option_refuse(L, arg, "sync must be \"each\" or \"soon\"");
	}
	lua_pop(L, 1);
	return sync;
}

int il_check_sync(const struct il_key *key, enum il_sync sync)
{
	return sync && !key->engine->syncs ? il_because(ENOTSUP, "the option sync is for keys of a disk") : 0;
}
