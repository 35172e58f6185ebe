/* SPDX-License-Identifier: MIT
 *
 * What every task runs in: calls its function, and if that fails keeps the error and the traceback for later.
 * Floor 3.
 */
#ifndef IL_SCHED_TASK_ENTRY_H
#define IL_SCHED_TASK_ENTRY_H

#include <lua.h>
#include <stdbool.h>

struct il_task;

/* Prepares the registry. Raises. */
void il_task_entry_open(lua_State *L);

/* The base of every task's stack, a lua_CFunction: the task's function and its arguments → its results, or the error
 * and the traceback, if there is one, and the task is IL_FAILED. Protected, and by a call that can be suspended: so a
 * `<close>` variable may wait while an error unwinds. */
int il_task_entry(lua_State *L);

/* Pops a function and nargs arguments into a coroutine that is to call them by il_task_entry. Where programs have stock
 * coroutine.resume a sentinel is above them. */
void il_task_entry_prepare(lua_State *L, lua_State *co, int nargs);

/* Before it is resumed for the first time: takes the sentinel away; returns how many arguments lua_resume is to be told
 * of. */
int il_task_entry_begin(lua_State *L, lua_State *co);

/* The coroutine died outside of il_task_entry, or yielded what is no wait: its `<close>` variables run here, and the
 * error becomes the task's only result. */
void il_task_entry_fail(lua_State *L, struct il_task *t, bool illegal_yield);

#endif
