/* SPDX-License-Identifier: MIT
 *
 * The module `ipc`. Floor 4.
 */
#ifndef IL_MODULE_H
#define IL_MODULE_H

#include <lua.h>

#define IL_VERSION "0.1.0"

__attribute__((visibility("default"))) int luaopen_ipc(lua_State *L);

#endif
