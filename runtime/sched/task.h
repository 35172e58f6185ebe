/* SPDX-License-Identifier: MIT
 *
 * Tasks and their scheduler. A task is a userdata of class ipc.Task with a coroutine of its own; those that are ready
 * stand in one first-in first-out line. task.c is the one file that resumes (lua_resume of tasks), await.c the one
 * that yields. The main chunk is no task: it runs on the main state, and while it waits it runs the others.
 * Floor 3: knows Lua and the loop, no engine and no class.
 */
#ifndef IL_SCHED_TASK_H
#define IL_SCHED_TASK_H

#include "loop/op.h"

#include <lua.h>
#include <stdbool.h>

struct il_event;

#define IL_TASK_CLASS "ipc.Task"

enum il_task_status { IL_READY, IL_RUNNING, IL_WAITS, IL_FINISHED, IL_FAILED, IL_GONE };

/* What a task holds and has to answer for when it ends. */
struct il_hold {
	struct il_list node;
	void (*ended)(struct il_hold *h, bool failed); /* out of the list already; must not fail */
};

struct il_task {
	struct il_wait wait;
	struct il_op op;          /* what a single wait waits for */
	struct il_list joiners;   /* operations that wait for its end */
	struct il_list holds;     /* of struct il_hold */
	struct il_task *next;     /* in the ready line */
	lua_State *co;            /* NULL once its results have been dropped */
	void (*ended)(struct il_task *t); /* for who runs it as a callback; NULL */
	void *owner;
	int64_t id;
	int anchor;               /* reference that keeps it while it runs */
	int results;              /* on top of the coroutine's stack, once it has ended */
	uint8_t status;           /* enum il_task_status */
	bool cancelled;           /* somebody asked it to stop */
	bool holds_on;            /* a cancellation does not end its present wait, the next one sees it */
	bool detached;            /* does not keep the program alive */
	bool held;                /* a scope looks after its error */
	bool callback;            /* used again for other callbacks, unless Lua has seen it */
};

struct il_sched {
	struct il_task *current;   /* the task that runs; NULL: the main chunk, or nobody */
	struct il_wait main_wait;
	struct il_op main_op;
	int64_t alive;             /* tasks that keep the program alive */
	int64_t tasks, switches;   /* made so far, the last one's id; resumed so far */
	int64_t living;            /* tasks that have not ended */
	bool open;                 /* the module is loaded in this process */
	bool turning;              /* the loop runs, on top of the main chunk */
	bool failed;               /* a task's error was printed */
	lua_State *main;           /* the Lua state that loaded the module */
};
extern struct il_sched il_sched;

/* Prepares the registry; class ipc.Task must exist. Raises. */
void il_sched_open(lua_State *L);

/* Pops a function and nargs arguments, pushes a new task. Raises. */
struct il_task *il_task_new(lua_State *L, int nargs);

/* Something is new: a task is ready, a tick is due sooner, nothing is left to run. Outside of a turn, the loop that may
 * hold ours has to be told. */
void il_sched_changed(void);

/* A task or a timer that kept the program alive does so no more. */
void il_sched_release(void);

/* Puts a task behind those that are ready. Cannot fail. */
void il_task_ready(struct il_task *t);

/* A callback's task: pops a function and nargs arguments, pushes the task. Raises. ended(task) is called when it has
 * ended. */
struct il_task *il_task_prepare(lua_State *L, int nargs, void (*ended)(struct il_task *), void *owner, bool detached);

/* Runs it, as the call of an event, at once and until it first waits; pops it. Does not raise. */
void il_task_run(lua_State *L, struct il_task *t, struct il_event *e);

/* Pushes the task's userdata; false and nothing if it has ended. */
bool il_task_push(lua_State *L, struct il_task *t);

/* Asks a task to stop. */
void il_task_cancel(struct il_task *t);

/* Runs what is ready and asks the kernel; waits there until something happens, but not beyond `until` (0: not at all)
 * and not if wanted() has become false. Raises "interrupted" and out of memory. */
void il_turn(lua_State *L, int64_t until, bool (*wanted)(void));

/* True while a task stands in the ready line. */
bool il_task_any_ready(void);

/* True while a task, a timer or unsent data keeps the program alive. */
bool il_sched_alive(void);

/* The task of a coroutine is where? "file:line" of the Lua function that waits. Pushes a string. */
void il_task_where(lua_State *L, struct il_task *t);

/* Calls f(L, task) for each task that has not ended; pushes nothing. */
void il_task_each(lua_State *L, void (*f)(lua_State *L, struct il_task *t, void *arg), void *arg);

/* Ends all tasks where they are; their <close> variables run unless `quietly`, as in a forked child. */
void il_sched_drop(lua_State *L, bool quietly);

/* The state is closing: no task can run any more. */
void il_sched_forget(void);

/* The traceback of a failed task, pushed as a string; nil without. */
void il_task_traceback(lua_State *L, struct il_task *t);

#endif
