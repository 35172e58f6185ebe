/* SPDX-License-Identifier: MIT
 *
 * Receiving from queues on a server.
 *
 * 1. Operations that want the same share a waiter; its request asks for as many messages as they are.
 * 2. A request that gets nothing stands in line, and the server hands it the first message that it wants: that comes
 *    with what is published. Then the process confirms it, before anything else: what is handed over and not confirmed
 *    is given to another process after a while.
 * 3. A message that was handed over so long ago that another one may have it is asked for instead, by the same request.
 * 4. Each request says how many messages of the one before it in its delivery have arrived: the others go back.
 * Floor 2.
 */
#include "engines/redis/queue.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, NUMBER = 16, TYPE = 19, STAMP = 13 };

static const int64_t IDLE = IL_SECOND; /* until an idle delivery says what has arrived */

/* A delivery of this process, in which one request at a time takes messages, see queue_receive.lua; its waiter is used
 * by operations that want the same. */
struct delivery {
	struct il_redis_waiter waiter;
	int64_t wanted;
	bool once;
	char name[IL_RQ_NAME];
	int64_t number; /* of the last request, */
	int64_t answered; /* and of the last one that was given messages, as far as is known, */
	int arrived; /* and how many of them have arrived */
	int64_t clock; /* ms: a moment of our clock, less what the server's showed then or later */
	bool dirty; /* the server keeps what arrived */
};

static const struct il_redis_waiter_kind kind;

static struct delivery *delivery_of(struct il_redis_waiter *w)
{
	return il_container_of(w, struct delivery, waiter);
}

static struct il_rq *queue_of(const struct delivery *s)
{
	return il_rq_of(s->waiter.all);
}

/* A request for so many messages. stands: if there is none. */
static int request(struct delivery *s, int count, bool stands, enum il_request_flags flags,
	void (*answered)(struct il_request *r))
{
	struct il_command c;
	char number[24];
	il_rq_command(&c, queue_of(s), IL_SCRIPT_queue_receive);
	il_command_number(&c, il_fork.pid);
	il_command_text(&c, s->name + 1);
	snprintf(number, sizeof number, "%0*lld", NUMBER, (long long)s->number);
	il_command_text(&c, number);
	il_command_number(&c, count);
	il_rq_type(&c, s->wanted);
	il_command_number(&c, stands);
	snprintf(number, sizeof number, "%0*lld", NUMBER, (long long)s->answered);
	il_command_text(&c, number);
	il_command_number(&c, s->arrived);
	return il_request_make(&c, flags, answered, s, answered ? &s->waiter.request : NULL);
}

/* A request for nothing says what has arrived. If it is lost, the next one in the delivery says so. */
static void acknowledge(struct delivery *s)
{
	s->number = ++il_redis_state()->numbers;
	s->dirty = false;
	request(s, 0, false, IL_SAFE | IL_PATIENT, NULL);
}

/* The waiter --------------------------------------------------------------------------------------------- */

static bool joins(struct il_redis_waiter *w, const struct il_op *op, int n)
{
	(void)w;
	(void)op;
	return n < IL_RQ_BATCH;
}

static int make_request(struct il_redis_waiter *w, void (*answered)(struct il_request *r))
{
	struct delivery *s = delivery_of(w);
	if (!w->stands)
		s->number = ++il_redis_state()->numbers;
	s->dirty = true;
	return request(s, il_list_count(&w->asked), !s->once, s->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered);
}

static int answer(struct il_redis_waiter *w, struct il_request *r, int err)
{
	struct delivery *s = delivery_of(w);
	if (err == EAGAIN) {
		s->clock = r->sent_at / MS - il_reply_number(r, 1);
		s->dirty = false;
	}
	if (err)
		return err;
	int took = (int)(il_reply_count(r) - 1) / 2;
	struct il_op *op;
	s->answered = s->number;
	s->arrived = 0;
	while (s->arrived < took && (op = il_redis_waiter_first(w))) {
		err = il_rq_message(r, (size_t)s->arrived++, op);
		il_redis_waiter_finish(w, op, err);
	}
	if (il_reply_count(r) % 2 == 0)
		il_rq_sweep_later(queue_of(s));
	if (s->arrived < took && !il_redis_waiter_first(w))
		acknowledge(s);
	return 0;
}

/* The server forgets the request behind it, or has it put back what that took. */
static void give_back(struct il_redis_waiter *w)
{
	il_redis_waiter_served(w);
	acknowledge(delivery_of(w));
}

