/* SPDX-License-Identifier: MIT
 *
 * The codec "lua", see binary.h. A table starts with its two counts, which are filled in after the one pass over it:
 * leading keys 1, 2, 3... travel as bare values, the other pairs with their keys. Short strings and small integers,
 * which most values are, have an inline path; what Lua itself takes for the strings and tables is then most of the
 * time. Floor 4.
 */
#include "binary.h"
#include "array.h"
#include "bytes.h"
#include "path.h"
#include "sched/error.h"

#include <endian.h>
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	VERSION = 1,
	SHORT_HEAD = 2,
	LONG_HEAD = 8,
	STACK_LEVELS = 8, /* of tables in tables: room on the Lua stack is made for so many at a time, */
	STACK_MORE = 3 * STACK_LEVELS + 12, /* which is this, with what an error needs */
};

enum tag {
	T_NIL,
	T_FALSE,
	T_TRUE,
	T_NULL,
	T_INT8,
	T_INT16,
	T_INT32,
	T_INT64,
	T_FLOAT, /* 8 bytes, IEEE 754 */
	T_STRING8,
	T_STRING32, /* the length, and as many bytes */
	T_TABLE8,
	T_TABLE32, /* the number of bare values, of pairs, and these */
	T_EMPTY_ARRAY, /* a table that is marked so, see array.h */
	T_STRING0 = 0x40, /* + length: below 64 bytes */
	T_INT0 = 0x80, /* + the integer: 0 to 127 */
};

/* Writing ------------------------------------------------------------------------------------------------- */

struct writer {
	struct il_bytes bytes;
	char why[64];
};

static void put_integer(struct writer *w, lua_Integer n)
{
	char *p;
	if (n >= 0 && n < 0x80) {
		*il_bytes_add(&w->bytes, 1) = (char)(T_INT0 + n);
	} else if (n == (int8_t)n) {
		p = il_bytes_add(&w->bytes, 2);
		p[0] = T_INT8;
		p[1] = (char)n;
	} else if (n == (int16_t)n) {
		uint16_t bits = htole16((uint16_t)n);
		p = il_bytes_add(&w->bytes, 1 + sizeof bits);
		p[0] = T_INT16;
		memcpy(p + 1, &bits, sizeof bits);
	} else if (n == (int32_t)n) {
		uint32_t bits = htole32((uint32_t)n);
		p = il_bytes_add(&w->bytes, 1 + sizeof bits);
		p[0] = T_INT32;
		memcpy(p + 1, &bits, sizeof bits);
	} else {
		uint64_t bits = htole64((uint64_t)n);
		p = il_bytes_add(&w->bytes, 1 + sizeof bits);
		p[0] = T_INT64;
		memcpy(p + 1, &bits, sizeof bits);
	}
}

static void put_float(struct writer *w, double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	bits = htole64(bits);
	char *p = il_bytes_add(&w->bytes, 1 + sizeof bits);
	p[0] = T_FLOAT;
	memcpy(p + 1, &bits, sizeof bits);
}

static bool put_long_string(struct writer *w, const char *s, size_t size)
{
	char *p;
	if (size <= UINT8_MAX) {
		p = il_bytes_add(&w->bytes, 2 + size);
		*p++ = T_STRING8;
		*p++ = (char)size;
	} else if (size <= UINT32_MAX) {
		uint32_t bits = htole32((uint32_t)size);
		p = il_bytes_add(&w->bytes, 1 + sizeof bits + size);
		*p++ = T_STRING32;
		memcpy(p, &bits, sizeof bits);
		p += sizeof bits;
	} else {
		snprintf(w->why, sizeof w->why, "a string of 4 GiB or more has no binary form");
		lua_pushliteral(w->bytes.L, "");
		return false;
	}
	memcpy(p, s, size);
	return true;
}

static inline bool put_string(struct writer *w, int index)
{
	size_t size;
	const char *s = lua_tolstring(w->bytes.L, index, &size);
	if (size >= T_INT0 - T_STRING0)
		return put_long_string(w, s, size);
	char *p = il_bytes_add(&w->bytes, 1 + size);
	*p = (char)(T_STRING0 + size);
	memcpy(p + 1, s, size);
	return true;
}

