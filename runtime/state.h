/* SPDX-License-Identifier: MIT
 *
 * The Lua state of the program.
 * Floor 5.
 */
#ifndef IL_STATE_H
#define IL_STATE_H

#include <lua.h>

/* As luaL_newstate, with memory that suits Lua's many small blocks. One at a time. NULL: no memory. */
lua_State *il_state_new(void);

#endif
