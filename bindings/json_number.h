/* SPDX-License-Identifier: MIT
 *
 * Numbers as JSON has them, written and read: the text is read as the same number, with a point whatever the locale says.
 * Whole floats below 1e15 look like integers.
 * Floor 4: no lua_State.
 */
#ifndef IL_JSON_NUMBER_H
#define IL_JSON_NUMBER_H

#include <lua.h>
#include <stdbool.h>

enum { IL_JSON_NUMBER = 40 }; /* bytes there must be room for */

/* Writes the text, without a zero byte: its size. A float must be finite. */
int il_json_integer(char *text, lua_Integer n);
int il_json_float(char *text, double d);

/* A number that was read: an integer if it was written as one and fits, but -0 is a float. */
struct il_json_number {
	bool integer;
	lua_Integer i;
	double d;
};

/* Reads the longest number that begins at the text, which ends with a zero byte. Returns what follows it; NULL if JSON has no
 * such number, and if it is larger than a float can be: then n->d is an infinity. */
const char *il_json_read_number(const char *text, struct il_json_number *n);

#endif