/* Writes the counts where room was left for them, and makes more room if they have outgrown it. */
static void put_counts(struct writer *w, size_t head, uint32_t values, uint32_t pairs)
{
	uint32_t counts[2] = { htole32(values), htole32(pairs) };
	if (values <= UINT8_MAX && pairs <= UINT8_MAX) {
		w->bytes.data[head + 1] = (char)values;
		w->bytes.data[head + 2] = (char)pairs;
		return;
	}
	size_t body = w->bytes.size - (head + 1 + SHORT_HEAD);
	il_bytes_add(&w->bytes, LONG_HEAD - SHORT_HEAD);
	memmove(w->bytes.data + head + 1 + LONG_HEAD, w->bytes.data + head + 1 + SHORT_HEAD, body);
	w->bytes.data[head] = T_TABLE32;
	memcpy(w->bytes.data + head + 1, counts, sizeof counts);
}

static bool put_other(struct writer *w, int index, int type, int depth);

/* The value at the index, which counts from the bottom. False: why, and its path is pushed. */
static inline bool put(struct writer *w, int index, int depth)
{
	int type = lua_type(w->bytes.L, index);
	return type == LUA_TSTRING ? put_string(w, index) : put_other(w, index, type, depth);
}

/* The table at the index, which counts from the bottom. */
static bool put_table(struct writer *w, int table, int depth)
{
	lua_State *L = w->bytes.L;
	uint32_t values = 0, pairs = 0;
	size_t head = w->bytes.size;
	if (depth >= IL_BINARY_DEPTH) {
		snprintf(w->why, sizeof w->why, "nested more than %d deep, or a table inside itself", IL_BINARY_DEPTH);
		lua_pushliteral(L, "");
		return false;
	}
	if (depth % STACK_LEVELS == STACK_LEVELS - 1)
		luaL_checkstack(L, STACK_MORE, "nested too deep");
	*il_bytes_add(&w->bytes, 1 + SHORT_HEAD) = T_TABLE8;
	int key = lua_gettop(L) + 1;
	for (lua_pushnil(L); lua_next(L, table);) {
		bool bare = pairs == 0 && lua_isinteger(L, key) && lua_tointeger(L, key) == (lua_Integer)values + 1;
		if (bare)
			values++;
		else
			pairs++;
		if ((!bare && !put(w, key, depth + 1)) || !put(w, key + 1, depth + 1)) {
			il_path_prepend(L);
			return false;
		}
		lua_settop(L, key);
	}
	if (values || pairs || !il_array_is_marked(L, table)) {
		put_counts(w, head, values, pairs);
	} else {
		w->bytes.size = head;
		*il_bytes_add(&w->bytes, 1) = T_EMPTY_ARRAY;
	}
	return true;
}

static bool put_other(struct writer *w, int index, int type, int depth)
{
	lua_State *L = w->bytes.L;
	switch (type) {
	case LUA_TNIL: *il_bytes_add(&w->bytes, 1) = T_NIL; return true;
	case LUA_TBOOLEAN: *il_bytes_add(&w->bytes, 1) = lua_toboolean(L, index) ? T_TRUE : T_FALSE; return true;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			put_integer(w, lua_tointeger(L, index));
		else
			put_float(w, lua_tonumber(L, index));
		return true;
	case LUA_TTABLE: return put_table(w, index, depth);
	case LUA_TLIGHTUSERDATA:
		if (!lua_touserdata(L, index) || il_array_is_foreign(L, index)) {
			*il_bytes_add(&w->bytes, 1) = lua_touserdata(L, index) ? T_EMPTY_ARRAY : T_NULL;
			return true;
		} /* fall through */
	default: snprintf(w->why, sizeof w->why, "a %s has no binary form", lua_typename(L, type));
	}
	lua_pushliteral(L, "");
	return false;
}

void il_binary_encode(lua_State *L, int value, const char *what)
{
	struct writer w;
	value = lua_absindex(L, value);
	luaL_checkstack(L, STACK_MORE, NULL);
	il_bytes_init(&w.bytes, L);
	*il_bytes_add(&w.bytes, 1) = VERSION;
	if (!put(&w, value, 0))
		il_path_refuse(L, what, w.why);
	il_bytes_push(&w.bytes);
}

/* Reading ------------------------------------------------------------------------------------------------- */

struct reader {
	lua_State *L;
	const unsigned char *at, *end;
	size_t slots; /* how many values the tables that are still to come may claim in all: one needs a byte at least
		       */
};

static const unsigned char *take(struct reader *r, size_t size)
{
	const unsigned char *p = r->at;
	if ((size_t)(r->end - p) < size)
		il_error(r->L, "the bytes end in the middle of a value");
	r->at += size;
	return p;
}

static uint16_t take16(struct reader *r)
{
	uint16_t bits;
	memcpy(&bits, take(r, sizeof bits), sizeof bits);
	return le16toh(bits);
}

static uint32_t take32(struct reader *r)
{
	uint32_t bits;
	memcpy(&bits, take(r, sizeof bits), sizeof bits);
	return le32toh(bits);
}

