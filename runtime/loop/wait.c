/* SPDX-License-Identifier: MIT
 *
 * Waits, see wait.h. Floor 1a.
 */
#include "loop/wait.h"
#include "base/clock.h"
#include "loop/op.h"
#include "loop/state.h"

#include <assert.h>

/* ns: how long the end of a wait waits for an answer that is due */
static const int64_t GRACE = 250000000;

void il_wait_finalize(struct il_wait *w, int winner)
{
	assert(w->state == IL_WAITING);
	il_heap_del(&il_loop->deadlines, &w->deadline);
	il_list_del(&w->node);
	w->state = IL_DONE;
	w->winner = winner;
	for (uint32_t i = 0; i < w->count; i++) {
		struct il_op *op = &w->ops[i];
		bool counts = (int)i != winner && !op->not_ready && op->type->cancel(op);
		if (counts && winner < 0 && winner != IL_DROPPED)
			w->winner = (int)i;
	}
}

bool il_wait_is_busy(const struct il_wait *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		if (w->ops[i].busy)
			return true;
	return false;
}

int il_wait_start(struct il_wait *w, struct il_op *ops, uint32_t count, int64_t deadline)
{
	int err = 0;
	w->ops = ops;
	w->state = IL_WAITING;
	w->deadline.place = 0;
	il_list_init(&w->node);
	if (count)
		il_list_add(&il_loop->waits, &w->node);
	w->late = 0;
	w->cases = count;
	w->count = 0;
	for (uint32_t i = 0; i < w->cases && w->state == IL_WAITING; i++) {
		ops[i].wait = w;
		err = ops[i].type->start(&ops[i]);
		if (err)
			break;
		if (w->cases)
			w->count = i + 1;
	}
	if (!err && w->state == IL_WAITING && w->cases == count && deadline != IL_NEVER)
		err = il_heap_add(&il_loop->deadlines, &w->deadline, deadline);
	if (err)
		il_wait_drop(w);
	return err;
}

/* What was requested may have happened, and the answer is due soon: so the wait need not end without knowing. */
static bool wait_for_answer(struct il_wait *w, int why)
{
	if (!il_wait_is_busy(w) || (w->late && why == IL_TIMEOUT))
		return false;
	if (!w->late) {
		il_heap_del(&il_loop->deadlines, &w->deadline);
		if (il_heap_add(&il_loop->deadlines, &w->deadline, il_time_add(il_now(), GRACE)))
			return false;
	}
	w->late = why;
	return true;
}

void il_wait_end(struct il_wait *w, int why)
{
	if (w->state != IL_WAITING || wait_for_answer(w, why))
		return;
	il_wait_finalize(w, w->late ? w->late : why);
	w->wake(w);
}

void il_wait_drop(struct il_wait *w)
{
	if (w->state == IL_WAITING)
		il_wait_finalize(w, IL_DROPPED);
	w->state = IL_IDLE;
}

void il_waits_leave(void)
{
	il_heap_fini(&il_loop->deadlines);
	il_list_drain(struct il_wait, w, &il_loop->waits, node) {
		w->deadline.place = 0;
		il_wait_drop(w);
		for (uint32_t i = 0; i < w->count; i++)
			il_op_clear(&w->ops[i]);
	}
}
