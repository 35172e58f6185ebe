/* SPDX-License-Identifier: MIT
 *
 * Receiving from queues on a server, and taking jobs.
 *
 * 1. Operations that want the same share a waiter; its request is for as many messages as they are. One that receives
 *    several has requests of its own.
 * 2. A request that gets nothing stands in line, and the server hands it the first message that it wants: that comes
 *    with what is published. The process confirms it, and a task gets it when the server has answered that it is this
 *    process's still: what is not confirmed is given to another process after a while.
 * 3. A message that is not this process's any more, or not known to be, is fetched by the same request.
 * 4. Each request says how many messages of the one before it in its delivery have arrived: the others go back.
 * 5. A job is handed over without its bytes: the process requests these, which confirms it. Floor 2.
 */
#include "engines/redis/queue_receive.h"
#include "base/fork.h"
#include "engines/payloads.h"
#include "engines/redis/queue_delivery.h"
#include "engines/redis/queue_job.h"
#include "engines/redis/queue_lease.h"
#include "engines/redis/queue_record.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE = 19 }; /* digits */

static const struct il_redis_waiter_kind kind;

/* The waiter --------------------------------------------------------------------------------------------- */

bool il_rq_receive_many_attempt(struct il_op *op)
{
	return il_redis_object_attempt(op);
}

static bool is_many(const struct il_op *op)
{
	return op->type->attempt == il_rq_receive_many_attempt;
}

static bool joins(struct il_redis_waiter *w, const struct il_op *op, int n)
{
	return !n || (n < IL_RQ_BATCH && !is_many(op) && !is_many(il_redis_waiter_first(w)));
}

/* How many messages the operations in `asked` want. */
static int count_wanted(const struct il_redis_waiter *w)
{
	const struct il_op *first = il_redis_waiter_first(w);
	if (!first || !is_many(first))
		return il_list_count(&w->asked);
	return first->message.count < IL_RQ_MOST ? (int)first->message.count : IL_RQ_MOST;
}

static int make_request(struct il_redis_waiter *w, void (*answered)(struct il_request *r))
{
	struct il_rq_delivery *s = il_rq_delivery_of(w);
	if (!w->stands)
		s->number = ++il_redis_state()->numbers;
	s->dirty = true;
	return il_rq_delivery_request(s, count_wanted(w), !s->once, s->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered);
}

static int add(struct il_payloads **all, int64_t type, const void *bytes, size_t size, int expected)
{
	void *to = il_payloads_add(all, type, size, (size_t)expected);
	if (to && size)
		memcpy(to, bytes, size);
	return to ? 0 : ENOMEM;
}

static void finish_many(struct il_redis_waiter *w, struct il_op *op, struct il_payloads *all, int err)
{
	op->data = all;
	op->size = all ? all->size : 0;
	op->owned = all != NULL;
	il_redis_waiter_finish(w, op, all ? 0 : err);
}

/* The operation gets the messages of the answer from a place on, as many as it wants. How many it got: if there is no
 * memory for one, that is the next operation's, or goes back. */
static int take_many(struct il_redis_waiter *w, struct il_request *r, int from, int took, struct il_op *op)
{
	struct il_payloads *all = NULL;
	int n = 0, err = 0, most = op->message.count < (size_t)(took - from) ? (int)op->message.count : took - from;
	while (n < most && !err) {
		size_t size, at = 2 * (size_t)(from + n) + 2;
		const char *bytes = il_reply_bytes(r, at, &size);
		size_t head = il_rq_record_head(bytes, size);
		err = head ? add(&all, il_reply_number(r, at - 1), bytes + head, size - head, most - n) : EPROTO;
		n += !err;
	}
	finish_many(w, op, all, err);
	return n;
}

static int answer(struct il_redis_waiter *w, struct il_request *r, int err)
{
	struct il_rq_delivery *s = il_rq_delivery_of(w);
	if (err == EAGAIN)
		s->dirty = false;
	if (err == EAGAIN && !s->once)
		il_rq_due(il_rq_delivery_queue(s), il_reply_number(r, s->takes + 1), il_reply_number(r, s->takes + 2));
	if (err)
		return err;
	if (s->takes)
		il_rq_job_leased(il_rq_delivery_queue(s), r);
	int took = (int)(il_reply_count(r) - 1) / 2;
	struct il_op *op;
	s->answered = s->number;
	s->arrived = 0;
	while (s->arrived < took && (op = il_redis_waiter_first(w))) {
		if (is_many(op)) {
			s->arrived += take_many(w, r, s->arrived, took, op);
			continue;
		}
		err = (s->takes ? il_rq_job_taken : il_rq_record_message)(r, (size_t)s->arrived, op);
		il_redis_waiter_finish(w, op, err);
		if (err == ENOMEM || (err && s->takes))
			break; /* it has not arrived: it goes back, with those behind it */
		s->arrived++;
	}
	if (il_reply_count(r) % 2 == s->takes)
		il_rq_sweep_later(il_rq_delivery_queue(s));
	s->dirty &= !s->takes || s->arrived < took;
	if (s->arrived < took && !il_redis_waiter_first(w))
		il_rq_delivery_acknowledge(s);
	return 0;
}

/* The server forgets the request behind it, or has it put back what that took. */
static void give_back(struct il_redis_waiter *w)
{
	il_rq_delivery_forget_bytes(il_rq_delivery_of(w));
	il_redis_waiter_served(w);
	il_rq_delivery_acknowledge(il_rq_delivery_of(w));
}

static const struct il_redis_waiter_kind kind = { .joins = joins,
	.request = make_request,
	.answer = answer,
	.give_back = give_back,
	.idle = il_rq_delivery_idle };

