/* SPDX-License-Identifier: MIT
 *
 * ipc.Key: says where an object lives.
 * Floor 4.
 */
#include "key.h"
#include "bind.h"
#include "classes.h"
#include "base/reason.h"
#include "engines/registry.h"
#include "os/file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define CLASS "ipc.Key"

enum { LAST_PROJECT = 255, FILE_BITS = 0xffffff /* of a number: what is the file's */ };

static const char class[] = CLASS;

struct key {
	struct il_object object;
	struct il_key key;
	int project; /* of a file; -1: it is no file */
	/* "file:PATH?project=N" or "disk:PATH?name=NAME", then the path as it was given, and from the root on;
	 * "shm:NAME"; a URL without its password, then all of it */
	char text[];
};

static struct key *test_key(lua_State *L, int arg)
{
	return il_test_object(L, arg, class);
}

static struct key *check_key(lua_State *L)
{
	return il_self(L, class);
}

static const char *after(const char *text)
{
	return text + strlen(text) + 1;
}

static const char *path_of(const struct key *k)
{
	return after(k->text);
}

/* Bytes of a path in the text of a key. */
static size_t text_size(const char *path)
{
	size_t size = strlen(path);
	for (; *path; path++)
		size += *path == '?' || *path == '%' ? 2 : 0;
	return size;
}

/* Writes it, as push_path reads it. Returns its end. */
static char *put_path(char *to, const char *path)
{
	for (; *path; path++)
		if (*path == '?' || *path == '%')
			to = stpcpy(to, *path == '?' ? "%3F" : "%25");
		else
			*to++ = *path;
	return to;
}

static char last_failure; /* registry key, its address: why the last key that could not be made was not */

/* Stack: nil, message, errno. */
static int cannot_make(lua_State *L)
{
	lua_pushvalue(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &last_failure);
	return 3;
}

/* `path` is for people; `now`: where the file is found from the working directory, `absolute`: from any. */
static int push_file_key(lua_State *L, const char *path, const char *now, const char *absolute, int project)
{
	size_t size = text_size(path) + sizeof "file:?project=255" + strlen(path) + 1 + strlen(absolute) + 1;
	struct key *k = lua_newuserdatauv(L, sizeof *k + size, 0);
	*k = (struct key){ .object.class = class, .project = project, .key.text = k->text };
	char *at = put_path(stpcpy(k->text, "file:"), path);
	at += sprintf(at, "?project=%d", project) + 1;
	strcpy(stpcpy(at, path) + 1, absolute);
	luaL_setmetatable(L, CLASS);
	int err = il_file_key(&k->key, now, project);
	if (!err)
		return 1;
	if (err == EINVAL)
		il_fail(L, err, "the System V key of %s is 0, which is private: use another project or file", path);
	else
		il_fail(L, err, "cannot make a key of %s", path);
	return cannot_make(L);
}

static int push_key_of_path(lua_State *L, const char *path, int project)
{
	char absolute[PATH_MAX];
	il_file_absolute(absolute, path);
	return push_file_key(L, path, path, absolute, project);
}

/* The path at index, which came from argument 1. */
static const char *check_path(lua_State *L, int index)
{
	size_t length;
	const char *path = lua_tolstring(L, index, &length);
	luaL_argcheck(L, strlen(path) == length, 1, "path has a zero byte");
	luaL_argcheck(L, length < PATH_MAX, 1, "path is too long");
	return path;
}

static int file_key(lua_State *L)
{
	luaL_checkstring(L, 1);
	const char *path = check_path(L, 1);
	int project = lua_isnoneornil(L, 2) ? 0 : (int)il_check_range(L, 2, 0, LAST_PROJECT, "project");
	return push_key_of_path(L, path, project);
}

static int hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* -1: it is not a project; at least the last one and one more if it is too large. */
static int project_of(const char *query)
{
	static const char name[] = "?project=";
	if (strncmp(query, name, sizeof name - 1) != 0)
		return -1;
	int project = 0;
	const char *digit = query + sizeof name - 1;
	if (!*digit)
		return -1;
	for (; *digit >= '0' && *digit <= '9'; digit++)
		project = project <= LAST_PROJECT ? project * 10 + (*digit - '0') : project;
	return *digit ? -1 : project;
}

/* The path of a text in which a "?" or "%" is written %3F, %25. */
static const char *push_path(lua_State *L, const char *text, size_t length)
{
	luaL_Buffer path;
	luaL_buffinit(L, &path);
	for (size_t i = 0; i < length; i++) {
		bool escaped =
			text[i] == '%' && i + 2 < length && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
		luaL_addchar(&path, escaped ? (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i]);
		i += escaped ? 2 : 0;
	}
	luaL_pushresult(&path);
	return check_path(L, -1);
}

static int refuse_rest(lua_State *L, const char *wanted, const char *query)
{
	return luaL_argerror(L, 1,
		lua_pushfstring(L, "after the path comes ?%s, and nothing else, not \"%s\"", wanted, query));
}

