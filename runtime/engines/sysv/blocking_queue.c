/* SPDX-License-Identifier: MIT
 *
 * Lines in front of what blocks, see blocking_queue.h. The loop's thread owns all of it; a worker sees what prepare
 * made and writes `result`, and is done with both before ended() is called. Floor 2.
 */
#include "engines/sysv/blocking_queue.h"
#include "base/clock.h"

#include <errno.h>

static struct il_op *first(struct il_blocking_queue *waits)
{
	return il_list_first(struct il_op, &waits->ops, link);
}

static void finish(struct il_op *op, int err)
{
	il_list_del(&op->link);
	il_op_finish(op, err);
}

/* What was done for the operation may serve others. Only now: they may be of the same select. */
static void serve_op(struct il_blocking_queue *waits, struct il_op *op, int err)
{
	finish(op, err);
	if (!err && waits->type->served)
		waits->type->served(waits, op);
}

static void empty(struct il_blocking_queue *waits)
{
	il_poller_del(&waits->poller);
	if (waits->type->emptied)
		waits->type->emptied(waits);
}

static void set_working(struct il_blocking_queue *waits, bool working)
{
	if (waits->threads)
		*waits->threads += working - waits->working;
	waits->working = working;
}

/* Serves from the front until there is no more to get. */
static bool serve(struct il_blocking_queue *waits)
{
	struct il_op *op;
	bool served = false;
	while ((op = first(waits))) {
		int err = waits->type->attempt(waits, op);
		if (err == EAGAIN)
			return served;
		serve_op(waits, op, err);
		served = true;
	}
	empty(waits);
	return served;
}

static bool poll(struct il_poller *p)
{
	struct il_blocking_queue *waits = il_container_of(p, struct il_blocking_queue, poller);
	if (waits->not_before && il_now() < waits->not_before)
		return false;
	waits->not_before = 0;
	return serve(waits);
}

static void work(struct il_work *item)
{
	struct il_blocking_queue *waits = il_container_of(item, struct il_blocking_queue, item);
	while ((waits->result = waits->type->block(waits)) == EINTR && !il_work_cancelled(item))
		;
}

/* Another case has won, or the wait was dropped. */
static bool is_lost(const struct il_wait *w)
{
	return w->state == IL_DONE && (w->winner >= 0 || w->winner == IL_DROPPED);
}

/* A call has returned, and has got something if the result is 0. */
static void give(struct il_blocking_queue *waits, struct il_op *op, int result)
{
	int err = result ? result : waits->type->grant(waits, op);
	if (!op || err == (result ? EINTR : EAGAIN))
		return;
	if (result)
		finish(op, err);
	else
		serve_op(waits, op, err);
}

/* Whose is what the thread brought? An operation that gave up meanwhile still gets it, unless another one of its select
 * has won. */
static void ended(struct il_work *item)
{
	struct il_blocking_queue *waits = il_container_of(item, struct il_blocking_queue, item);
	struct il_op *op = waits->leaving;
	bool leaving = op != NULL;
	int result = item->forked ? EINTR : waits->result;
	set_working(waits, false);
	if (result || (op && is_lost(op->wait)))
		op = NULL;
	if (op) {
		op->err = waits->type->grant(waits, op);
		if (op->err != EAGAIN)
			waits->leaving = NULL;
	} else if (!leaving) {
		give(waits, first(waits), result);
	} else if (result == 0) {
		give(waits, waits->type->specific ? NULL : first(waits), 0);
	}
	if (!item->forked && !leaving) /* in a child the waits of its parent may be about to be dropped; */
		serve(waits); /* and others of the one that is leaving may still wait */
	if (first(waits))
		il_poller_add(&waits->poller);
}