static uint64_t take64(struct reader *r)
{
	uint64_t bits;
	memcpy(&bits, take(r, sizeof bits), sizeof bits);
	return le64toh(bits);
}

static void get_float(struct reader *r)
{
	double d;
	uint64_t bits = take64(r);
	memcpy(&d, &bits, sizeof d);
	lua_pushnumber(r->L, d);
}

static void get_string(struct reader *r, size_t size)
{
	const unsigned char *p = take(r, size);
	lua_pushlstring(r->L, (const char *)p, size);
}

static unsigned get_other(struct reader *r, int depth);

/* Pushes the next value; returns its first byte. */
static inline unsigned get(struct reader *r, int depth)
{
	unsigned tag = r->at < r->end ? *r->at : T_NIL;
	size_t size = tag - T_STRING0;
	if (tag >= T_INT0) {
		r->at++;
		lua_pushinteger(r->L, (lua_Integer)(tag - T_INT0));
	} else if (tag >= T_STRING0 && size < (size_t)(r->end - r->at)) {
		lua_pushlstring(r->L, (const char *)r->at + 1, size);
		r->at += 1 + size;
	} else {
		return get_other(r, depth);
	}
	return tag;
}

static void get_table(struct reader *r, int depth, size_t values, size_t pairs)
{
	lua_State *L = r->L;
	if (depth >= IL_BINARY_DEPTH)
		il_error(L, "nested more than %d deep", IL_BINARY_DEPTH);
	if (values + 2 * pairs > (size_t)(r->end - r->at) || values + 2 * pairs > r->slots)
		il_error(L, "a table is larger than the bytes that are left");
	r->slots -= values + 2 * pairs;
	if (depth % STACK_LEVELS == STACK_LEVELS - 1)
		luaL_checkstack(L, STACK_MORE, "nested too deep");
	lua_createtable(L, (int)values, (int)pairs);
	for (size_t i = 1; i <= values; i++) {
		get(r, depth + 1);
		lua_rawseti(L, -2, (lua_Integer)i);
	}
	for (size_t i = 0; i < pairs; i++) {
		unsigned tag = get(r, depth + 1);
		if (tag == T_NIL || (tag == T_FLOAT && lua_tonumber(L, -1) != lua_tonumber(L, -1)))
			il_error(L, "a key of a table is %s", tag == T_NIL ? "nil" : "NaN");
		get(r, depth + 1);
		lua_rawset(L, -3);
	}
}

static unsigned get_other(struct reader *r, int depth)
{
	lua_State *L = r->L;
	unsigned tag = *take(r, 1);
	size_t count;
	if (tag >= T_STRING0) {
		get_string(r, tag - T_STRING0);
		return tag;
	}
	switch ((enum tag)tag) {
	case T_NIL: lua_pushnil(L); break;
	case T_FALSE:
	case T_TRUE: lua_pushboolean(L, tag == T_TRUE); break;
	case T_NULL: lua_pushlightuserdata(L, NULL); break;
	case T_INT8: lua_pushinteger(L, (int8_t)*take(r, 1)); break;
	case T_INT16: lua_pushinteger(L, (int16_t)take16(r)); break;
	case T_INT32: lua_pushinteger(L, (int32_t)take32(r)); break;
	case T_INT64: lua_pushinteger(L, (lua_Integer)take64(r)); break;
	case T_FLOAT: get_float(r); break;
	case T_STRING8: get_string(r, *take(r, 1)); break;
	case T_STRING32: get_string(r, take32(r)); break;
	case T_TABLE8:
		count = *take(r, 1);
		get_table(r, depth, count, *take(r, 1));
		break;
	case T_TABLE32:
		count = take32(r);
		get_table(r, depth, count, take32(r));
		break;
	case T_EMPTY_ARRAY: il_array_push(L); break;
	default:
		il_error(L, "no value begins with byte 0x%c%c", "0123456789abcdef"[tag >> 4],
			"0123456789abcdef"[tag & 15]);
	}
	return tag;
}

int il_binary_decode(lua_State *L)
{
	size_t size;
	const unsigned char *bytes = (const unsigned char *)luaL_checklstring(L, 1, &size);
	struct reader r = { L, bytes, bytes + size, size };
	luaL_checkstack(L, STACK_MORE, NULL);
	if (size == 0)
		return il_error(L, "no bytes at all");
	unsigned version = *take(&r, 1);
	if (version != VERSION)
		return il_error(L, "these bytes have version %d, not %d", (int)version, (int)VERSION);
	get(&r, 0);
	if (r.at != r.end)
		return il_error(L, "bytes are left over behind the value");
	return 1;
}
