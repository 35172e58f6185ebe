/* SPDX-License-Identifier: MIT
 *
 * The prompt of ipclua. Floor 5.
 */
#ifndef IL_REPL_H
#define IL_REPL_H

#include <lua.h>

/* Reads, evaluates and prints until the end of the input. While the prompt waits, tasks and timers go on. */
void il_repl(lua_State *L);

#endif
