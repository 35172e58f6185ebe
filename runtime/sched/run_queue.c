/* SPDX-License-Identifier: MIT
 *
 * The tasks that are ready, see run_queue.h. Floor 3.
 */
#include "sched/run_queue.h"
#include "os/board.h"
#include "sched/state.h"

void il_run_queue_add(struct il_task *t)
{
	struct il_sched *s = il_sched();
	if (!s->ready_first)
		il_sched_changed();
	t->status = IL_READY;
	t->next = NULL;
	*s->ready_last = t;
	s->ready_last = &t->next;
}

void il_run_queue_wake(struct il_wait *w)
{
	struct il_task *t = il_container_of(w, struct il_task, wait);
	il_board_runs(t->board);
	il_run_queue_add(t);
}

void il_run_queue_add_late(struct il_task *t)
{
	struct il_sched *s = il_sched();
	s->polled = 0;
	t->status = IL_READY;
	t->next = NULL;
	*s->late_last = t;
	s->late_last = &t->next;
	il_sched_changed();
}

void il_run_queue_append_late(void)
{
	struct il_sched *s = il_sched();
	if (!s->late_first)
		return;
	*s->ready_last = s->late_first;
	s->ready_last = s->late_last;
	s->late_first = NULL;
	s->late_last = &s->late_first;
}

void il_run_queue_clear(void)
{
	struct il_sched *s = il_sched();
	s->ready_first = s->late_first = NULL;
	s->ready_last = &s->ready_first;
	s->late_last = &s->late_first;
}
