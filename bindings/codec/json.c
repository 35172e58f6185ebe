/* SPDX-License-Identifier: MIT
 *
 * JSON is read by lua-cjson, see json.h; json_scan.c refuses before what is no JSON, and marks what the library would
 * misread. Some versions make floats of integers, others cut those beyond 64 bits; none has a mark for an empty array.
 * So afterwards whole floats and marked strings become what they were. (It cannot write: with 14 or 16 digits it
 * damages numbers, and what mends that from outside takes longer than writing, which json_writer.c does.) Floor 4.
 */
#include "json.h"
#include "array.h"
#include "base/number.h"
#include "base/reason.h"
#include "bind.h"
#include "script.h"
#include "json_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const double TWO_53 = 9007199254740992.0;

/* What lua-cjson does; set when it is loaded. */
static struct {
	bool reads_integers; /* up to 64 bits */
	size_t digits; /* longer integers need help */
} cjson;

static char decode_key; /* its address: cjson's decode in the registry */

/* What was marked, and how it is found again. */
struct restorer {
	lua_State *L;
	char mark[IL_JSON_MARK];
	size_t length; /* of the mark; 0: nothing is marked */
};

/* lua-cjson remembers the decimal point of the locale it was made in, and must be called in that. */
static void load(lua_State *L)
{
	il_push_script(L, "ipc.json", "load");
	locale_t was = il_number_enter();
	int status = lua_pcall(L, 0, 2, 0);
	il_number_leave(was);
	if (status != LUA_OK)
		lua_error(L);
}

/* Pushes its decode; or nil and a message below it: false. */
static bool try_decode(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key) == LUA_TFUNCTION)
		return true;
	lua_pop(L, 1);
	load(L);
	if (lua_isnil(L, -2)) {
		lua_insert(L, -2);
		return false;
	}
	cjson.reads_integers = lua_toboolean(L, -1);
	cjson.digits = cjson.reads_integers ? 18 : 15;
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
	return true;
}

static void push_decode(lua_State *L)
{
	if (!try_decode(L)) {
		lua_pop(L, 1);
		lua_error(L);
	}
}

void il_json_load(lua_State *L)
{
	push_decode(L);
	lua_pop(L, 1);
}

static int try_protected(lua_State *L)
{
	lua_pushboolean(L, try_decode(L));
	return 1;
}

/* Lua tells a file that cannot be opened from one that is not there by no means: another one tells. */
int il_json_prepare(lua_State *L)
{
	static bool tried;
	if (tried)
		return 0;
	lua_pushcfunction(L, try_protected);
	int status = lua_pcall(L, 0, 1, 0);
	if (status != LUA_OK && status != LUA_ERRMEM)
		lua_error(L); /* an interrupt */
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int err = status != LUA_OK ? ENOMEM : !lua_toboolean(L, -1) && fd < 0 && il_is_shortage(errno) ? errno : 0;
	if (fd >= 0)
		close(fd);
	lua_pop(L, 1);
	tried = !err;
	return err;
}

/* Pushes what the number at the index should have been, if that is something else: true. */
static bool restore_number(lua_State *L, int index)
{
	double d = lua_tonumber(L, index);
	if (isinf(d))
		luaL_error(L, "not JSON: a number too large for a float");
	if (cjson.reads_integers || !(fabs(d) <= TWO_53 && (double)(lua_Integer)d == d) || (d == 0 && signbit(d)))
		return false;
	lua_pushinteger(L, (lua_Integer)d);
	return true;
}

/* The same of a string. An integer beyond 64 bits is a float. */
static bool restore_string(const struct restorer *r, int index)
{
	const char *s = r->length ? lua_tostring(r->L, index) : "";
	if (!r->length || strncmp(s, r->mark, r->length) != 0)
		return false;
	s += r->length;
	if (*s == '[')
		il_array_push(r->L);
	else if (!lua_stringtonumber(r->L, s))
		return false;
	else if (isinf(lua_tonumber(r->L, -1)))
		luaL_error(r->L, "not JSON: a number too large for a float");
	return true;
}

static inline bool restored(const struct restorer *r, int index, int type)
{
	return type == LUA_TNUMBER ? restore_number(r->L, index) : type == LUA_TSTRING && restore_string(r, index);
}

/* Puts what it should be in place of all that is in the table at the top. */
static void restore(const struct restorer *r)
{
	lua_State *L = r->L;
	int table = lua_gettop(L), key = table + 1;
	lua_Integer count = (lua_Integer)lua_rawlen(L, table);
	luaL_checkstack(L, 6, "nested too deep");
	for (lua_Integer i = 1; i <= count; i++) {
		int type = lua_rawgeti(L, table, i);
		if (type == LUA_TTABLE)
			restore(r);
		else if (restored(r, table + 1, type))
			lua_rawseti(L, table, i);
		lua_settop(L, table);
	}
	if (count > 0)
		return; /* what was an object has names only */
	for (lua_pushnil(L); lua_next(L, table);) {
		int type = lua_type(L, key + 1);
		if (type == LUA_TTABLE) {
			restore(r);
		} else if (restored(r, key + 1, type)) {
			lua_copy(L, key, key + 1);
			lua_rawset(L, table);
		}
		lua_settop(L, key);
	}
}

/* Pushes what a text is that is nothing but an integer: it needs no library. */
static bool push_integer(lua_State *L, const char *text, size_t size)
{
	if ((*text != '-' && (*text < '0' || *text > '9')) || lua_stringtonumber(L, text) != size + 1)
		return false;
	return lua_isinteger(L, -1) && (lua_tointeger(L, -1) != 0 || size == 1); /* "-0" is a float */
}

int il_json_decode(lua_State *L)
{
	struct restorer r = { .L = L };
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	lua_settop(L, 1);
	push_decode(L);
	struct il_json_scan scan = { .digits = cjson.digits };
	il_json_check(L, &scan);
	if (push_integer(L, text, size))
		return 1;
	lua_settop(L, 2);
	if (scan.integers || scan.arrays) {
		il_json_mark(L, &scan, r.mark);
		r.length = strlen(r.mark);
	} else {
		lua_pushvalue(L, 1);
	}
	lua_call(L, 1, 1);
	if (!r.length && !(cjson.reads_integers ? scan.large : scan.numbers))
		return 1;
	int type = lua_type(L, 2);
	if (type == LUA_TTABLE)
		restore(&r);
	else if (restored(&r, 2, type))
		lua_replace(L, 2);
	return 1;
}