/* "file:/path?project=3" */
static int key_of_file(lua_State *L, const char *text)
{
	const char *query = strchr(text, '?');
	size_t length = query ? (size_t)(query - text) : strlen(text);
	int project = query ? project_of(query) : 0;
	if (project < 0)
		return refuse_rest(L, "project=0 to 255", query);
	luaL_argcheck(L, length > 0, 1, "no path after \"file:\"");
	if (project > LAST_PROJECT)
		return luaL_argerror(L, 1,
			lua_pushfstring(L, "project must be from 0 to 255, got %s", strchr(query, '=') + 1));
	return push_key_of_path(L, push_path(L, text, length), project);
}

/* Memory without a name: every object that is asked for is another one. */
static void push_private_key(lua_State *L)
{
	static const char text[] = "private";
	struct key *k = lua_newuserdatauv(L, sizeof *k + sizeof text, 0);
	*k = (struct key){ .object.class = class, .project = -1, .key.text = k->text };
	memcpy(k->text, text, sizeof text);
	luaL_setmetatable(L, CLASS);
	il_shm_key(&k->key, NULL);
}

/* It has no zero byte. */
static int refuse_name(lua_State *L, int arg, const char *name)
{
	return luaL_argerror(L, arg,
		lua_pushfstring(L, "a name is 1 to 200 letters, digits, and \".\", \"_\", \"-\", \"/\", not \"%s\"",
			name));
}

/* The name came from argument 1. */
static int push_shm_key(lua_State *L, const char *name)
{
	size_t size = sizeof "shm:" + strlen(name);
	struct key *k = lua_newuserdatauv(L, sizeof *k + size, 0);
	*k = (struct key){ .object.class = class, .project = -1, .key.text = k->text };
	snprintf(k->text, size, "shm:%s", name);
	luaL_setmetatable(L, CLASS);
	if (il_shm_key(&k->key, k->text + strlen("shm:")))
		return refuse_name(L, 1, name);
	return 1;
}

static int shm_key(lua_State *L)
{
	const char *name = il_check_text(L, 1, "name");
	return push_shm_key(L, name);
}

/* `path` is for people. The name came from argument `arg`. */
static int push_disk_key(lua_State *L, const char *path, const char *name, int arg)
{
	char absolute[PATH_MAX];
	il_file_absolute(absolute, path);
	size_t size = text_size(path) + strlen(name) + sizeof "disk:?name=" + strlen(path) + 1 + strlen(absolute) + 1;
	struct key *k = lua_newuserdatauv(L, sizeof *k + size, 0);
	*k = (struct key){ .object.class = class, .project = -1, .key.text = k->text };
	char *object = stpcpy(put_path(stpcpy(k->text, "disk:"), path), "?name=");
	strcpy(stpcpy(stpcpy(object, name) + 1, path) + 1, absolute);
	luaL_setmetatable(L, CLASS);
	if (il_disk_key(&k->key, after(path_of(k)), object))
		return refuse_name(L, arg, name);
	return 1;
}

static bool is_disk(const struct key *k)
{
	return strncmp(k->text, "disk:", 5) == 0;
}

static const char usual_name[] = "main";

static int disk_key(lua_State *L)
{
	luaL_checkstring(L, 1);
	const char *path = check_path(L, 1);
	luaL_argcheck(L, *path, 1, "path is empty");
	const char *name = lua_isnoneornil(L, 2) ? usual_name : il_check_text(L, 2, "name");
	return push_disk_key(L, path, name, 2);
}

/* "disk:/path?name=jobs" */
static int key_of_disk(lua_State *L, const char *text)
{
	static const char option[] = "?name=";
	const char *query = strchr(text, '?');
	size_t length = query ? (size_t)(query - text) : strlen(text);
	bool named = query && strncmp(query, option, sizeof option - 1) == 0;
	if (query && !named)
		return refuse_rest(L, "name=jobs", query);
	luaL_argcheck(L, length > 0, 1, "no path after \"disk:\"");
	return push_disk_key(L, push_path(L, text, length), named ? query + sizeof option - 1 : usual_name, 1);
}

/* The URL came from argument 1. */
static int push_redis_key(lua_State *L, const char *url)
{
	const char *why = NULL;
	size_t size = strlen(url) + 1;
	struct key *k = lua_newuserdatauv(L, sizeof *k + 2 * size + IL_URL_MORE, 0);
	char *all = k->text + size + IL_URL_MORE;
	*k = (struct key){ .object.class = class, .project = -1, .key.text = k->text };
	memcpy(all, url, size);
	k->text[0] = 0;
	luaL_setmetatable(L, CLASS);
	int err = il_redis_key(&k->key, all, k->text, &why);
	if (err == EINVAL)
		return luaL_argerror(L, 1, why);
	return err ? il_error(L, "%s", strerror(err)) : 1;
}

static int redis_key(lua_State *L)
{
	const char *url = il_check_text(L, 1, "URL");
	return push_redis_key(L, url);
}

