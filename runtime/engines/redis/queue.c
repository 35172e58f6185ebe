/* SPDX-License-Identifier: MIT
 *
 * Queues on a server, opened, queried and closed, see queue.h. All handles of a process for one queue share an object,
 * which is called by the server and has the operations that wait. Floor 2.
 */
#include "engines/redis/queue.h"
#include "base/fork.h"
#include "base/clock.h"
#include "engines/redis/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { DEFAULT_CAPACITY = 1 << 20 };

/* ns: until a process that was handed something, or called, should have come. Twice that passes until it is another's.
 */
static const int64_t SWEEP = IL_SECOND / 2;
static const int64_t GONE = 3000; /* ms */

static struct il_list objects = IL_LIST_INIT(objects);

void il_rq_command(struct il_command *c, struct il_rq *q, enum il_script script)
{
	il_command_init(c, &q->waits.object, script);
	il_command_text(c, q->id);
}

void il_rq_want(struct il_command *c, int64_t wanted, char text[IL_RQ_TYPE])
{
	if (wanted)
		snprintf(text, IL_RQ_TYPE, "%s%019lld", wanted < 0 ? "-" : "", (long long)llabs(wanted));
	il_command_text(c, wanted ? text : "0");
}

int il_rq_message(struct il_request *r, size_t place, struct il_op *op)
{
	size_t at = 2 * place + 2;
	op->message.type = il_reply_number(r, at - 1);
	return il_reply_take(r, at, 0, op);
}

/* What is published for this process: "message ..." (queue_receive.c), "room bytes place", or "removed id". */
static void heard(struct il_redis_waits *all, const char *data, size_t size)
{
	struct il_rq *q = il_rq_of(all);
	char text[120] = "", place[IL_RQ_PLACE];
	long long room;
	if (size > 8 && memcmp(data, "message ", 8) == 0) {
		il_rq_receive_heard(q, data + 8, size - 8);
		return;
	}
	if (size >= sizeof text)
		return;
	memcpy(text, data, size);
	if (sscanf(text, "room %lld %15s", &room, place) == 2)
		il_rq_send_heard(q, room, place);
	else if (strncmp(text, "removed ", 8) == 0 && strcmp(text + 8, q->id) == 0)
		il_redis_waits_removed(all);
}

static void forked(struct il_redis_object *object)
{
	struct il_rq *q = il_container_of(object, struct il_rq, waits.object);
	il_timer_disarm(&q->sweep);
	q->sweeping = NULL;
	il_redis_waits_forked(&q->waits);
	il_rq_receive_fini(q, true);
}

/* Sweeping ----------------------------------------------------------------------------------------------- */

void il_rq_sweep_later(struct il_rq *q)
{
	if (q->sweep.item.place)
		return;
	il_timer_start(&q->sweep, SWEEP);
	il_timer_arm(&q->sweep, false); /* no memory: the next one tries again */
}

/* By the next sweep, a process that is alive has confirmed what was handed to it before this one; and one that was cut
 * off has come back after a while, in which our own connection was not lost. */
static void swept(struct il_request *r)
{
	struct il_rq *q = r->owner;
	bool known = il_request_status(r) == 0, again = known && il_reply_number(r, 2) > 0;
	q->sweeping = NULL;
	q->swept = again ? il_reply_number(r, 1) - IL_RQ_FRESH : 0;
	if (!again || !q->first || r->again)
		q->first = q->swept;
	if (again)
		il_rq_sweep_later(q);
	il_request_free(r);
}

static void sweep(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, sweep);
	struct il_command c;
	if (q->sweeping)
		return;
	il_rq_command(&c, q, IL_SCRIPT_queue_sweep);
	il_command_number(&c, q->swept);
	il_command_number(&c, q->swept - q->first >= GONE ? q->swept - GONE : 0);
	if (il_request_make(&c, IL_SAFE, swept, q, &q->sweeping))
		q->sweeping = NULL;
}

/* Queries ------------------------------------------------------------------------------------------------ */

static struct il_rq_handle *of_op(const struct il_op *op)
{
	return il_rq_handle(op->source);
}

static struct il_command command(struct il_op *op, const char *verb)
{
	struct il_command c;
	il_command_init(&c, &of_op(op)->object, IL_SCRIPT_queue_query);
	il_command_text(&c, of_op(op)->rq->id);
	il_command_text(&c, verb);
	return c;
}

static int told_peek(struct il_op *op, struct il_request *r, int err)
{
	if (err)
		return err == EAGAIN ? ENOMSG : err;
	return il_rq_message(r, 0, op);
}

static int peek_start(struct il_op *op)
{
	struct il_command c = command(op, "peek");
	char type[IL_RQ_TYPE];
	il_rq_want(&c, op->message.type, type);
	return il_redis_object_request(&of_op(op)->object, op, &c, IL_SAFE, told_peek);
}

/* Operations of this process that wait: to send, or to receive. */
static int count(const struct il_rq *q, bool send)
{
	int n = 0;
	il_list_each(const struct il_redis_waiter, w, &q->waits.waiters, node)
		if ((w == &q->sender.waiter) == send)
			n += il_list_count(&w->asked) + il_list_count(&w->fresh);
	return n;
}

static int told_stat(struct il_op *op, struct il_request *r, int err)
{
	struct il_rq_handle *h = of_op(op);
	if (!err)
		h->queue.stat = (struct il_queue_stat){
			.messages = il_reply_number(r, 1),
			.bytes = il_reply_number(r, 2),
			.capacity = il_reply_number(r, 3),
			.senders = count(h->rq, true),
			.receivers = count(h->rq, false),
			.last_sender = (pid_t)il_reply_number(r, 4),
			.last_receiver = (pid_t)il_reply_number(r, 5),
		};
	return err;
}

