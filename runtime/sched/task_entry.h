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

/* Pops a function and nargs arguments into a new coroutine, which will run them so. Where programs have stock
 * coroutine.resume a sentinel is above them. */
void il_task_entry_prepare(lua_State *L, lua_State *co, int nargs);

/* Before it is resumed for the first time: takes the sentinel away; returns how many arguments lua_resume is to be told
 * of. */
int il_task_entry_begin(lua_State *L, lua_State *co);

/* The coroutine died below that, or yielded what is no wait: its `<close>` variables run here, and the error becomes
 * the task's only result. */
void il_task_entry_fail(lua_State *L, struct il_task *t, bool illegal_yield);

#endif
