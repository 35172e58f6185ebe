/* SPDX-License-Identifier: MIT
 *
 * The scheduler. Tasks that are ready stand in a queue, first in first out (run_queue.h). sched.c is the one file that
 * resumes (lua_resume of tasks), await.c the one that yields. Floor 3: knows Lua and the loop, no engine and no class.
 */
#ifndef IL_SCHED_SCHED_H
#define IL_SCHED_SCHED_H

#include "loop/op.h"
#include "sched/event.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_event;
struct il_task;

/* Prepares the registry; class ipc.Task must exist. Raises. */
void il_sched_open(lua_State *L);

/* Runs a callback's task, as the call of an event, at once and until it first waits; pops it. Does not raise. */
void il_sched_run(lua_State *L, struct il_task *t, struct il_event *e);

/* Runs what is ready and asks the kernel; waits there until something happens, but not beyond `until` (0: not at all)
 * and not if wanted() has become false. L has room for LUA_MINSTACK values, as in a C function that was just called.
 * Raises "interrupted" and out of memory. */
void il_sched_turn(lua_State *L, int64_t until, bool (*wanted)(void));

/* Runs each task that is ready now, once, and asks the kernel in between. Room and errors are as in il_sched_turn. */
void il_sched_turn_all(lua_State *L);

/* True while a task, a timer or unsent data keeps the program alive. */
bool il_sched_alive(void);

/* Ends all tasks where they are; their <close> variables run. */
void il_sched_drop(lua_State *L);

/* In a forked child: leaves the tasks to the parent. */
void il_sched_leave(void);

/* The state is closing: no task can run any more. */
void il_sched_forget(void);

#endif
