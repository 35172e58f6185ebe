/* SPDX-License-Identifier: MIT
 *
 * Lua values as JSON: the codec "json", with every integer and every finite float exact. The text is plain JSON (RFC 8259)
 * for whatever reads it, and nothing beside JSON is read. Whole floats are written as integers, -0.0 is not.
 * Floor 4.
 */
#ifndef IL_JSON_H
#define IL_JSON_H

#include <lua.h>

enum { IL_JSON_DEPTH = 1000 }; /* tables in tables, at most */

/* Pushes the text of the value at index `value`. Raises, with the path to what JSON cannot say. */
void il_json_encode(lua_State *L, int value);

/* A lua_CFunction: the text at index 1 → its value. Takes bytes of any origin; raises, with the place, what is no JSON. */
int il_json_decode(lua_State *L);

#endif
