/* SPDX-License-Identifier: MIT
 *
 * Empty arrays. In Lua an empty table is neither a list nor anything else; in JSON it has to be one of them. So what
 * was an empty array has a mark, a metatable, which both codecs honour as long as the table is empty. Floor 4.
 */
#ifndef IL_ARRAY_H
#define IL_ARRAY_H

#include <lua.h>
#include <stdbool.h>

/* Adds empty_array to the table at the top. */
void il_array_open(lua_State *L);

/* Pushes a new empty table with the mark, once il_array_open was called. */
void il_array_push(lua_State *L);

/* Has the empty table at the index a mark: ours, or that of lua-cjson or dkjson? */
bool il_array_is_marked(lua_State *L, int table);

/* Is the light userdata at the index an empty array, of lua-cjson? */
bool il_array_is_foreign(lua_State *L, int value);

#endif
