/* SPDX-License-Identifier: MIT
 *
 * Queues on a server, opened, queried and closed, see queue.h. Floor 2.
 */
#include "engines/redis/queue.h"
#include "base/fork.h"
#include "base/clock.h"
#include "engines/redis/queue_dead.h"
#include "engines/redis/queue_delivery.h"
#include "engines/redis/queue_job.h"
#include "engines/redis/queue_lease.h"
#include "engines/redis/queue_receive.h"
#include "engines/redis/queue_record.h"
#include "engines/redis/queue_send.h"
#include "engines/redis/redis.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { DEFAULT_CAPACITY = 1 << 20 };

/* Until the server is asked to look again whether what was handed over, or called, has come. */
static const int64_t SWEEP = IL_SECOND / 2;

enum { MS = 1000000, LOOK = 10 * MS }; /* between two processes that look whether something is due */

void il_rq_name(struct il_rq *q, bool takes, char text[IL_RQ_NAME])
{
	snprintf(text, IL_RQ_NAME, takes ? "h@%sT%07x" : "h@%s%08x", il_server_client(q->waits.object.server),
		q->names++ & 0xfffffff);
}

/* What is published for this process: "message ..." (queue_receive.h), "room bytes place delivery", "next ms stand", or
 * "removed id". */
static void published(struct il_redis_waits *all, const char *data, size_t size)
{
	struct il_rq *q = il_rq_of(all);
	char text[120] = "", place[IL_RQ_PLACE], delivery[IL_RQ_NAME];
	long long room, stand;
	if (size > 8 && memcmp(data, "message ", 8) == 0) {
		il_rq_receive_published(q, data + 8, size - 8);
		return;
	}
	if (size >= sizeof text)
		return;
	memcpy(text, data, size);
	if (sscanf(text, "room %lld %15s %31s", &room, place, delivery) == 3 &&
		strcmp(delivery, q->sender.name + 2) == 0)
		il_rq_send_called(q, room, place);
	else if (sscanf(text, "next %lld %lld", &room, &stand) == 2)
		il_rq_due(q, room, stand);
	else if (strncmp(text, "removed ", 8) == 0 && strcmp(text + 8, q->id) == 0)
		il_redis_waits_removed(all);
}

static void forked(struct il_redis_object *object)
{
	struct il_rq *q = il_container_of(object, struct il_rq, waits.object);
	il_timer_disarm(&q->sweep);
	il_timer_disarm(&q->due);
	q->sweeping = NULL;
	il_redis_waits_forked(&q->waits);
	il_rq_deliveries_fini(q, true);
	il_rq_lease_forked(q);
	il_rq_jobs_fini(q, true);
	il_rq_name(q, false, q->sender.name);
}

/* Sweeping ----------------------------------------------------------------------------------------------- */

void il_rq_sweep_later(struct il_rq *q)
{
	if (q->sweep.item.place)
		return;
	il_timer_start(&q->sweep, SWEEP);
	il_timer_arm(&q->sweep, false); /* no memory: the next one tries again */
}

static bool stands(const struct il_rq *q)
{
	il_list_each(const struct il_redis_waiter, w, &q->waits.waiters, node)
		if (w->stands && w != &q->sender.waiter)
			return true;
	return false;
}

static void swept(struct il_request *r)
{
	struct il_rq *q = r->owner;
	bool known = il_request_status(r) == 0;
	q->sweeping = NULL;
	if (known && il_reply_number(r, 1) > 0)
		il_rq_sweep_later(q);
	if (known)
		il_rq_due(q, il_reply_number(r, 2), il_reply_number(r, 3));
	il_request_free(r);
}

static void sweep_now(struct il_rq *q)
{
	struct il_command c;
	if (q->sweeping)
		return;
	il_rq_command(&c, q, IL_SCRIPT_queue_sweep);
	il_rq_limits(&c, &q->limits);
	if (il_request_make(&c, IL_SAFE, swept, q, &q->sweeping))
		q->sweeping = NULL;
}

static void sweep(struct il_timer *t)
{
	sweep_now(il_container_of(t, struct il_rq, sweep));
}

static void due(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, due);
	if (stands(q))
		sweep_now(q);
}

