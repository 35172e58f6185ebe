/* SPDX-License-Identifier: MIT
 *
 * Calls of the scripts of scripts/ipc, which are the part of the module that is written in Lua.
 * Floor 4.
 */
#ifndef IL_SCRIPT_H
#define IL_SCRIPT_H

#include <lua.h>

/* Pushes a function of a script: field `name` of module "ipc.`module`". */
void il_push_script(lua_State *L, const char *module, const char *name);

/* Makes the functions that only the scripts may call. */
void il_script_open(lua_State *L);

#endif
