/* SPDX-License-Identifier: MIT
 *
 * Calls of the scripts of scripts/ipc, which are the part of the module that is written in Lua.
 * Floor 4.
 */
#ifndef IL_SCRIPT_H
#define IL_SCRIPT_H

#include <lua.h>

/* Pushes what a script returns; scripts/ipc/scope.lua is "ipc.scope". It gets the module, which is at index `ipc`, and
 * a table of what only the scripts may call. */
void il_script_load(lua_State *L, int ipc, const char *name);

/* Pushes a function of a script, which is loaded when it is first asked for: field `name` of what it returns. Raises.
 */
void il_push_script(lua_State *L, const char *module, const char *name);

/* Makes the functions that only the scripts may call. */
void il_script_open(lua_State *L);

#endif
