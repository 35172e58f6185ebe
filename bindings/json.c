/* SPDX-License-Identifier: MIT
 *
 * JSON, see json.h. lua-cjson reads it. It cannot write it: with 14 or 16 digits it damages numbers, and what mends that
 * from outside takes longer than writing, which json_writer.c does. Reading needs help with integers only: some
 * versions make floats of them, others cut those beyond 64 bits. So integers that are too long pass through cjson as
 * marked strings, and afterwards whole floats and marked strings become what they were. scripts/ipc/json.lua finds out
 * what is needed.
 * Floor 4.
 */
#include "json.h"
#include "bind.h"
#include "json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MARK_SIZE = 24 };

static const double TWO_53 = 9007199254740992.0;

/* What cjson does; set when it is loaded. */
static struct {
	bool reads_integers; /* up to 64 bits */
	size_t digits;       /* longer integers need help */
} cjson;

static char decode_key; /* its address: cjson's decode in the registry */

static void push_decode(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key) == LUA_TFUNCTION)
		return;
	lua_pop(L, 1);
	il_push_lua_half(L, "ipc.json", "load");
	lua_call(L, 0, 2);
	cjson.reads_integers = lua_toboolean(L, -1);
	cjson.digits = cjson.reads_integers ? 18 : 15;
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
}

void il_json_encode(lua_State *L, int value)
{
	value = lua_absindex(L, value);
	luaL_checkstack(L, 12, NULL);
	push_decode(L); /* who cannot read shall not write */
	lua_pop(L, 1);
	il_json_write(L, value);
}

static inline bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* No escape of JSON stands for byte 0xff: a mark that is not in the text is in none of its strings. */
static void make_mark(char *mark, unsigned n)
{
	snprintf(mark, MARK_SIZE, "\xff%u:", n);
}

/* Where the integer literal ends that starts at p, if it is longer than what cjson reads exactly. Else NULL. */
static const char *long_integer(const char *p, const char *end)
{
	const char *first = p < end && *p == '-' ? p + 1 : p, *stop = first;
	while (stop < end && digit(*stop))
		stop++;
	if ((size_t)(stop - first) <= cjson.digits || *first == '0')
		return NULL;
	const char *next = stop;
	while (next < end && space(*next))
		next++;
	if (next == end)
		return stop;
	return *next == ',' || *next == ']' || *next == '}' ? stop : NULL;
}

/* Whether there may be a long integer: a run of digits that is longer covers every so many-th byte, so that only these
 * are looked at. */
static bool may_have_long_integer(const char *text, size_t size)
{
	size_t step = cjson.digits + 1;
	for (size_t i = cjson.digits; i < size; i += step) {
		if (!digit(text[i]))
			continue;
		size_t start = i, stop = i;
		while (start > 0 && digit(text[start - 1]))
			start--;
		while (stop < size && digit(text[stop]))
			stop++;
		if (start > 0 && text[start - 1] == '-')
			start--;
		bool begins = start == 0 || space(text[start - 1]) || strchr(":[,", text[start - 1]);
		if (begins && long_integer(text + start, text + size))
			return true;
		i = stop - 1 + (stop == i);
	}
	return false;
}

/* The end of the string literal that starts at p. */
static const char *end_of_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

/* Replaces the text at the top by one with the long integers as marked strings. */
static void mark_integers(lua_State *L, const char *mark)
{
	size_t size;
	const char *text = lua_tolstring(L, -1, &size), *end = text + size, *done = text;
	luaL_Buffer b;
	luaL_buffinitsize(L, &b, size + size / 4);
	for (const char *p = text, *stop; p < end; p = stop) {
		stop = p + 1;
		if (*p == '"') {
			stop = end_of_string(p, end);
		} else if (*p == '-' || digit(*p)) {
			const char *integer = long_integer(p, end);
			while (stop < end && (digit(*stop) || (*stop && strchr("+-.eE", *stop))))
				stop++;
			if (integer != stop)
				continue;
			luaL_addlstring(&b, done, (size_t)(p - done));
			luaL_addchar(&b, '"');
			luaL_addstring(&b, mark);
			luaL_addlstring(&b, p, (size_t)(stop - p));
			luaL_addchar(&b, '"');
			done = stop;
		}
	}
	luaL_addlstring(&b, done, (size_t)(end - done));
	luaL_pushresult(&b);
	lua_replace(L, -2);
}

/* Pushes what the value at the index should have been, if that is something else: true. */
static inline bool restored(lua_State *L, int index, int type, const char *mark, size_t length)
{
	if (type == LUA_TNUMBER && !cjson.reads_integers) {
		double d = lua_tonumber(L, index);
		if (!(fabs(d) <= TWO_53 && (double)(lua_Integer)d == d) || (d == 0 && signbit(d)))
			return false;
		lua_pushinteger(L, (lua_Integer)d);
		return true;
	}
	if (type == LUA_TSTRING && length) {
		const char *s = lua_tostring(L, index);
		return strncmp(s, mark, length) == 0 && lua_stringtonumber(L, s + length);
	}
	return false;
}

/* Puts integers in place of whole floats and of marked strings, in the table at the top. */
static void restore(lua_State *L, const char *mark, size_t length)
{
	int table = lua_gettop(L), key = table + 1;
	lua_Integer count = (lua_Integer)lua_rawlen(L, table);
	luaL_checkstack(L, 6, "nested too deep");
	for (lua_Integer i = 1; i <= count; i++) {
		int type = lua_rawgeti(L, table, i);
		if (type == LUA_TTABLE)
			restore(L, mark, length);
		else if (restored(L, table + 1, type, mark, length))
			lua_rawseti(L, table, i);
		lua_settop(L, table);
	}
	if (count > 0)
		return; /* what was an object has names only */
	for (lua_pushnil(L); lua_next(L, table);) {
		int type = lua_type(L, key + 1);
		if (type == LUA_TTABLE) {
			restore(L, mark, length);
		} else if (restored(L, key + 1, type, mark, length)) {
			lua_copy(L, key, key + 1);
			lua_rawset(L, table);
		}
		lua_settop(L, key);
	}
}

/* In protected mode: cjson may be missing. */
static int load(lua_State *L)
{
	push_decode(L);
	return 1;
}

bool il_json_decode(lua_State *L)
{
	size_t size;
	char mark[MARK_SIZE] = "";
	int index = lua_gettop(L);
	const char *text = luaL_checklstring(L, index, &size);
	luaL_checkstack(L, 12, NULL);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key) != LUA_TFUNCTION) {
		lua_pop(L, 1);
		lua_pushcfunction(L, load);
		if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
			lua_replace(L, index);
			return false;
		}
	}
	if (memchr(text, 0, size)) {
		lua_settop(L, index - 1);
		lua_pushliteral(L, "JSON has no zero byte");
		return false;
	}
	lua_insert(L, index);
	bool exact = may_have_long_integer(text, size);
	if (exact) {
		unsigned n = 0;
		do
			make_mark(mark, n++);
		while (memmem(text, size, mark, strlen(mark)));
		mark_integers(L, mark);
	}
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		return false;
	if (cjson.reads_integers && !exact)
		return true;
	int type = lua_type(L, index);
	if (type == LUA_TTABLE)
		restore(L, mark, strlen(mark));
	else if (restored(L, index, type, mark, strlen(mark)))
		lua_replace(L, index);
	return true;
}
