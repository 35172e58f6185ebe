/* SPDX-License-Identifier: MIT
 *
 * Calls of the scripts of ours (scripts/ipc).
 * Floor 4.
 */
#ifndef IL_HALF_H
#define IL_HALF_H

#include <lua.h>

/* Pushes the function of the Lua half: field `name` of module "ipc.`module`". */
void il_push_lua_half(lua_State *L, const char *module, const char *name);

#endif
