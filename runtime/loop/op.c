/* SPDX-License-Identifier: MIT
 *
 * Operations and waits, see op.h. Floor 1a.
 */
#include "loop/op.h"
#include "base/clock.h"
#include "loop/state.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* ns: how long the end of a wait waits for an answer that is due */
static const int64_t GRACE = 250000000;

void il_op_free(struct il_op *op)
{
	if (op->name_owned)
		free((void *)op->name);
	if (op->owned)
		free(op->data);
	if (op->owned && op->fd >= 0)
		close(op->fd);
}

/* Takes every operation but the winner out of its queue. One that has gone too far to be taken back wins instead of a
 * timeout or a cancellation. */
static void finalize(struct il_wait *w, int winner)
{
	assert(w->state == IL_WAITING);
	il_heap_del(&il_loop->deadlines, &w->deadline);
	w->state = IL_DONE;
	w->winner = winner;
	for (uint32_t i = 0; i < w->count; i++) {
		struct il_op *op = &w->ops[i];
		bool counts = (int)i != winner && !op->not_ready && op->type->cancel(op);
		if (counts && (winner == IL_TIMEOUT || winner == IL_CANCELLED))
			w->winner = (int)i;
	}
}

void il_op_finish(struct il_op *op, int err)
{
	struct il_wait *w = op->wait;
	op->err = err;
	finalize(w, (int)(op - w->ops));
	w->wake(w);
}

void il_op_not_ready(struct il_op *op)
{
	struct il_wait *w = op->wait;
	op->not_ready = true;
	for (uint32_t i = 0; i < w->count; i++)
		if (w->ops[i].remote && !w->ops[i].not_ready)
			return;
	il_wait_end(w, IL_TIMEOUT);
}

void il_op_commit(struct il_op *op)
{
	struct il_wait *w = op->wait;
	il_heap_del(&il_loop->deadlines, &w->deadline);
	for (uint32_t i = 0; i < w->count; i++)
		if (&w->ops[i] != op && !w->ops[i].not_ready)
			w->ops[i].type->cancel(&w->ops[i]);
	w->ops = op;
	w->count = 1;
	w->cases = 0;
}

static bool any_busy(const struct il_wait *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		if (w->ops[i].busy)
			return true;
	return false;
}

void il_op_unbusy(struct il_op *op)
{
	op->busy = false;
	if (op->wait->late && !any_busy(op->wait))
		il_wait_end(op->wait, op->wait->late);
}

void il_op_finish_all(struct il_list *queue, int err)
{
	il_list_drain(struct il_op, op, queue, link)
		il_op_finish(op, err);
}

int il_wait_start(struct il_wait *w, struct il_op *ops, uint32_t count, int64_t deadline)
{
	int err = 0;
	w->ops = ops;
	w->state = IL_WAITING;
	w->deadline.place = 0;
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
	if (!any_busy(w) || (w->late && why == IL_TIMEOUT))
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
	finalize(w, w->late ? w->late : why);
	w->wake(w);
}

void il_wait_drop(struct il_wait *w)
{
	if (w->state == IL_WAITING)
		finalize(w, IL_DROPPED);
	w->state = IL_IDLE;
}
