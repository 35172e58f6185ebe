/* SPDX-License-Identifier: MIT
 *
 * Lines in front of what blocks, see blocking_queue.h. The loop's thread owns all of it; a worker sees what prepare
 * made and writes `result`, and is done with both before ended() is called. Floor 2.
 */
#include "engines/sysv/blocking_queue.h"
#include "base/clock.h"

#include <errno.h>

static struct il_op *first(struct il_blocking_queue *line)
{
	return il_list_first(struct il_op, &line->ops, link);
}

static void finish(struct il_op *op, int err)
{
	il_list_del(&op->link);
	il_op_finish(op, err);
}

/* What was done for the operation may serve others. Only now: they may be of the same select. */
static void serve_op(struct il_blocking_queue *line, struct il_op *op, int err)
{
	finish(op, err);
	if (!err && line->type->served)
		line->type->served(line, op);
}

static void empty(struct il_blocking_queue *line)
{
	il_poller_del(&line->poller);
	if (line->type->emptied)
		line->type->emptied(line);
}

static void set_working(struct il_blocking_queue *line, bool working)
{
	if (line->threads)
		*line->threads += working - line->working;
	line->working = working;
}

/* Serves from the front until there is no more to get. */
static bool serve(struct il_blocking_queue *line)
{
	struct il_op *op;
	bool served = false;
	while ((op = first(line))) {
		int err = line->type->attempt(line, op);
		if (err == EAGAIN)
			return served;
		serve_op(line, op, err);
		served = true;
	}
	empty(line);
	return served;
}

static bool poll(struct il_poller *p)
{
	struct il_blocking_queue *line = il_container_of(p, struct il_blocking_queue, poller);
	if (line->not_before && il_now() < line->not_before)
		return false;
	line->not_before = 0;
	return serve(line);
}

static void work(struct il_job *job)
{
	struct il_blocking_queue *line = il_container_of(job, struct il_blocking_queue, job);
	while ((line->result = line->type->block(line)) == EINTR && !il_job_cancelled(job))
		;
}

/* Another case has won, or the wait was dropped. */
static bool is_lost(const struct il_wait *w)
{
	return w->state == IL_DONE && (w->winner >= 0 || w->winner == IL_DROPPED);
}

/* A call has returned, and has got something if the result is 0. */
static void give(struct il_blocking_queue *line, struct il_op *op, int result)
{
	int err = result ? result : line->type->grant(line, op);
	if (!op || err == (result ? EINTR : EAGAIN))
		return;
	if (result)
		finish(op, err);
	else
		serve_op(line, op, err);
}

/* Whose is what the thread brought? An operation that gave up meanwhile still gets it, unless another one of its select
 * has won. */
static void ended(struct il_job *job)
{
	struct il_blocking_queue *line = il_container_of(job, struct il_blocking_queue, job);
	struct il_op *op = line->leaving;
	bool leaving = op != NULL;
	int result = job->forked ? EINTR : line->result;
	set_working(line, false);
	if (result || (op && is_lost(op->wait)))
		op = NULL;
	if (op) {
		op->err = line->type->grant(line, op);
		if (op->err != EAGAIN)
			line->leaving = NULL;
	} else if (!leaving) {
		give(line, first(line), result);
	} else if (result == 0) {
		give(line, line->type->specific ? NULL : first(line), 0);
	}
	if (!job->forked && !leaving) /* in a child the waits of its parent may be about to be dropped; */
		serve(line); /* and others of the one that is leaving may still be in the line */
	if (first(line))
		il_poller_add(&line->poller);
}

static bool arm(struct il_poller *p)
{
	struct il_blocking_queue *line = il_container_of(p, struct il_blocking_queue, poller);
	bool served = false;
	for (struct il_op *op; (op = first(line)) && !line->working;) {
		int err = line->type->prepare ? line->type->prepare(line, op) : 0;
		if (err == EAGAIN) { /* it may have become the first since the last look */
			if (!serve(line))
				break;
			served = true;
			continue;
		}
		if (!err)
			err = il_thread_pool_start(&line->job, work, ended);
		set_working(line, !err);
		served |= err != 0;
		if (err)
			finish(op, err);
	}
	return served;
}

/* Where it has to be armed, the loop does not block: it will find that the next time. */
static bool block_here(struct il_poller *p)
{
	struct il_blocking_queue *line = il_container_of(p, struct il_blocking_queue, poller);
	struct il_op *op = first(line);
	bool granted = line->type->attempt_blocking;
	if (!op || line->working || (line->type->prepare && line->type->prepare(line, op))) {
		il_poller_del(p);
		return arm(p);
	}
	int result = granted ? line->type->attempt_blocking(line, op) : line->type->block(line);
	if (result == EINTR)
		return false;
	if (granted)
		serve_op(line, op, result);
	else
		give(line, op, result);
	serve(line);
	return true;
}

void il_blocking_queue_init(struct il_blocking_queue *line, const struct il_blocking_queue_type *type)
{
	*line = (struct il_blocking_queue){ .type = type };
	il_list_init(&line->ops);
	il_poller_init(&line->poller, poll, arm);
	line->poller.block = block_here;
}

bool il_blocking_queue_attempt(struct il_blocking_queue *line, struct il_op *op)
{
	if (first(line))
		return false;
	op->err = line->type->attempt(line, op);
	return op->err != EAGAIN;
}

void il_blocking_queue_start(struct il_blocking_queue *line, struct il_op *op)
{
	il_list_add(&line->ops, &op->link);
	if (!line->working)
		il_poller_add(&line->poller);
}

/* Some have left: those behind them may want less than they did. */
static void rest(struct il_blocking_queue *line)
{
	if (!first(line))
		empty(line);
	else if (!line->working)
		il_poller_add(&line->poller);
}

/* The thread works for an operation that is in the line no more. True: it has got what it waited for. */
static bool leave(struct il_blocking_queue *line, struct il_op *op)
{
	line->leaving = op;
	il_thread_pool_cancel(&line->job);
	bool granted = !line->leaving;
	line->leaving = NULL;
	return granted;
}

bool il_blocking_queue_cancel(struct il_blocking_queue *line, struct il_op *op)
{
	bool working_for_it = line->working && op == first(line);
	il_list_del(&op->link);
	if (working_for_it && (line->type->specific || !first(line)))
		return leave(line, op);
	rest(line);
	return false;
}

bool il_blocking_queue_look(struct il_blocking_queue *line)
{
	if (line->working && !line->type->harmless)
		return false;
	bool served = serve(line);
	if (!first(line) && line->working)
		il_thread_pool_cancel(&line->job);
	else if (first(line) && !line->working)
		il_poller_add(&line->poller);
	return served;
}

static struct il_op *of_source(struct il_blocking_queue *line, const void *source)
{
	il_list_each(struct il_op, op, &line->ops, link)
		if (op->source == source)
			return op;
	return NULL;
}

/* What the thread has done for an operation, such as to send its message, has been done. */
void il_blocking_queue_close(struct il_blocking_queue *line, const void *source)
{
	struct il_op *op = first(line);
	if (op && op->source == source && line->working && line->type->specific) {
		il_list_del(&op->link);
		il_op_finish(op, leave(line, op) ? op->err : ECANCELED);
	}
	while ((op = of_source(line, source)))
		finish(op, ECANCELED);
	if (line->working && !first(line))
		il_thread_pool_cancel(&line->job);
	else
		rest(line);
}