static bool is_alike(const struct il_job_limits *a, const struct il_job_limits *b)
{
	return a->attempts == b->attempts && a->deaths == b->deaths && a->keep == b->keep;
}

static struct il_rq_delivery *delivery_idle(struct il_rq *q, bool takes)
{
	il_list_each(struct il_rq_delivery, s, &q->idle, waiter.node)
		if (s->takes == takes)
			return s;
	struct il_rq_delivery *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	il_redis_waiter_init(&s->waiter, &q->waits, &kind);
	il_rq_name(q, takes, s->name);
	s->takes = takes;
	return s;
}

static struct il_rq_delivery *delivery_get(struct il_rq *q, const struct il_op *op, bool takes)
{
	int64_t wanted = op->message.type;
	q->limits = ((struct il_queue *)op->source)->limits;
	il_list_each(struct il_rq_delivery, s, &q->waits.waiters, waiter.node)
		if (s->waiter.kind == &kind && s->wanted == wanted && s->once == op->once && s->takes == takes &&
			is_alike(&s->limits, &q->limits))
			return s;
	struct il_rq_delivery *s = delivery_idle(q, takes);
	if (!s)
		return NULL;
	il_list_del(&s->waiter.node);
	il_list_add(&q->waits.waiters, &s->waiter.node);
	s->wanted = wanted;
	s->once = op->once;
	s->limits = q->limits;
	s->waiter.once = s->waiter.again = false;
	return s;
}

static int start(struct il_op *op, bool takes)
{
	struct il_rq *q = il_rq_of_op(op);
	if (!il_fork_is_own(q->waits.object.server->generation))
		il_servers_after_fork();
	struct il_rq_delivery *s = delivery_get(q, op, takes);
	if (!s)
		return ENOMEM;
	il_redis_waiter_start(&s->waiter, op);
	return 0;
}

int il_rq_receive_start(struct il_op *op)
{
	return start(op, false);
}

int il_rq_take_start(struct il_op *op)
{
	return start(op, true);
}

/* What is handed over ------------------------------------------------------------------------------------ */

static int64_t digits(const char *data, int count)
{
	char text[24] = "";
	memcpy(text, data, (size_t)count);
	return strtoll(text, NULL, 10);
}

/* What was handed over is the operation's. */
static void deliver(struct il_rq_delivery *s, struct il_op *op)
{
	struct il_payloads *all = NULL;
	if (is_many(op)) {
		s->arrived = !add(&all, s->type, s->bytes, s->size, 1);
		il_rq_delivery_forget_bytes(s);
		finish_many(&s->waiter, op, all, ENOMEM);
		return;
	}
	op->data = s->bytes;
	op->size = s->size;
	op->owned = true;
	op->message.type = s->type;
	s->bytes = NULL;
	il_redis_waiter_finish(&s->waiter, op, 0);
}

/* It is ours, and no other process gets it. Or it is not, or an earlier answer was lost: then the request tells. */
static void confirmed(struct il_request *r)
{
	struct il_rq_delivery *s = r->owner;
	struct il_redis_waiter *w = &s->waiter;
	bool ours = il_request_status(r) == 0 && r->reply->type == IL_REPLY_INTEGER && r->reply->integer == 1;
	struct il_op *op = il_redis_waiter_first(w);
	w->request = NULL;
	il_request_free(r);
	if (!ours) {
		il_rq_delivery_forget_bytes(s);
		il_redis_waiter_again(w);
		return;
	}
	s->answered = s->number;
	s->arrived = 1;
	s->dirty = true;
	il_redis_waiter_served(w);
	deliver(s, op);
}

/* The confirmation takes the place of the waiter's request. False: it could not be made. */
static bool confirm(struct il_rq_delivery *s)
{
	struct il_redis_waiter *w = &s->waiter;
	struct il_command c;
	if (w->request)
		il_request_forget(w->request);
	w->request = NULL;
	w->stands = true;
	il_command_plain(&c, &w->all->object, "HDEL", "meta");
	il_command_text(&c, s->name);
	if (il_request_make(&c, IL_SAFE | IL_PATIENT, confirmed, s, &w->request))
		return false;
	il_server_flush(w->all->object.server);
	il_list_each(struct il_op, op, &w->asked, link)
		op->busy = true;
	return true;
}

static void keep(struct il_rq_delivery *s, const char *data, size_t size)
{
	size_t head = TYPE + il_rq_record_head(data + TYPE, size - TYPE);
	s->type = digits(data, TYPE);
	s->size = size - head;
	s->bytes = malloc(s->size + 1);
	if (s->bytes)
		memcpy(s->bytes, data + head, s->size);
	if (s->bytes && confirm(s))
		return;
	il_rq_delivery_forget_bytes(s);
	il_redis_waiter_again(&s->waiter);
}

/* "number", or "number type bytes" without the spaces. */
void il_rq_receive_published(struct il_rq *q, const char *data, size_t size)
{
	int64_t number = size < IL_RQ_NUMBER ? 0 : digits(data, IL_RQ_NUMBER);
	il_list_each(struct il_rq_delivery, s, &q->waits.waiters, waiter.node) {
		struct il_redis_waiter *w = &s->waiter;
		if (w->kind != &kind || s->number != number || (!w->stands && !w->request) || !il_redis_waiter_first(w))
			continue;
		if (size >= IL_RQ_NUMBER + TYPE && !s->bytes)
			keep(s, data + IL_RQ_NUMBER, size - IL_RQ_NUMBER);
		else
			il_redis_waiter_again(w);
		return;
	}
}
