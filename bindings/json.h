/* SPDX-License-Identifier: MIT
 *
 * Lua values as JSON: the codec "json", by lua-cjson, with every integer and every finite float exact. The text is plain
 * JSON for whoever reads it. Whole floats may come back as integers, -0.0 does not.
 * Floor 4.
 */
#ifndef IL_JSON_H
#define IL_JSON_H

#include <lua.h>
#include <stdbool.h>

enum { IL_JSON_DEPTH = 1000 }; /* tables in tables, at most */

/* Pushes the text of the value at index `value`. Raises, with the path to what JSON cannot say. */
void il_json_encode(lua_State *L, int value);

/* Replaces the text at the top by its value: true. Or by an error message: false. */
bool il_json_decode(lua_State *L);

#endif
