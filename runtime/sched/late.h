/* SPDX-License-Identifier: MIT
 *
 * The error "late": a piece of work has a limit of time, and the task that does it gets an error when that is over,
 * whether it waits or its Lua code is busy. As any error, it can be caught. In a function that ipc.shield calls it is
 * not raised, nor in a task that unwinds because it was cancelled.
 * Floor 3.
 */
#ifndef IL_SCHED_LATE_H
#define IL_SCHED_LATE_H

#include "base/list.h"
#include "sched/state.h"
#include "sched/task.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_late {
	struct il_list node; /* among those that are due */
	struct il_hold hold; /* the task's */
	struct il_task *task; /* that does the work; NULL: the main chunk */
	bool over; /* it has ended */
	bool held_up; /* busy code could not be interrupted: not before the next call of il_late_post */
	uint8_t steps; /* of Lua, that busy code still has before it is interrupted for the first time */
};

/* The work belongs to the task that runs, or to the main chunk; until il_late_fini. */
void il_late_init(struct il_late *l);
void il_late_fini(struct il_late *l);

/* The time is over: the error is due, once for each call of this function. Cannot fail. */
void il_late_post(struct il_late *l);

/* What runs now is to be interrupted. */
static inline bool il_late_is_due(void)
{
	il_list_each(struct il_late, l, &il_sched()->late, node)
		if (l->task == il_sched()->current && !l->held_up)
			return true;
	return false;
}

/* In the hook of busy code, and before a wait: raises an error that is due, if it can be raised here. */
void il_late_interrupt(lua_State *L);
void il_late_raise_before_wait(lua_State *L);

static inline void il_late_check(lua_State *L)
{
	if (!il_list_empty(&il_sched()->late))
		il_late_raise_before_wait(L);
}

/* A wait has ended with IL_LATE: for `return il_late_raise(L)`. */
int il_late_raise(lua_State *L);

/* In a forked child: nothing is due. */
void il_late_drop(void);

#endif
