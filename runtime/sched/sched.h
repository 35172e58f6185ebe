/* SPDX-License-Identifier: MIT
 *
 * The scheduler. Tasks that are ready stand in one first-in first-out line. sched.c is the one file that resumes
 * (lua_resume of tasks), await.c the one that yields.
 * Floor 3: knows Lua and the loop, no engine and no class.
 */
#ifndef IL_SCHED_SCHED_H
#define IL_SCHED_SCHED_H

#include "loop/op.h"
#include "loop/wake.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_event;
struct il_task;

struct il_sched {
	struct il_task *current; /* the task that runs; NULL: the main chunk, or nobody */
	struct il_wait main_wait;
	struct il_op main_op;
	int64_t alive; /* tasks that keep the program alive */
	int64_t tasks, switches; /* made so far, the last one's id; resumed so far */
	int64_t living; /* tasks that have not ended */
	bool open; /* the module is loaded in this process */
	bool turning; /* the loop runs, on top of the main chunk */
	bool failed; /* a task's error was printed */
	bool over; /* what is left at the end of the program is being closed: nothing may wait any more */
	int64_t ending; /* tasks that its end waits for */
	lua_State *main; /* the Lua state that loaded the module */
	int64_t left; /* how much may be served at once before the clock is looked at: calls and KiB, see turn.h */
	int64_t polled; /* when the kernel was last asked; 0: it is to be asked before another task runs */
};

/* Hidden, and said so here: then it is reached directly, not through the table of addresses. */
extern struct il_sched il_sched __attribute__((visibility("hidden")));

/* Prepares the registry; class ipc.Task must exist. Raises. */
void il_sched_open(lua_State *L);

/* Something is new: a task is ready, a tick is due sooner, nothing is left to run. Outside of a turn, the loop that may
 * hold ours has to be told. */
static inline void il_sched_changed(void)
{
	if (!il_sched.turning)
		il_loop_wake_outer();
}

/* A task or a timer that kept the program alive does so no more. */
static inline void il_sched_release(void)
{
	il_sched.alive--;
	il_sched_changed();
}

/* Puts a task behind those that are ready. Cannot fail. */
void il_task_ready(struct il_task *t);

/* Behind those, too, whom the kernel names when it is asked next; that is before another task runs. */
void il_task_ready_last(struct il_task *t);

/* The same, for struct il_wait: what a task waited for is there. */
void il_task_woken(struct il_wait *w);

/* True while a task stands in the ready line. */
bool il_task_any_ready(void);

/* Runs a callback's task, as the call of an event, at once and until it first waits; pops it. Does not raise. */
void il_task_run(lua_State *L, struct il_task *t, struct il_event *e);

/* Runs what is ready and asks the kernel; waits there until something happens, but not beyond `until` (0: not at all)
 * and not if wanted() has become false. Raises "interrupted" and out of memory. */
void il_turn(lua_State *L, int64_t until, bool (*wanted)(void));

/* Runs each task that is ready now, once, and asks the kernel in between. Raises as il_turn does. */
void il_turn_all(lua_State *L);

/* True while a task, a timer or unsent data keeps the program alive. */
bool il_sched_alive(void);

/* Ends all tasks where they are; their <close> variables run unless `quietly`, as in a forked child. */
void il_sched_drop(lua_State *L, bool quietly);

/* The state is closing: no task can run any more. */
void il_sched_forget(void);

#endif
