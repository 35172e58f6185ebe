/* SPDX-License-Identifier: MIT
 *
 * Lua values as JSON: the codec "json", with every integer and every finite float exact. The text is plain JSON (RFC
 * 8259) for whatever reads it, and nothing beside JSON is read. Whole floats may come back as integers, -0.0 does not.
 * Floor 4.
 */
#ifndef IL_JSON_H
#define IL_JSON_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { IL_JSON_DEPTH = 1000 }; /* tables in tables, at most */

/* Loads lua-cjson, if it is not loaded yet. Raises. */
void il_json_load(lua_State *L);

/* The same before there is anything to read. 0, also where it is not installed: who reads or writes will be told that.
 * Or errno: EMFILE and the like, and it may be there later. */
int il_json_prepare(lua_State *L);

/* Pushes the text of the value at index `value`. Raises, with the path to what JSON cannot say. */
void il_json_encode(lua_State *L, int value);

/* A lua_CFunction, to be called where numbers have a point (base/number.h): the text at index 1 → its value. Takes
 * bytes of any origin; raises, with the place, what is no JSON; and if lua-cjson, which reads it, cannot be loaded. */
int il_json_decode(lua_State *L);

/* What lua-cjson would misread. It has to get such a thing as a string: a mark, and what stands for the thing. */
enum { IL_JSON_MARK = 24 };

struct il_json_scan {
	size_t digits; /* in: integers that are longer need help */
	bool numbers; /* out: there are some; */
	bool large; /* some that may be too large for a float, */
	bool integers, arrays; /* integers that need help, and empty arrays */
};

/* Looks through the text at index 1 for what is no JSON although lua-cjson takes it, and raises. */
void il_json_check(lua_State *L, struct il_json_scan *s);

/* Pushes the text with long integers as "MARK123" and empty arrays as "MARK[". The mark is in none of its strings. */
void il_json_mark(lua_State *L, const struct il_json_scan *s, char mark[IL_JSON_MARK]);

#endif
