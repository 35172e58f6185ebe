/* SPDX-License-Identifier: MIT
 *
 * What of a JSON text lua-cjson would misread, see json.h.
 * Floor 4.
 */
#ifndef IL_JSON_SCAN_H
#define IL_JSON_SCAN_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

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
