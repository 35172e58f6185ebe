/* SPDX-License-Identifier: MIT
 *
 * JSON text before lua-cjson reads it, see json.h. That library takes "1." and control characters in strings for JSON,
 * and tells neither an empty array from an empty object nor long integers from others. Whether brackets and commas
 * stand where they may is left to it. The text ends with a zero byte, as Lua's strings do: nothing has to be compared
 * with the end. Floor 4.
 */
#include "json_scan.h"
#include "json.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

enum { MOST_DIGITS = 300 }; /* a number with fewer digits, and no exponent, is no infinity */

struct scanner {
	lua_State *L;
	const char *text, *end;
	struct il_json_scan *s;
	luaL_Buffer *out; /* NULL: it only looks */
	const char *done; /* what is before has been put out */
	const char *mark;
	int depth;
};

static void refuse(const struct scanner *c, const char *at, const char *why)
{
	luaL_error(c->L, "not JSON: %s at byte %I", why, (LUAI_UACINT)(at - c->text + 1));
}

/* What each character may be. A table, since the look must cost little beside the reading. */
enum {
	DIGIT = 1,
	SPACE = 2,
	BETWEEN = 4 /* values: nothing to be looked at */,
	STOPS = 8 /* what is plain in a string */
};

static const unsigned char kinds[256] = {
	['0'] = DIGIT,
	['1'] = DIGIT,
	['2'] = DIGIT,
	['3'] = DIGIT,
	['4'] = DIGIT,
	['5'] = DIGIT,
	['6'] = DIGIT,
	['7'] = DIGIT,
	['8'] = DIGIT,
	['9'] = DIGIT,
	[' '] = SPACE | BETWEEN,
	[','] = BETWEEN,
	[':'] = BETWEEN,
	['"'] = STOPS,
	['\\'] = STOPS,
	[0 ... 8] = STOPS,
	['\t'] = SPACE | BETWEEN | STOPS,
	['\n'] = SPACE | BETWEEN | STOPS,
	[11 ... 12] = STOPS,
	['\r'] = SPACE | BETWEEN | STOPS,
	[14 ... 31] = STOPS,
};

static inline bool is(char c, int kind)
{
	return kinds[(unsigned char)c] & kind;
}

/* The characters from p up to `stop` are replaced by a marked string. */
static void put_mark(struct scanner *c, const char *p, const char *stop, size_t size)
{
	if (!c->out)
		return;
	luaL_addlstring(c->out, c->done, (size_t)(p - c->done));
	luaL_addchar(c->out, '"');
	luaL_addstring(c->out, c->mark);
	luaL_addlstring(c->out, p, size);
	luaL_addchar(c->out, '"');
	c->done = stop;
}

/* Behind the quote. What an escape may be is lua-cjson's business. */
static const char *scan_string(const struct scanner *c, const char *p)
{
	for (;; p += 2) {
		while (!is(*p, STOPS))
			p++;
		if (*p == '"')
			return p + 1;
		if (*p != '\\')
			refuse(c, p, p == c->end ? "a string without an end" : "a control character in a string");
		if (p + 1 == c->end)
			refuse(c, p, "a string without an end");
	}
}

static const char *scan_digits(const struct scanner *c, const char *p)
{
	if (!is(*p, DIGIT))
		refuse(c, p, "a number that JSON does not have");
	while (is(*p, DIGIT))
		p++;
	return p;
}

static const char *scan_number(struct scanner *c, const char *p)
{
	c->s->numbers = true;
	const char *first = *p == '-' ? p + 1 : p, *stop = scan_digits(c, first), *whole = stop;
	if (*first == '0' && stop > first + 1)
		refuse(c, p, "a number that JSON does not have");
	if (*stop == '.')
		stop = scan_digits(c, stop + 1);
	if (*stop == 'e' || *stop == 'E') {
		c->s->large = true;
		stop += stop[1] == '-' || stop[1] == '+' ? 2 : 1;
		stop = scan_digits(c, stop);
	}
	if (whole - first > MOST_DIGITS)
		c->s->large = true;
	if (whole == stop && (size_t)(whole - first) > c->s->digits) {
		c->s->integers = true;
		put_mark(c, p, stop, (size_t)(stop - p));
	}
	return stop;
}

/* A bracket or brace opens. */
static void enter(struct scanner *c)
{
	if (++c->depth > IL_JSON_DEPTH)
		luaL_error(c->L, "nested more than %d deep", IL_JSON_DEPTH);
}

/* Behind the bracket. */
static const char *scan_array(struct scanner *c, const char *p)
{
	const char *next = p;
	enter(c);
	while (is(*next, SPACE))
		next++;
	if (*next != ']')
		return p;
	c->s->arrays = true;
	c->depth--;
	put_mark(c, p - 1, next + 1, 1);
	return next + 1;
}

static const char *scan_word(const struct scanner *c, const char *p)
{
	if (strncmp(p, "true", 4) == 0 || strncmp(p, "null", 4) == 0)
		return p + 4;
	if (strncmp(p, "false", 5) == 0)
		return p + 5;
	refuse(c, p, "no value begins");
	return p;
}

static void scan(struct scanner *c)
{
	for (const char *p = c->text;;) {
		while (is(*p, BETWEEN))
			p++;
		if (p == c->end)
			return;
		switch (*p) {
		case '"': p = scan_string(c, p + 1); break;
		case '[': p = scan_array(c, p + 1); break;
		case '-':
		case '0':
		case '1':
		case '2':
		case '3':
		case '4':
		case '5':
		case '6':
		case '7':
		case '8':
		case '9': p = scan_number(c, p); break;
		case '{':
			enter(c);
			p++;
			break;
		case '}':
		case ']':
			c->depth--;
			p++;
			break;
		default: p = scan_word(c, p);
		}
	}
}

static struct scanner scanner(lua_State *L, struct il_json_scan *s)
{
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	return (struct scanner){ .L = L, .text = text, .end = text + size, .s = s };
}

void il_json_check(lua_State *L, struct il_json_scan *s)
{
	struct scanner c = scanner(L, s);
	s->numbers = s->large = s->integers = s->arrays = false;
	scan(&c);
}

/* No escape of JSON stands for the byte 0xff: a mark that is not in the text is in none of its strings. */
static void make_mark(const struct scanner *c, char *mark)
{
	unsigned n = 0;
	do
		snprintf(mark, IL_JSON_MARK, "\xff%u:", n++);
	while (memmem(c->text, (size_t)(c->end - c->text), mark, strlen(mark)));
}

void il_json_mark(lua_State *L, const struct il_json_scan *s, char mark[IL_JSON_MARK])
{
	struct il_json_scan again = *s;
	struct scanner c = scanner(L, &again);
	luaL_Buffer b;
	make_mark(&c, mark);
	luaL_buffinitsize(L, &b, (size_t)(c.end - c.text) + IL_JSON_MARK);
	c.out = &b;
	c.mark = mark;
	c.done = c.text;
	scan(&c);
	luaL_addlstring(&b, c.done, (size_t)(c.end - c.done));
	luaL_pushresult(&b);
}