static int stat_start(struct il_op *op)
{
	struct il_command c = command(op, "stat");
	return il_redis_object_request(&of_op(op)->object, op, &c, IL_SAFE, told_stat);
}

static bool remove_attempt(struct il_op *op)
{
	if (!op->last)
		return il_redis_object_attempt(op);
	struct il_command c = command(op, "remove");
	il_redis_object_tell(&of_op(op)->object, &c);
	return true;
}

static int told_remove(struct il_op *op, struct il_request *r, int err)
{
	(void)r;
	if (!err)
		il_redis_waits_removed(&of_op(op)->rq->waits);
	return err;
}

static int remove_start(struct il_op *op)
{
	struct il_command c = command(op, "remove");
	return il_redis_object_request(&of_op(op)->object, op, &c, IL_UNSAFE, told_remove);
}

/* Opening and closing ---------------------------------------------------------------------------------- */

static struct il_rq *find(const struct il_rq *like, const char *id)
{
	for (struct il_list *l = objects.next; l != &objects; l = l->next) {
		struct il_rq *q = il_container_of(l, struct il_rq, node);
		if (q->waits.object.server == like->waits.object.server &&
			strcmp(q->waits.object.base, like->waits.object.base) == 0 && strcmp(q->id, id) == 0)
			return q;
	}
	return NULL;
}

/* It has no id yet, and is in no list. */
static int object_new(const struct il_key *key, struct il_rq **result)
{
	struct il_rq *q = calloc(1, sizeof *q);
	int err = q ? il_redis_object_open(&q->waits.object, key, "queue") : ENOMEM;
	if (err) {
		free(q);
		return err;
	}
	q->refs = 1;
	il_list_init(&q->node);
	q->waits.object.shared = &q->shared;
	q->waits.object.forked = forked;
	q->waits.heard = heard;
	q->sweep.expired = sweep;
	il_redis_waits_init(&q->waits);
	il_rq_receive_init(q);
	il_rq_send_init(q);
	*result = q;
	return 0;
}

static void object_put(struct il_rq *q)
{
	if (--q->refs)
		return;
	il_timer_disarm(&q->sweep);
	if (q->sweeping)
		il_request_forget(q->sweeping);
	il_redis_waits_fini(&q->waits);
	il_rq_receive_fini(q, false);
	il_list_del(&q->node);
	il_redis_object_close(&q->waits.object);
	free(q);
}

/* The handle's own object becomes the process's, if there is none yet. */
static void object_known(struct il_rq_handle *h, const char *id)
{
	struct il_rq *q = find(h->rq, id);
	if (q) {
		q->refs++;
		object_put(h->rq);
		h->rq = q;
	} else {
		snprintf(h->rq->id, sizeof h->rq->id, "%s", id);
		il_list_add(&objects, &h->rq->node);
		sweep(&h->rq->sweep);
	}
}

static int told_open(struct il_op *op, struct il_request *r, int err)
{
	struct il_rq_handle *h = of_op(op);
	size_t size;
	if (err && err != EEXIST)
		return err;
	const char *id = il_reply_bytes(r, 1, &size);
	h->queue.max_message = (size_t)il_reply_number(r, 2);
	if (err)
		return err;
	if (!*id || strlen(id) >= IL_RQ_ID)
		return EPROTO;
	object_known(h, id);
	return 0;
}

/* An id that no queue of this name has had, so that one that is removed and made again is another one. */
static int open_start(struct il_op *op)
{
	struct il_rq_handle *h = of_op(op);
	int64_t capacity = (int64_t)h->queue.max_message;
	uint64_t random[2] = { (uint64_t)il_fork.pid, (uintptr_t)h };
	char id[IL_RQ_ID];
	struct il_command c;
	if (getrandom(random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random[0] += (uint64_t)il_now() << 20;
	snprintf(id, sizeof id, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
	il_command_init(&c, &h->object, IL_SCRIPT_queue_open);
	il_command_text(&c, id);
	il_command_number(&c, capacity);
	il_command_number(&c, capacity ? capacity : DEFAULT_CAPACITY);
	return il_redis_object_request(&h->object, op, &c, IL_SAFE, told_open);
}

static void close_queue(struct il_queue *queue)
{
	struct il_rq_handle *h = il_rq_handle(queue);
	il_redis_waits_end(&h->rq->waits, queue, false, ECANCELED);
	object_put(h->rq);
	il_redis_object_close(&h->object);
	free(h);
}

static const struct il_queue_ops ops = {
	.open = { "queue", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.send = { "queue send", il_redis_object_attempt, il_rq_send_start, il_redis_waiter_cancel },
	.receive = { "queue receive", il_redis_object_attempt, il_rq_receive_start, il_redis_waiter_cancel },
	.peek = { "queue peek", il_redis_object_attempt, peek_start, il_redis_object_cancel },
	.stat = { "queue stat", il_redis_object_attempt, stat_start, il_redis_object_cancel },
	.remove = { "queue remove", remove_attempt, remove_start, il_redis_object_cancel },
	.close = close_queue,
};

int il_redis_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q)
{
	struct il_rq_handle *h = calloc(1, sizeof *h);
	int err = h ? il_redis_object_open(&h->object, key, "queue") : ENOMEM;
	if (err) {
		free(h);
		return err;
	}
	err = object_new(key, &h->rq);
	if (err) {
		il_redis_object_close(&h->object);
		free(h);
		return err;
	}
	h->object.shared = &h->queue.shared;
	h->queue.ops = &ops;
	h->queue.max_message = o->capacity;
	h->queue.max_reason = "the queue's capacity";
	*q = &h->queue;
	return 0;
}
