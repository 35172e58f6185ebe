/* SPDX-License-Identifier: MIT
 *
 * JSON text as Lua values, see json.h. The text ends with a zero byte, as Lua's strings do, which is no character of JSON: so
 * nothing has to be compared with the end. A table is made when what is in it, or much of it, is on Lua's stack: with the
 * right size.
 * Floor 4.
 */
#include "array.h"
#include "json.h"
#include "json_number.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { FIRST = 32 }; /* values of a table that wait on the stack for it */

struct reader {
	lua_State *L;
	const char *text, *at, *end;
};

static void refuse(struct reader *r, const char *at, const char *why)
{
	luaL_error(r->L, "not JSON: %s at byte %I", why, (LUAI_UACINT)(at - r->text + 1));
}

/* The next character that is no space; it stays. */
static inline char next(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
		r->at++;
	return *r->at;
}

/* ---- strings ---- */

static inline bool plain(char c)
{
	return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at p, or -1. */
static int32_t code_unit(const char *p)
{
	int32_t unit = 0;
	for (int i = 0; i < 4; i++) {
		int d = hex(p[i]);
		if (d < 0)
			return -1;
		unit = unit << 4 | d;
	}
	return unit;
}

static char *put_utf8(char *out, int32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	*out++ = (char)((0xff00 >> (more + 1) & 0xff) | c >> 6 * more);
	while (more-- > 0)
		*out++ = (char)(0x80 | (c >> 6 * more & 0x3f));
	return out;
}

/* Behind "\u". Half of a pair alone means no character. */
static char *get_unicode(struct reader *r, char *out)
{
	const char *p = r->at;
	int32_t c = code_unit(p);
	if (c < 0)
		refuse(r, p, "\\u without four hexadecimal digits");
	r->at += 4;
	if (c < 0xd800 || c > 0xdfff)
		return put_utf8(out, c);
	int32_t low = c < 0xdc00 && r->at[0] == '\\' && r->at[1] == 'u' ? code_unit(r->at + 2) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		refuse(r, p, "half of a surrogate pair");
	r->at += 6;
	return put_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
}

static char *get_escape(struct reader *r, char *out)
{
	static const char shorts[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	char c = *++r->at;
	r->at++;
	if (c == 'u')
		return get_unicode(r, out);
	for (const char *p = shorts; *p; p += 2)
		if (*p == c) {
			*out++ = p[1];
			return out;
		}
	refuse(r, r->at - 2, "an escape that JSON does not have");
	return out;
}

/* One with escapes, which are longer than what they mean. The end is known to be there. */
static void get_escaped(struct reader *r, size_t size)
{
	luaL_Buffer b;
	char *start = luaL_buffinitsize(r->L, &b, size), *out = start;
	while (*r->at != '"') {
		if (*r->at == '\\')
			out = get_escape(r, out);
		else
			*out++ = *r->at++;
	}
	r->at++;
	luaL_pushresultsize(&b, (size_t)(out - start));
}

static void get_string(struct reader *r)
{
	const char *first = ++r->at, *p = first;
	bool escaped = false;
	for (;; p += 2) {
		while (plain(*p))
			p++;
		if (*p == '"')
			break;
		if (*p != '\\')
			refuse(r, p, p == r->end ? "a string without an end" : "a control character in a string");
		if (p + 1 == r->end)
			refuse(r, p, "a string without an end");
		escaped = true;
	}
	if (escaped) {
		get_escaped(r, (size_t)(p - first));
		return;
	}
	lua_pushlstring(r->L, first, (size_t)(p - first));
	r->at = p + 1;
}

/* ---- the rest ---- */

static void get_number(struct reader *r)
{
	struct il_json_number n;
	const char *end = il_json_read_number(r->at, &n);
	if (!end)
		refuse(r, r->at, isinf(n.d) ? "a number too large for a float" : "a number that JSON does not have");
	r->at = end;
	if (n.integer)
		lua_pushinteger(r->L, n.i);
	else
		lua_pushnumber(r->L, n.d);
}

static void get_word(struct reader *r)
{
	if (strncmp(r->at, "true", 4) == 0) {
		lua_pushboolean(r->L, 1);
		r->at += 4;
	} else if (strncmp(r->at, "false", 5) == 0) {
		lua_pushboolean(r->L, 0);
		r->at += 5;
	} else if (strncmp(r->at, "null", 4) == 0) {
		lua_pushlightuserdata(r->L, NULL);
		r->at += 4;
	} else {
		refuse(r, r->at, "no value");
	}
}

/* Behind a value of a table: true if another follows. */
static bool more(struct reader *r, char close)
{
	char c = next(r);
	if (c != ',' && c != close)
		refuse(r, r->at, close == ']' ? "neither \",\" nor \"]\"" : "neither \",\" nor \"}\"");
	r->at++;
	return c == ',';
}

/* Behind the bracket, room on the stack: true if it is the closing one that follows. */
static bool opens(struct reader *r, char close, int depth)
{
	if (depth > IL_JSON_DEPTH)
		luaL_error(r->L, "nested more than %d deep", IL_JSON_DEPTH);
	luaL_checkstack(r->L, 2 * FIRST + LUA_MINSTACK, "nested too deep");
	r->at++;
	if (next(r) != close)
		return false;
	r->at++;
	return true;
}

static void get(struct reader *r, int depth);

/* The values above `table`, a place for it, come into it. */
static void make_array(lua_State *L, int table)
{
	int count = lua_gettop(L) - table;
	lua_createtable(L, count, 0);
	lua_replace(L, table);
	for (int i = count; i > 0; i--)
		lua_rawseti(L, table, i);
}

static void get_array(struct reader *r, int depth)
{
	lua_State *L = r->L;
	if (opens(r, ']', depth)) {
		il_array_push(L);
		return;
	}
	lua_pushnil(L);
	int table = lua_gettop(L);
	lua_Integer count = 0;
	bool another;
	do {
		get(r, depth);
		another = more(r, ']');
		if (++count > FIRST)
			lua_rawseti(L, table, count);
		else if (count == FIRST || !another)
			make_array(L, table);
	} while (another);
}

static void get_pair(struct reader *r, int depth)
{
	if (next(r) != '"')
		refuse(r, r->at, "no name");
	get_string(r);
	if (next(r) != ':')
		refuse(r, r->at, "no \":\"");
	r->at++;
	get(r, depth);
}

/* In their order: of two with the same name the last counts. */
static void make_object(lua_State *L, int table)
{
	int top = lua_gettop(L);
	lua_createtable(L, 0, (top - table) / 2);
	lua_replace(L, table);
	for (int i = table + 1; i < top; i += 2) {
		lua_pushvalue(L, i);
		lua_pushvalue(L, i + 1);
		lua_rawset(L, table);
	}
	lua_settop(L, table);
}

static void get_object(struct reader *r, int depth)
{
	lua_State *L = r->L;
	if (opens(r, '}', depth)) {
		lua_createtable(L, 0, 0);
		return;
	}
	lua_pushnil(L);
	int table = lua_gettop(L), count = 0;
	bool another;
	do {
		get_pair(r, depth);
		another = more(r, '}');
		if (count == FIRST)
			lua_rawset(L, table);
		else if (++count == FIRST || !another)
			make_object(L, table);
	} while (another);
}

/* Pushes the next value, which is in `depth` tables. */
static void get(struct reader *r, int depth)
{
	switch (next(r)) {
	case '"':
		get_string(r);
		break;
	case '[':
		get_array(r, depth + 1);
		break;
	case '{':
		get_object(r, depth + 1);
		break;
	case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		get_number(r);
		break;
	default:
		get_word(r);
	}
}

int il_json_decode(lua_State *L)
{
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	struct reader r = { L, text, text, text + size };
	get(&r, 0);
	next(&r);
	if (r.at != r.end)
		refuse(&r, r.at, "something else behind the value");
	return 1;
}
