/* SPDX-License-Identifier: MIT
 *
 * Numbers as JSON has them: the text is read as the same number, and has a point whatever the locale says.
 * Whole floats below 1e15 look like integers.
 * Floor 4: no lua_State.
 */
#ifndef IL_JSON_NUMBER_H
#define IL_JSON_NUMBER_H

#include <lua.h>

enum { IL_JSON_NUMBER = 40 }; /* bytes there must be room for */

/* Writes the text, without a zero byte: its size. A float must be finite. */
int il_json_integer(char *text, lua_Integer n);
int il_json_float(char *text, double d);

#endif