static void idle(struct il_redis_waiter *w)
{
	struct delivery *s = delivery_of(w);
	struct il_rq *q = queue_of(s);
	il_list_del(&w->node);
	il_list_add(q->idle.next, &w->node); /* it is the first */
	if (s->dirty && !q->idle_timer.item.place) {
		il_timer_start(&q->idle_timer, IDLE);
		il_timer_arm(&q->idle_timer, false); /* no memory: the next one tries again */
	}
}

static const struct il_redis_waiter_kind kind = { .joins = joins,
	.request = make_request,
	.answer = answer,
	.give_back = give_back,
	.idle = idle };

static struct delivery *delivery_get(struct il_rq *q, int64_t wanted, bool once)
{
	il_list_each(struct delivery, s, &q->waits.waiters, waiter.node)
		if (s->waiter.kind == &kind && s->wanted == wanted && s->once == once)
			return s;
	struct delivery *s = il_list_first(struct delivery, &q->idle, waiter.node);
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return NULL;
		il_redis_waiter_init(&s->waiter, &q->waits, &kind);
		il_rq_name(q, s->name);
	}
	il_list_del(&s->waiter.node);
	il_list_add(&q->waits.waiters, &s->waiter.node);
	s->wanted = wanted;
	s->once = once;
	s->waiter.once = s->waiter.again = false;
	return s;
}

int il_rq_receive_start(struct il_op *op)
{
	struct il_rq *q = il_rq_of_op(op);
	if (!il_fork_is_own(q->waits.object.server->generation))
		il_servers_after_fork();
	struct delivery *s = delivery_get(q, op->message.type, op->once);
	if (!s)
		return ENOMEM;
	il_redis_waiter_start(&s->waiter, op);
	return 0;
}

/* What is handed over ------------------------------------------------------------------------------------ */

/* Says so before any task can. False: it could not. */
static bool confirm(struct delivery *s)
{
	struct il_command c;
	il_command_plain(&c, &s->waiter.all->object, "HDEL", "meta");
	il_command_text(&c, s->name);
	if (il_request_make(&c, IL_SAFE | IL_PATIENT, NULL, NULL, NULL))
		return false;
	il_server_flush(s->waiter.all->object.server);
	return true;
}

static int64_t digits(const char *data, int count)
{
	char text[24] = "";
	memcpy(text, data, (size_t)count);
	return strtoll(text, NULL, 10);
}

static void deliver(struct delivery *s, const char *data, size_t size)
{
	struct il_op *op = il_redis_waiter_first(&s->waiter);
	int64_t type = digits(data, TYPE);
	char *bytes = malloc(size);
	if (bytes)
		memcpy(bytes, data + TYPE + STAMP, size - TYPE - STAMP);
	if (!bytes || !confirm(s)) {
		free(bytes);
		il_redis_waiter_again(&s->waiter);
		return;
	}
	op->data = bytes;
	op->size = size - TYPE - STAMP;
	op->owned = true;
	op->message.type = type;
	s->answered = s->number;
	s->arrived = 1;
	s->dirty = true;
	il_redis_waiter_served(&s->waiter);
	il_redis_waiter_finish(&s->waiter, op, 0);
}

/* "number", or "number type time bytes" without the spaces. */
void il_rq_receive_published(struct il_rq *q, const char *data, size_t size)
{
	int64_t number = size < NUMBER ? 0 : digits(data, NUMBER), now = il_now() / MS;
	bool whole = size >= NUMBER + TYPE + STAMP;
	il_list_each(struct delivery, s, &q->waits.waiters, waiter.node) {
		struct il_redis_waiter *w = &s->waiter;
		if (w->kind != &kind || s->number != number || (!w->stands && !w->request) || !il_redis_waiter_first(w))
			continue;
		if (whole && now < s->clock + digits(data + NUMBER + TYPE, STAMP) + IL_RQ_FRESH)
			deliver(s, data + NUMBER, size - NUMBER);
		else
			il_redis_waiter_again(w);
		return;
	}
}

/* Deliveries -------------------------------------------------------------------------------------------------- */

static void idle_expired(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, idle_timer);
	il_list_each(struct delivery, s, &q->idle, waiter.node)
		if (s->dirty)
			acknowledge(s);
}

void il_rq_receive_init(struct il_rq *q)
{
	il_list_init(&q->idle);
	q->idle_timer.expired = idle_expired;
}

void il_rq_receive_fini(struct il_rq *q, bool forked)
{
	il_timer_disarm(&q->idle_timer);
	if (!forked)
		idle_expired(&q->idle_timer);
	il_list_drain(struct delivery, s, &q->idle, waiter.node) {
		il_list_del(&s->waiter.due); /* it may be to be served again */
		free(s);
	}
}
