/* SPDX-License-Identifier: MIT
 *
 * Hooks of tools: coverage, debuggers, profilers. Lua has a hook for each coroutine, and a tool sets its own in those
 * that it sees the program make. It does not see those of tasks. Floor 3.
 */
#ifndef IL_SCHED_HOOK_H
#define IL_SCHED_HOOK_H

#include <lua.h>

/* Gives the coroutine `to` the hook of `from`, also that of debug.sethook. Needs 3 slots of L's stack; raises. */
void il_hook_hand_on(lua_State *L, lua_State *from, lua_State *to);

#endif
