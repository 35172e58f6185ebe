/* SPDX-License-Identifier: MIT
 *
 * Tasks. A task is a userdata of class ipc.Task with a coroutine of its own. The main chunk is no task: it runs on the
 * main state, and while it waits it runs the others.
 * Floor 3: knows Lua and the loop, no engine and no class.
 */
#ifndef IL_SCHED_TASK_H
#define IL_SCHED_TASK_H

#include "base/fork.h"
#include "loop/op.h"
#include "sched/object.h"

#include <lua.h>
#include <stdbool.h>

extern const char il_task_class[]; /* "ipc.Task" */

enum il_task_status { IL_READY, IL_RUNNING, IL_WAITS, IL_FINISHED, IL_FAILED, IL_GONE };

struct il_described;
struct il_hold;

struct il_hold_type {
	void (*ended)(struct il_hold *h, bool failed); /* the task has; out of the list already; must not fail */
	/* For the board (sched/park.h): returns the noun. NULL, or returns NULL: it is nothing that others wait for */
	const char *(*describe)(const struct il_hold *h, struct il_described *d);
};

/* What a task holds and has to answer for when it ends. */
struct il_hold {
	struct il_list node;
	const struct il_hold_type *type;
};

struct il_task {
	struct il_object object;
	struct il_wait wait;
	struct il_op op; /* what a single wait waits for */
	struct il_list joiners; /* operations that wait for its end */
	struct il_list holds; /* of struct il_hold */
	struct il_task *next; /* in the run queue */
	lua_State *co; /* NULL once it has ended without results */
	void (*ended)(struct il_task *t); /* of a callback: called when it has ended; NULL */
	void *owner;
	int64_t id;
	int ref; /* its place in the list that keeps it while it runs; 0: none */
	int results; /* on the coroutine's stack, from 1, once it has ended */
	int interrupt; /* the last one that was raised in it */
	uint32_t beginnings; /* in which process it was made, as il_fork counts them */
	uint8_t status; /* enum il_task_status */
	uint8_t calls; /* that may be served at once between two readings of the clock, see turn.c */
	bool begun, closed; /* its coroutine has run, has been closed by others */
	bool cancelled; /* it was asked to stop */
	bool notified; /* it has been, by an error in a wait */
	bool uncancellable; /* a cancellation does not end its present wait, the next one sees it */
	bool ending; /* the end of the program waits for it */
	bool detached; /* does not keep the program alive */
	bool held; /* a scope handles its error */
	bool callback; /* used again for other callbacks, unless Lua has seen it */
	bool named; /* the program has given it a name, which follows */
	uint32_t board; /* its record on the board of the process; 0: none */
	char name[];
};

static inline const char *il_task_name(const struct il_task *t)
{
	return t->named ? t->name : NULL;
}

/* Pops a function and nargs arguments, which are those of a C function that was just called; pushes a new task. `name`
 * is the stack index of a string, or 0: it has none. Raises. */
struct il_task *il_task_new(lua_State *L, int nargs, int name);

/* A callback's task: pops a function and nargs arguments, pushes the task. Raises. ended(task) is called when it has
 * ended. */
struct il_task *il_task_prepare(lua_State *L, int nargs, void (*ended)(struct il_task *), void *owner, bool detached);

/* Pushes the task's userdata; false and nothing if it has ended. */
bool il_task_push(lua_State *L, struct il_task *t);

/* Asks a task to stop. */
void il_task_cancel(struct il_task *t);

/* Pushes "file:line" of the innermost Lua frame of the task. */
void il_task_where(lua_State *L, struct il_task *t);

/* A coroutine is being closed; if it is that of a task which has not ended, the task ends. */
void il_task_closed(lua_State *co);

/* Calls f(L, task) for each task that has not ended; pushes nothing. */
void il_task_each(lua_State *L, void (*f)(lua_State *L, struct il_task *t, void *arg), void *arg);

/* The traceback of a failed task, with its name behind, pushed as a string; nil without. */
void il_task_traceback(lua_State *L, struct il_task *t);

/* For sched.c: the task has ended; finishes the operations that wait for it and releases it. Does not raise. */
void il_task_end(lua_State *L, struct il_task *t);

/* To be called of a task that Lua names: one that a forked child has inherited is over there. */
void il_task_inherit(struct il_task *t);

static inline struct il_task *il_task_here(struct il_task *t)
{
	if (t->beginnings != il_fork.beginnings)
		il_task_inherit(t);
	return t;
}

/* Makes sure that a forked child can have a list of tasks of its own. Raises. */
void il_tasks_prepare_fork(lua_State *L);

/* For sched.c, the tasks' part of il_sched_open, il_sched_drop, il_sched_leave and il_sched_forget. */
void il_tasks_open(lua_State *L);
void il_tasks_drop(lua_State *L);
void il_tasks_leave(void);
void il_tasks_forget(void);

#endif
