/* SPDX-License-Identifier: MIT
 *
 * Lua values as JSON text, see json.h. Whether a table is a list is found out while it is written as one, since
 * most are what they look like; what was written of one that is none is taken back.
 * Floor 4.
 */
#include "json_writer.h"
#include "json.h"
#include "array.h"
#include "bytes.h"
#include "path.h"
#include "json_number.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SPARSE_RATIO = 2, SPARSE_SAFE = 10 };

struct writer {
	struct il_bytes bytes;
	bool careful; /* a table that looked like a list was none: look through the others first */
	char why[96];
};

static inline void put_char(struct writer *w, char c)
{
	*il_bytes_add(&w->bytes, 1) = c;
}

static void put_bytes(struct writer *w, const char *s, size_t size)
{
	memcpy(il_bytes_add(&w->bytes, size), s, size);
}

static int number_text(lua_State *L, int index, char *text)
{
	return lua_isinteger(L, index) ? il_json_integer(text, lua_tointeger(L, index))
				       : il_json_float(text, lua_tonumber(L, index));
}

static inline bool special(unsigned char c)
{
	return c < ' ' || c == '"' || c == '\\' || c == 0x7f;
}

static void put_escape(struct writer *w, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt", hex[] = "0123456789abcdef";
	for (const char *p = shorts; *p; p += 2) {
		if ((unsigned char)*p == c) {
			put_char(w, '\\');
			put_char(w, p[1]);
			return;
		}
	}
	put_bytes(w, "\\u00", 4);
	put_char(w, hex[c >> 4]);
	put_char(w, hex[c & 15]);
}

static void put_string(struct writer *w, int index)
{
	size_t size;
	const char *s = lua_tolstring(w->bytes.L, index, &size), *end = s + size;
	put_char(w, '"');
	while (s < end) {
		const char *p = s;
		while (p < end && !special((unsigned char)*p))
			p++;
		put_bytes(w, s, (size_t)(p - s));
		if (p < end)
			put_escape(w, (unsigned char)*p++);
		s = p;
	}
	put_char(w, '"');
}

static bool refuse(struct writer *w, const char *format, const char *what)
{
	snprintf(w->why, sizeof w->why, format, what);
	lua_pushliteral(w->bytes.L, "");
	return false;
}

static bool put(struct writer *w, int index, int depth);

/* What kind of a table it is. A list has the keys 1, 2, 3..., perhaps with holes. */
enum kind { LIST, OBJECT, SPARSE };

static enum kind kind_of(lua_State *L, int table, lua_Integer *max)
{
	lua_Integer count = 0;
	*max = 0;
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		lua_Integer n = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
		if (n < 1) {
			lua_pop(L, 2);
			return OBJECT;
		}
		count++;
		if (n > *max)
			*max = n;
	}
	return *max > SPARSE_SAFE && *max / SPARSE_RATIO >= count ? SPARSE : LIST;
}

static bool put_list_with_holes(struct writer *w, int table, int depth, lua_Integer max)
{
	lua_State *L = w->bytes.L;
	int top = lua_gettop(L);
	for (lua_Integer i = 1; i <= max; i++) {
		put_char(w, i == 1 ? '[' : ',');
		lua_pushinteger(L, i);
		lua_rawgeti(L, table, i);
		if (!put(w, top + 2, depth)) {
			il_path_prepend(L);
			return false;
		}
		lua_settop(L, top);
	}
	put_char(w, ']');
	return true;
}

/* The key as a name. False: it cannot be one. */
static bool put_name(struct writer *w, int table, int key)
{
	char text[IL_JSON_NUMBER];
	lua_State *L = w->bytes.L;
	int type = lua_type(L, key);
	if (type == LUA_TSTRING) {
		put_string(w, key);
		return true;
	}
	if (type != LUA_TNUMBER) {
		snprintf(w->why, sizeof w->why, "a %s as a key has no JSON form", lua_typename(L, type));
		return false;
	}
	if (!lua_isinteger(L, key) && isinf(lua_tonumber(L, key))) {
		snprintf(w->why, sizeof w->why, "an infinity as a key has no JSON form");
		return false;
	}
	int size = number_text(L, key, text);
	lua_pushlstring(L, text, (size_t)size);
	if (lua_rawget(L, table) != LUA_TNIL) {
		snprintf(w->why, sizeof w->why, "the keys %.*s and \"%.*s\" are one key in JSON", size, text, size,
			text);
		return false;
	}
	lua_pop(L, 1);
	put_char(w, '"');
	put_bytes(w, text, (size_t)size);
	put_char(w, '"');
	return true;
}

