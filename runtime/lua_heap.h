/* SPDX-License-Identifier: MIT
 *
 * The Lua state of the program.
 * Floor 5.
 */
#ifndef IL_LUA_HEAP_H
#define IL_LUA_HEAP_H

#include <lua.h>

/* As luaL_newstate, with memory that suits Lua's many small blocks. One at a time. NULL: no memory. */
lua_State *il_lua_heap_new_state(void);

#endif
