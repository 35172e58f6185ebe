/* SPDX-License-Identifier: MIT
 *
 * JSON, see json.h. lua-cjson reads it. It cannot write it: with 14 or 16 digits it damages numbers, and what mends that from
 * outside takes longer than writing. Reading needs help with integers only: some versions make floats of them,
 * others cut those beyond 64 bits. So integers that are too long pass through cjson as marked strings, and
 * afterwards whole floats and marked strings become what they were. scripts/ipc/json.lua finds out what is needed.
 * Floor 4.
 */
#include "json.h"
#include "bind.h"
#include "bytes.h"
#include "codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPARSE_RATIO = 2, SPARSE_SAFE = 10, MARK_SIZE = 24, NUMBER_SIZE = 40 };

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

/* ---- writing ---- */

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

/* Digits before `end`; returns the first of them. */
static char *digits_before(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

static int integer_text(char *text, lua_Integer n)
{
	char digits[24], *end = digits + sizeof digits;
	char *p = digits_before(end, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
	if (n < 0)
		*--p = '-';
	memcpy(text, p, (size_t)(end - p));
	return (int)(end - p);
}

static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Whether d, from 1e-5 to 1e15, is the double nearest to digits / 10^places for some digits, 15 at most. Both are exact
 * doubles, so their quotient is rounded once, as by strtod, and equality proves it; the digits are the right ones to
 * try, for the error of the product is below one half. */
static bool decimal(double d, uint64_t *digits, int *places)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	int exponent = (int)(bits >> 52) - 1023;
	int k = 14 - ((exponent * 1233) >> 12); /* 1233/4096 is log10(2), nearly */
	if (d * powers[k] >= 1e15)
		k--;
	double n = rint(d * powers[k]);
	*digits = (uint64_t)n;
	*places = k;
	return n / powers[k] == d;
}

/* Of a finite number, exact. */
static int float_text(char *text, double d)
{
	uint64_t digits;
	int places;
	char buffer[NUMBER_SIZE], *p = text, *end = buffer + sizeof buffer;
	double size = fabs(d);
	if (size < 1e15 && (double)(int64_t)d == d && d != 0)
		return integer_text(text, (lua_Integer)d);
	if (d == 0)
		return snprintf(text, NUMBER_SIZE, signbit(d) ? "-0.0" : "0"); /* "-0" is an integer for some readers */
	bool near = size >= 1e-5 && size < 1e15;
	if (!near || !decimal(size, &digits, &places)) {
		int length = snprintf(text, NUMBER_SIZE, near ? "%.17g" : "%.15g", d);
		if (!near && strtod(text, NULL) != d)
			length = snprintf(text, NUMBER_SIZE, "%.17g", d);
		p += strspn(text, "-0123456789");
		if (*p && *p != 'e')
			*p = '.'; /* whatever the locale says */
		return length;
	}
	for (; digits % 10 == 0; places--)
		digits /= 10;
	char *first = digits_before(end, digits);
	while (end - first <= places)
		*--first = '0';
	if (d < 0)
		*p++ = '-';
	size_t whole = (size_t)(end - first - places);
	memcpy(p, first, whole);
	p[whole] = '.';
	memcpy(p + whole + 1, first + whole, (size_t)places);
	return (int)(p + whole + 1 + places - text);
}

static int number_text(lua_State *L, int index, char *text)
{
	return lua_isinteger(L, index) ? integer_text(text, lua_tointeger(L, index))
				       : float_text(text, lua_tonumber(L, index));
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
			il_codec_path(L);
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
	char text[NUMBER_SIZE];
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
		snprintf(w->why, sizeof w->why, "the keys %.*s and \"%.*s\" are one key in JSON", size, text, size, text);
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
			il_codec_path(L);
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
			il_codec_path(L);
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
		put_bytes(w, "{}", 2);
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
	char *text = il_bytes_add(&w->bytes, NUMBER_SIZE);
	int size;
	if (lua_isinteger(L, index)) {
		size = integer_text(text, lua_tointeger(L, index));
	} else {
		double d = lua_tonumber(L, index);
		if (!isfinite(d))
			return refuse(w, "%s has no JSON form", isnan(d) ? "NaN" : "an infinity");
		size = float_text(text, d);
	}
	w->bytes.size -= (size_t)(NUMBER_SIZE - size);
	return true;
}

/* The value at the index, which counts from the bottom. False: why, and its path is pushed. */
static bool put(struct writer *w, int index, int depth)
{
	lua_State *L = w->bytes.L;
	int type = lua_type(L, index);
	switch (type) {
	case LUA_TSTRING:
		put_string(w, index);
		return true;
	case LUA_TNUMBER:
		return put_number(w, index);
	case LUA_TTABLE:
		return put_table(w, index, depth);
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, index))
			put_bytes(w, "true", 4);
		else
			put_bytes(w, "false", 5);
		return true;
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(L, index))
			break; /* fall through */
	case LUA_TNIL:
		put_bytes(w, "null", 4);
		return true;
	default:
		break;
	}
	return refuse(w, "a %s has no JSON form", lua_typename(L, type));
}

void il_json_encode(lua_State *L, int value)
{
	struct writer w;
	value = lua_absindex(L, value);
	luaL_checkstack(L, 12, NULL);
	push_decode(L); /* who cannot read shall not write */
	lua_pop(L, 1);
	il_bytes_init(&w.bytes, L);
	w.careful = false;
	if (!put(&w, value, 0))
		il_codec_refuse(L, w.why);
	il_bytes_push(&w.bytes);
}

/* ---- reading ---- */

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