/* A process may leave the line at any time, so each looks, but they have moments of their own: most find nothing. */
void il_rq_due(struct il_rq *q, int64_t ms, int64_t stand)
{
	int64_t spread = (stand < 100 ? stand : 100) * LOOK, now = il_now();
	if (ms < 0 || ms > IL_NEVER / 4 / MS) {
		il_timer_disarm(&q->due);
		return;
	}
	il_timer_start(&q->due, ms * MS + MS + (stand > 1 ? (now ^ il_fork.pid * (int64_t)MS) % spread : 0));
	il_timer_arm(&q->due, false); /* no memory: what stands in line repeats its request now and then */
}

/* Queries ------------------------------------------------------------------------------------------------ */

static int request(struct il_op *op, const char *verb, enum il_request_flags flags,
	int (*answer)(struct il_op *op, struct il_request *r, int err))
{
	struct il_redis_object *object = &il_rq_handle_of_op(op)->object;
	struct il_command c;
	il_command_init(&c, object, IL_SCRIPT_queue_query);
	il_command_text(&c, il_rq_of_op(op)->id);
	il_command_text(&c, verb);
	il_rq_record_type(&c, op->message.type);
	il_rq_limits(&c, &il_rq_handle_of_op(op)->queue.limits);
	if (answer)
		return il_redis_object_request(object, op, &c, flags, answer);
	il_redis_object_tell(object, &c);
	return 0;
}

static int peek_answer(struct il_op *op, struct il_request *r, int err)
{
	if (err)
		return err == EAGAIN ? ENOMSG : err;
	return il_rq_record_message(r, 0, op);
}

