/* SPDX-License-Identifier: MIT
 *
 * Other programs as processes.
 * Floor 4.
 */
#ifndef IL_PROGRAM_H
#define IL_PROGRAM_H

#include <lua.h>

/* ipc.process of the table at 1. */
int il_program(lua_State *L);

#endif
