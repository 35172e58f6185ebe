/* SPDX-License-Identifier: MIT
 *
 * What a program that hosts Lua needs of the runtime, beside luaopen_ipc and il_coroutine_install.
 * Floor 3.
 */
#ifndef IL_SCHED_HOST_H
#define IL_SCHED_HOST_H

#include <lua.h>
#include <stdbool.h>

/* A lua_CFunction: waits until no task and no timer keeps the program alive; returns true. Raises "interrupted". */
int il_host_run(lua_State *L);

/* The C function ipc.step([timeout]): one turn; true while something is left to run. */
int il_host_step(lua_State *L);

/* A task that was not joined has failed. */
bool il_host_failed(void);

/* In a child that begins anew (base/fork.h) no task is left. To be called once before. */
void il_host_init(void);

#endif
