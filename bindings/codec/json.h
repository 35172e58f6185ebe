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

/* The same before there is anything to read. 0, also where it is not installed: a call that reads or writes will say
 * so. Or errno: EMFILE and the like, and it may be there later. */
int il_json_prepare(lua_State *L);

/* A lua_CFunction, to be called where numbers have a point (base/number.h): the text at index 1 → its value. Takes
 * bytes of any origin; raises, with the place, what is no JSON; and if lua-cjson, which reads it, cannot be loaded. */
int il_json_decode(lua_State *L);

#endif