static int peek_start(struct il_op *op)
{
	return request(op, "peek", IL_SAFE, peek_answer);
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

static int stat_answer(struct il_op *op, struct il_request *r, int err)
{
	struct il_rq *q = il_rq_of_op(op);
	size_t size;
	const char *oldest = err ? NULL : il_reply_bytes(r, 9, &size);
	if (!err)
		il_rq_handle_of_op(op)->queue.stat = (struct il_queue_stat){
			.messages = il_reply_number(r, 1),
			.bytes = il_reply_number(r, 2),
			.capacity = il_reply_number(r, 3),
			.senders = count(q, true),
			.receivers = count(q, false),
			.last_sender = (pid_t)il_reply_number(r, 4),
			.last_receiver = (pid_t)il_reply_number(r, 5),
			.delayed = il_reply_number(r, 6),
			.taken = il_reply_number(r, 7),
			.dead = il_reply_number(r, 8),
			.oldest = il_rq_record_sent(oldest, size),
		};
	return err;
}

static int stat_start(struct il_op *op)
{
	return request(op, "stat", IL_SAFE, stat_answer);
}

static bool remove_attempt(struct il_op *op)
{
	if (!op->last)
		return il_redis_object_attempt(op);
	request(op, "remove", IL_SAFE, NULL);
	return true;
}

static int remove_answer(struct il_op *op, struct il_request *r, int err)
{
	(void)r;
	if (!err)
		il_redis_waits_removed(&il_rq_of_op(op)->waits);
	return err;
}

static int remove_start(struct il_op *op)
{
	return request(op, "remove", IL_UNSAFE, remove_answer);
}

/* Opening and closing ---------------------------------------------------------------------------------- */

static int object_new(const struct il_key *key, struct il_rq **result)
{
	struct il_rq *q = calloc(1, sizeof *q);
	int err = q ? il_redis_object_open(&q->waits.object, key, "queue") : ENOMEM;
	if (err) {
		free(q);
		return err;
	}
	q->refs = 1;
	q->waits.object.shared = &q->shared;
	q->waits.object.forked = forked;
	q->waits.published = published;
	q->sweep.expired = sweep;
	q->due.expired = due;
	il_list_init(&q->node);
	il_redis_waits_init(&q->waits);
	il_rq_deliveries_init(q);
	il_rq_send_init(q);
	il_rq_jobs_init(q);
	il_rq_lease_init(q, il_rq_jobs_tell, il_rq_jobs_lost);
	*result = q;
	return 0;
}

static void object_put(struct il_rq *q)
{
	if (--q->refs)
		return;
	il_timer_disarm(&q->sweep);
	il_timer_disarm(&q->due);
	il_rq_lease_fini(q);
	il_rq_jobs_fini(q, false);
	if (q->sweeping)
		il_request_forget(q->sweeping);
	il_redis_waits_fini(&q->waits);
	il_list_del(&q->sender.waiter.due);
	il_rq_deliveries_fini(q, false);
	il_list_del(&q->node);
	il_redis_object_close(&q->waits.object);
	free(q);
}

/* The handle's own becomes the process's, if there is none yet. */
static void object_known(struct il_rq_handle *h)
{
	il_list_each(struct il_rq, q, &il_redis_state()->queues, node) {
		if (q->waits.object.server != h->object.server || strcmp(q->waits.object.base, h->object.base) != 0 ||
			strcmp(q->id, h->rq->id) != 0)
			continue;
		q->refs++;
		object_put(h->rq);
		h->rq = q;
		return;
	}
	il_list_add(&il_redis_state()->queues, &h->rq->node);
	h->rq->limits = h->queue.limits;
	sweep_now(h->rq);
}

static int open_answer(struct il_op *op, struct il_request *r, int err)
{
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	size_t size;
	if (err && err != EEXIST)
		return err;
	const char *id = il_reply_bytes(r, 1, &size);
	h->queue.max_message = (size_t)il_reply_number(r, 2);
	if (err)
		return err;
	if (!size || size >= IL_RQ_ID)
		return EPROTO;
	snprintf(h->rq->id, IL_RQ_ID, "%.*s", (int)size, id);
	object_known(h);
	return 0;
}

/* An id that no queue of this name has had, so that one that is removed and made again is another one. */
static int open_start(struct il_op *op)
{
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	int64_t capacity = (int64_t)h->queue.max_message;
	uint64_t random[2] = { (uint64_t)il_fork.pid, (uintptr_t)h };
	char id[IL_RQ_ID];
	struct il_command c;
	if (getrandom(random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random[0] += (uint64_t)il_now() << 20;
	snprintf(id, sizeof id, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
	il_command_init(&c, &h->object, IL_SCRIPT_queue_open);
	il_command_text(&c, h->object.existing ? "" : id);
	il_command_number(&c, capacity);
	il_command_number(&c, capacity ? capacity : DEFAULT_CAPACITY);
	return il_redis_object_request(&h->object, op, &c, IL_SAFE, open_answer);
}

static void close_queue(struct il_queue *queue)
{
	struct il_rq_handle *h = il_container_of(queue, struct il_rq_handle, queue);
	il_redis_waits_end(&h->rq->waits, queue, false, ECANCELED);
	il_rq_jobs_release(h);
	object_put(h->rq);
	il_redis_object_close(&h->object);
	free(h);
}

static const struct il_queue_ops ops = {
	.open = { "queue", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.send = { "queue send", il_rq_send_attempt, il_rq_send_start, il_redis_waiter_cancel },
	.receive = { "queue receive", il_redis_object_attempt, il_rq_receive_start, il_redis_waiter_cancel },
	.send_many = { "queue send_many", il_rq_send_many_attempt, il_rq_send_start, il_rq_send_many_cancel },
	.receive_many = { "queue receive_many", il_rq_receive_many_attempt, il_rq_receive_start,
		il_redis_waiter_cancel },
	.peek = { "queue peek", il_redis_object_attempt, peek_start, il_redis_object_cancel },
	.stat = { "queue stat", il_redis_object_attempt, stat_start, il_redis_object_cancel },
	.remove = { "queue remove", remove_attempt, remove_start, il_redis_object_cancel },
	.take = { "queue take", il_redis_object_attempt, il_rq_take_start, il_redis_waiter_cancel },
	.finish = { "job finish", il_rq_finish_attempt, il_rq_finish_start, il_rq_finish_cancel },
	.lost = { "job lost", il_rq_lost_attempt, il_rq_lost_start, il_op_leave },
	.dead = { "queue dead", il_redis_object_attempt, il_rq_dead_start, il_redis_object_cancel },
	.revive = { "queue revive", il_redis_object_attempt, il_rq_revive_start, il_redis_object_cancel },
	.drop = { "queue drop", il_redis_object_attempt, il_rq_drop_start, il_redis_object_cancel },
	.close = close_queue,
};

int il_redis_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **queue)
{
	struct il_rq_handle *h = calloc(1, sizeof *h);
	int err = h ? object_new(key, &h->rq) : ENOMEM;
	if (!err) {
		err = il_redis_object_open(&h->object, key, "queue");
		if (err)
			object_put(h->rq);
	}
	if (err) {
		free(h);
		return err;
	}
	h->object.shared = &h->queue.shared;
	h->object.existing = o->mode == IL_MODE_EXISTING;
	h->queue = (struct il_queue){ .ops = &ops, .max_message = o->capacity, .max_reason = "the queue's capacity" };
	h->queue.limits = (struct il_job_limits){ .attempts = 3, .deaths = 3, .keep = 1000 };
	*queue = &h->queue;
	return 0;
}
