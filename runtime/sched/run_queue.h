/* SPDX-License-Identifier: MIT
 *
 * The tasks that are ready, first in first out.
 * Floor 3: knows Lua and the loop, no engine and no class.
 */
#ifndef IL_SCHED_RUN_QUEUE_H
#define IL_SCHED_RUN_QUEUE_H

#include "loop/op.h"
#include "loop/wake.h"
#include "sched/state.h"
#include "sched/task.h"

#include <stdbool.h>

/* Something is new: a task is ready, a tick is due sooner, nothing is left to run. Outside of a turn, the loop that may
 * hold ours has to be told. */
static inline void il_sched_changed(void)
{
	if (!il_sched()->turning)
		il_loop_wake_outer();
}

/* A task or a timer that kept the program alive does so no more. */
static inline void il_sched_release(void)
{
	il_sched()->alive--;
	il_sched_changed();
}

/* Puts a task behind those that are ready. Cannot fail. */
void il_run_queue_add(struct il_task *t);

/* The same, for struct il_wait: what a task waited for is there. */
void il_run_queue_wake(struct il_wait *w);

/* Behind those, too, that the kernel names when it is asked next; that is before another task runs. */
void il_run_queue_add_late(struct il_task *t);

/* The kernel has been asked: those that were added late stand behind the others. */
void il_run_queue_append_late(void);

/* Takes the first; NULL: none is ready. */
static inline struct il_task *il_run_queue_take(void)
{
	struct il_sched *s = il_sched();
	struct il_task *t = s->ready_first;
	if (t && !(s->ready_first = t->next))
		s->ready_last = &s->ready_first;
	return t;
}

/* No task is ready, nor was added late. */
static inline bool il_run_queue_empty(void)
{
	return !il_sched()->ready_first && !il_sched()->late_first;
}

/* Forgets all. */
void il_run_queue_clear(void);

#endif
