/* SPDX-License-Identifier: MIT
 *
 * What a program that hosts Lua needs of the runtime, beside luaopen_ipc and il_coroutine_install.
 * Floor 3.
 */
#ifndef IL_SCHED_HOST_H
#define IL_SCHED_HOST_H

#include "sched/coroutine.h"
#include "sched/interrupt.h"

#include <lua.h>
#include <stdbool.h>

/* A lua_CFunction: waits until no task and no timer keeps the program alive; returns true. Raises "interrupted". */
int il_host_run(lua_State *L);

/* The C function ipc.step([timeout]): one turn; true while something is left to run. */
int il_host_step(lua_State *L);

/* A task that nobody joined has failed. */
bool il_host_failed(void);

/* The end of the program: cancels the tasks that are left, and runs turns until they have ended, a second at most.
 * Callbacks are not called any more. What is left then is closed where it stands: its <close> variables run, but cannot
 * wait. Their errors are printed. Before lua_close. Does not raise; does nothing the second time. */
void il_host_shutdown(lua_State *L);

/* Waits until the descriptor is readable; on the main state everything else goes on. Raises. */
int il_wait_readable(lua_State *L, int fd);

/* In a child that begins anew (base/fork.h) no task is left. To be called once before. */
void il_host_init(void);

#endif