/* The pairs of a table, the first of which is on the stack at `key`. */
static bool put_object(struct writer *w, int table, int key, int depth)
{
	lua_State *L = w->bytes.L;
	char before = '{';
	do {
		put_char(w, before);
		before = ',';
		if (!put_name(w, table, key)) {
			lua_settop(L, key - 1);
			lua_pushliteral(L, "");
			return false;
		}
		put_char(w, ':');
		if (!put(w, key + 1, depth)) {
			il_path_prepend(L);
			return false;
		}
		lua_settop(L, key);
	} while (lua_next(L, table));
	put_char(w, '}');
	return true;
}

/* The same for a list. *list becomes false, and nothing is written, if it is none, or has holes. */
static bool put_list(struct writer *w, int table, int key, int depth, bool *list)
{
	lua_State *L = w->bytes.L;
	size_t start = w->bytes.size;
	lua_Integer count = 0;
	do {
		if (!lua_isinteger(L, key) || lua_tointeger(L, key) != ++count) {
			*list = false;
			w->bytes.size = start;
			lua_settop(L, key - 1);
			return true;
		}
		put_char(w, count == 1 ? '[' : ',');
		if (!put(w, key + 1, depth)) {
			il_path_prepend(L);
			return false;
		}
		lua_settop(L, key);
	} while (lua_next(L, table));
	put_char(w, ']');
	return true;
}

static bool put_table(struct writer *w, int table, int depth)
{
	lua_State *L = w->bytes.L;
	if (depth >= IL_JSON_DEPTH)
		return refuse(w, "nested more than 1000 deep, or a table inside itself%s", "");
	luaL_checkstack(L, 12, "nested too deep");
	int key = lua_gettop(L) + 1;
	lua_pushnil(L);
	if (!lua_next(L, table)) {
		put_bytes(w, il_array_is_marked(L, table) ? "[]" : "{}", 2);
		return true;
	}
	if (lua_type(L, key) != LUA_TNUMBER)
		return put_object(w, table, key, depth + 1);
	if (!w->careful) {
		bool list = true;
		if (!put_list(w, table, key, depth + 1, &list))
			return false;
		if (list)
			return true;
		w->careful = true; /* or tables in tables would be written over and over */
	}
	lua_Integer max;
	lua_settop(L, key - 1);
	enum kind kind = kind_of(L, table, &max);
	if (kind == SPARSE)
		return refuse(w, "a list with more holes than values has no JSON form%s", "");
	if (kind == LIST)
		return put_list_with_holes(w, table, depth + 1, max);
	lua_pushnil(L);
	lua_next(L, table);
	return put_object(w, table, key, depth + 1);
}

static bool put_number(struct writer *w, int index)
{
	lua_State *L = w->bytes.L;
	char *text = il_bytes_add(&w->bytes, IL_JSON_NUMBER);
	int size;
	if (lua_isinteger(L, index)) {
		size = il_json_integer(text, lua_tointeger(L, index));
	} else {
		double d = lua_tonumber(L, index);
		if (!isfinite(d))
			return refuse(w, "%s has no JSON form", isnan(d) ? "NaN" : "an infinity");
		size = il_json_float(text, d);
	}
	w->bytes.size -= (size_t)(IL_JSON_NUMBER - size);
	return true;
}

/* The value at the index, which counts from the bottom. False: why, and its path is pushed. */
static bool put(struct writer *w, int index, int depth)
{
	lua_State *L = w->bytes.L;
	int type = lua_type(L, index);
	switch (type) {
	case LUA_TSTRING: put_string(w, index); return true;
	case LUA_TNUMBER: return put_number(w, index);
	case LUA_TTABLE: return put_table(w, index, depth);
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, index))
			put_bytes(w, "true", 4);
		else
			put_bytes(w, "false", 5);
		return true;
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(L, index)) {
			if (!il_array_is_foreign(L, index))
				break;
			put_bytes(w, "[]", 2);
			return true;
		} /* fall through */
	case LUA_TNIL: put_bytes(w, "null", 4); return true;
	default: break;
	}
	return refuse(w, "a %s has no JSON form", lua_typename(L, type));
}

void il_json_encode(lua_State *L, int value, const char *what)
{
	struct writer w;
	value = lua_absindex(L, value);
	luaL_checkstack(L, 12, NULL);
	il_json_load(L); /* what could not be read here shall not be written */
	il_bytes_init(&w.bytes, L);
	w.careful = false;
	if (!put(&w, value, 0))
		il_path_refuse(L, what, w.why);
	il_bytes_push(&w.bytes);
}
