/* SPDX-License-Identifier: MIT
 *
 * Hooks of tools: coverage, debuggers, profilers. Lua has a hook for each coroutine, and a tool sets its own in those that
 * it sees the program make. It does not see those of tasks.
 * Floor 3.
 */
#ifndef IL_SCHED_HOOK_H
#define IL_SCHED_HOOK_H

#include <lua.h>

/* Gives the coroutine `to` the hook of `from`, also that of debug.sethook. Needs 3 slots of L's stack; raises. */
void il_hook_hand_on(lua_State *L, lua_State *from, lua_State *to);

/* A signal handler of a host, such as lua5.4's for SIGINT, sets a hook in the main chunk's coroutine, to raise an error
 * there. While the main chunk waits it calls no function, so no hook of its own either. il_hook_main_waits is to be called
 * when it begins to wait, and il_hook_main_called, which may raise, where it may be interrupted: that calls a hook which
 * was set meanwhile. */
void il_hook_main_waits(void);
void il_hook_main_called(lua_State *L);

#endif