static bool arm(struct il_poller *p)
{
	struct il_blocking_queue *waits = il_container_of(p, struct il_blocking_queue, poller);
	bool served = false;
	for (struct il_op *op; (op = first(waits)) && !waits->working;) {
		int err = waits->type->prepare ? waits->type->prepare(waits, op) : 0;
		if (err == EAGAIN) { /* it may have become the first since the last look */
			if (!serve(waits))
				break;
			served = true;
			continue;
		}
		if (!err)
			err = il_thread_pool_start(&waits->item, work, ended);
		set_working(waits, !err);
		served |= err != 0;
		if (err)
			finish(op, err);
	}
	return served;
}

/* Where it has to be armed, the loop does not block: it will find that the next time. */
static bool block_here(struct il_poller *p)
{
	struct il_blocking_queue *waits = il_container_of(p, struct il_blocking_queue, poller);
	struct il_op *op = first(waits);
	bool granted = waits->type->attempt_blocking;
	if (!op || waits->working || (waits->type->prepare && waits->type->prepare(waits, op))) {
		il_poller_del(p);
		return arm(p);
	}
	int result = granted ? waits->type->attempt_blocking(waits, op) : waits->type->block(waits);
	if (result == EINTR)
		return false;
	if (granted)
		serve_op(waits, op, result);
	else
		give(waits, op, result);
	serve(waits);
	return true;
}

void il_blocking_queue_init(struct il_blocking_queue *waits, const struct il_blocking_queue_type *type)
{
	*waits = (struct il_blocking_queue){ .type = type };
	il_list_init(&waits->ops);
	il_poller_init(&waits->poller, poll, arm);
	waits->poller.block = block_here;
}

bool il_blocking_queue_attempt(struct il_blocking_queue *waits, struct il_op *op)
{
	if (first(waits))
		return false;
	op->err = waits->type->attempt(waits, op);
	return op->err != EAGAIN;
}

void il_blocking_queue_start(struct il_blocking_queue *waits, struct il_op *op)
{
	il_list_add(&waits->ops, &op->link);
	if (!waits->working)
		il_poller_add(&waits->poller);
}

/* Some have left: those behind them may want less than they did. */
static void poll_or_stop(struct il_blocking_queue *waits)
{
	if (!first(waits))
		empty(waits);
	else if (!waits->working)
		il_poller_add(&waits->poller);
}

/* The thread works for an operation that waits no more. True: it has got what it waited for. */
static bool leave(struct il_blocking_queue *waits, struct il_op *op)
{
	waits->leaving = op;
	il_thread_pool_cancel(&waits->item);
	bool granted = !waits->leaving;
	waits->leaving = NULL;
	return granted;
}

bool il_blocking_queue_cancel(struct il_blocking_queue *waits, struct il_op *op)
{
	bool working_for_it = waits->working && op == first(waits);
	il_list_del(&op->link);
	if (working_for_it && (waits->type->specific || !first(waits)))
		return leave(waits, op);
	poll_or_stop(waits);
	return false;
}

bool il_blocking_queue_retry(struct il_blocking_queue *waits)
{
	if (waits->working && !waits->type->harmless)
		return false;
	bool served = serve(waits);
	if (!first(waits) && waits->working)
		il_thread_pool_cancel(&waits->item);
	else if (first(waits) && !waits->working)
		il_poller_add(&waits->poller);
	return served;
}

static struct il_op *of_source(struct il_blocking_queue *waits, const void *source)
{
	il_list_each(struct il_op, op, &waits->ops, link)
		if (op->source == source)
			return op;
	return NULL;
}

/* What the thread has done for an operation, such as to send its message, has been done. */
void il_blocking_queue_close(struct il_blocking_queue *waits, const void *source)
{
	struct il_op *op = first(waits);
	if (op && op->source == source && waits->working && waits->type->specific) {
		il_list_del(&op->link);
		il_op_finish(op, leave(waits, op) ? op->err : ECANCELED);
	}
	while ((op = of_source(waits, source)))
		finish(op, ECANCELED);
	if (waits->working && !first(waits))
		il_thread_pool_cancel(&waits->item);
	else
		poll_or_stop(waits);
}
