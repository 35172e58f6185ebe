/* SPDX-License-Identifier: MIT
 *
 * The module `ipc`, and those that come with it. Floor 4.
 */
#ifndef IL_MODULE_H
#define IL_MODULE_H

#include <lua.h>

#define IL_VERSION "0.1.0"

#define IL_EXPORT __attribute__((visibility("default")))

IL_EXPORT int luaopen_ipc(lua_State *L);
IL_EXPORT int luaopen_ipc_pool(lua_State *L);
IL_EXPORT int luaopen_ipc_supervisor(lua_State *L);

/* For a program that has them built in: `require` finds them without looking for a file. */
void il_module_preload(lua_State *L);

#endif