/* Behind a ":" may be a password. */
static int refuse_text(lua_State *L, const char *text)
{
	bool whole = !strchr(text, ':');
	lua_pushlstring(L, text, strcspn(text, ":") + !whole);
	return luaL_argerror(L, 1,
		lua_pushfstring(L,
			"a key is \"file:/path?project=0\", \"shm:name\", \"disk:/path?name=name\" or "
			"\"redis://host/0/name\", not \"%s%s\"",
			lua_tostring(L, -1), whole ? "" : "..."));
}

/* The key that the text at 1 names. */
static int push_key_of_text(lua_State *L)
{
	const char *text = il_check_text(L, 1, "text");
	if (strncmp(text, "file:", 5) == 0)
		return key_of_file(L, text + 5);
	if (strncmp(text, "shm:", 4) == 0)
		return push_shm_key(L, text + 4);
	if (strncmp(text, "disk:", 5) == 0)
		return key_of_disk(L, text + 5);
	if (strncmp(text, "redis", 5) == 0)
		return push_redis_key(L, text);
	return refuse_text(L, text);
}

static int key(lua_State *L)
{
	luaL_checkstring(L, 1);
	return push_key_of_text(L);
}

/* A reason is cut off where other arguments follow the call that made no key; so the last one is remembered. */
static int no_key(lua_State *L)
{
	static const char hint[] = "no key: an object without a name takes ipc.private";
	if (!lua_isnoneornil(L, 1) || lua_type(L, 2) == LUA_TSTRING)
		return il_missing(L, 1, "key", "key or its text");
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &last_failure) != LUA_TSTRING)
		return luaL_argerror(L, 1, hint);
	return luaL_argerror(L, 1, lua_pushfstring(L, "%s; the last key that failed: %s", hint, lua_tostring(L, -1)));
}

const struct il_key *il_check_key(lua_State *L)
{
	struct key *k = test_key(L, 1);
	int top = lua_gettop(L);
	il_because(0, "no failure yet");
	if (k)
		return &k->key;
	if (lua_type(L, 1) != LUA_TSTRING)
		no_key(L);
	else if (push_key_of_text(L) != 1)
		luaL_argerror(L, 1, lua_tostring(L, -2));
	lua_replace(L, 1);
	lua_settop(L, top);
	return &test_key(L, 1)->key;
}

static int key_clone(lua_State *L)
{
	struct key *k = check_key(L);
	if (k->project < 0)
		return il_error(L, "key %s is no file, so there is no next project", k->text);
	if (k->project == LAST_PROJECT)
		return il_error(L, "%s has the last project, %d: there is no next one", k->text, LAST_PROJECT);
	const char *absolute = after(path_of(k));
	int n = push_file_key(L, path_of(k), absolute, absolute, k->project + 1);
	if (n == 1 && (((struct key *)lua_touserdata(L, -1))->key.id & FILE_BITS) != (k->key.id & FILE_BITS))
		return il_fail(L, ESTALE, "%s: another file is at its path now", k->text);
	return n;
}

static int key__index(lua_State *L)
{
	struct key *k = check_key(L);
	const char *name = lua_tostring(L, 2);
	bool file = k->project >= 0;
	if (file && name && strcmp(name, "id") == 0) {
		lua_pushinteger(L, k->key.id);
	} else if ((file || is_disk(k)) && name && strcmp(name, "path") == 0) {
		lua_pushstring(L, path_of(k));
	} else if (file && name && strcmp(name, "project") == 0) {
		lua_pushinteger(L, k->project);
	} else if (k->key.object && name && strcmp(name, "name") == 0) {
		lua_pushlstring(L, k->key.object, strcspn(k->key.object, "?"));
	} else {
		lua_settop(L, 2);
		lua_rawget(L, lua_upvalueindex(1));
	}
	return 1;
}

static bool are_equal(const struct key *a, const struct key *b)
{
	if (a->project >= 0 && b->project >= 0)
		return a->key.id == b->key.id;
	if (is_disk(a) && is_disk(b))
		return strcmp(a->key.name, b->key.name) == 0 && strcmp(a->key.object, b->key.object) == 0;
	return strcmp(a->text, b->text) == 0;
}

static int key__eq(lua_State *L)
{
	const struct key *a = test_key(L, 1), *b = test_key(L, 2);
	lua_pushboolean(L, a && b && are_equal(a, b));
	return 1;
}

static int key__tostring(lua_State *L)
{
	lua_pushfstring(L, CLASS " (%s)", check_key(L)->text);
	return 1;
}

static const luaL_Reg methods[] = { { "clone", key_clone }, { NULL, NULL } };

static const luaL_Reg meta[] = { { "__tostring", key__tostring }, { "__eq", key__eq }, { NULL, NULL } };

static const luaL_Reg functions[] = {
	{ "file_key", file_key },
	{ "shm_key", shm_key },
	{ "disk_key", disk_key },
	{ "redis_key", redis_key },
	{ "key", key },
	{ NULL, NULL },
};

void il_key_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, NULL);
	il_fields(L, CLASS, key__index);
	luaL_setfuncs(L, functions, 0);
	push_private_key(L);
	lua_setfield(L, -2, "private");
}
