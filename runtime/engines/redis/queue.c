/* SPDX-License-Identifier: MIT
 *
 * Queues on a server, opened, queried and closed, see queue.h. All handles of a process for one queue share an object,
 * which is called by the server and has the operations that wait. Floor 2.
 */
#include "engines/redis/queue.h"
#include "engines/redis/object/delivery.h"
#include "base/fork.h"
#include "base/clock.h"
#include "engines/redis/redis.h"
#include "loop/poller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { DEFAULT_CAPACITY = 1 << 20 };

/* ns: until a process that was called should have come; and until an operation looks that was not called. */
static const int64_t RECALL = IL_SECOND / 4, LOOK = 30 * IL_SECOND;

static struct il_list objects = IL_LIST_INIT(objects);

void il_rq_finish(struct il_rq *q, struct il_op *op, int err)
{
	op->busy = false;
	if (err)
		il_rq_handle(op->source)->queue.shared.why = q->shared.why;
	il_op_finish(op, err);
}

void il_rq_removed(struct il_rq *q)
{
	q->removed = true;
	il_rq_receivers_end(q, NULL, true, EIDRM);
	il_rq_senders_end(q, NULL, true, EIDRM);
}

void il_rq_type(int64_t type, char text[IL_RQ_TYPE])
{
	snprintf(text, IL_RQ_TYPE, "%019lld", (long long)type);
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

/* What is due ------------------------------------------------------------------------------------------ */

static struct il_list due = IL_LIST_INIT(due);

static bool ask_all(struct il_poller *p);

static struct il_poller poller = { .node = IL_LIST_INIT(poller.node), .poll = ask_all, .arm = ask_all };

void il_rq_due(struct il_rq *q)
{
	if (il_list_empty(&q->due))
		il_list_add(&due, &q->due);
	il_poller_add(&poller);
}

/* All of them first: what is asked of one server is written together. True: the loop must not block as it meant to, for
 * a wait may have ended, and something else may be due next. */
static bool ask_all(struct il_poller *p)
{
	struct il_list round, asked;
	il_poller_del(p);
	il_list_move(&due, &round);
	il_list_init(&asked);
	bool any = !il_list_empty(&round);
	while (!il_list_empty(&round)) {
		struct il_rq *q = il_container_of(round.next, struct il_rq, due);
		il_list_del(&q->due);
		il_rq_asks_due(q);
		il_rq_flights_due(q);
		if (il_list_empty(&q->due))
			il_list_add(&asked, &q->due);
	}
	while (!il_list_empty(&asked)) {
		struct il_rq *q = il_container_of(asked.next, struct il_rq, due);
		il_list_del(&q->due);
		il_server_flush(q->object.server);
	}
	return any;
}

/* Calls ------------------------------------------------------------------------------------------------ */

static struct il_rq *of_listener(struct il_listener *l)
{
	return il_container_of(l, struct il_rq, object.listener);
}

/* "message wanted type place", "room bytes place", or "removed id". */
static void heard(struct il_listener *l, const char *data, size_t size)
{
	struct il_rq *q = of_listener(l);
	char text[120] = "", place[IL_RQ_PLACE];
	long long wanted, type;
	if (size >= sizeof text)
		return;
	memcpy(text, data, size);
	if (sscanf(text, "message %lld %lld %15s", &wanted, &type, place) == 3)
		il_rq_receivers_called(q, wanted, type, place);
	else if (sscanf(text, "room %lld %15s", &type, place) == 2)
		il_rq_senders_called(q, type, place);
	else if (strncmp(text, "removed ", 8) == 0 && strcmp(text + 8, q->id) == 0)
		il_rq_removed(q);
}

static void up(struct il_listener *l)
{
	il_rq_receivers_up(of_listener(l));
	il_rq_senders_up(of_listener(l));
}

static void down(struct il_listener *l, int err)
{
	il_redis_object_explain(&of_listener(l)->object);
	il_rq_receivers_end(of_listener(l), NULL, true, err);
	il_rq_senders_end(of_listener(l), NULL, true, err);
}

int il_rq_listen(struct il_rq *q)
{
	if (!q->look.item.place) {
		il_timer_start(&q->look, LOOK);
		il_timer_arm(&q->look, false); /* no memory: with the next one */
	}
	return il_redis_object_listen(&q->object, il_server_client(q->object.server));
}

/* Those that wait for a call. */
static void looked(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, look);
	if (il_list_empty(&q->receivers) && il_list_empty(&q->senders))
		return;
	il_rq_receivers_up(q);
	il_rq_senders_up(q);
	il_timer_start(&q->look, LOOK);
	il_timer_arm(&q->look, false);
}

/* Calls that are not followed ---------------------------------------------------------------------------- */

void il_rq_pass(struct il_rq *q, int64_t type)
{
	struct il_command c;
	char text[IL_RQ_TYPE];
	il_command_init(&c, &q->object, IL_SCRIPT_queue_call);
	il_command_text(&c, q->id);
	il_rq_type(type, text);
	il_command_text(&c, text);
	il_request_make(&c, IL_SAFE, NULL, NULL, NULL); /* or the others look, later */
}

void il_rq_recall(struct il_rq *q, int64_t type)
{
	char text[IL_RQ_TYPE];
	il_rq_type(type, text);
	for (int i = 0; i < q->recall_count; i++)
		if (strcmp(q->recalls[i], text) == 0)
			return;
	if (q->recall_count < IL_RQ_CALLED)
		strcpy(q->recalls[q->recall_count++], text);
	if (!q->recall.item.place) {
		il_timer_start(&q->recall, RECALL);
		il_timer_arm(&q->recall, false); /* no memory: the next one tries again */
	}
}

static void recalled(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, recall);
	struct il_command c;
	il_command_init(&c, &q->object, IL_SCRIPT_queue_call);
	il_command_text(&c, q->id);
	for (int i = 0; i < q->recall_count; i++)
		il_command_text(&c, q->recalls[i]);
	q->recall_count = 0;
	il_request_make(&c, IL_SAFE, NULL, NULL, NULL);
}

static void forked(struct il_redis_object *object)
{
	struct il_rq *q = il_container_of(object, struct il_rq, object);
	il_list_del(&q->due);
	il_timer_disarm(&q->look);
	il_timer_disarm(&q->recall);
	q->recall_count = 0;
	q->place[0] = 0;
	il_rq_receivers_forked(q);
	il_rq_senders_forked(q);
}

/* Questions -------------------------------------------------------------------------------------------- */

static struct il_rq_handle *of_op(const struct il_op *op)
{
	return il_rq_handle(op->source);
}

static struct il_command command(struct il_op *op, enum il_script script)
{
	struct il_command c;
	il_command_init(&c, &of_op(op)->object, script);
	il_command_text(&c, of_op(op)->rq->id);
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
	struct il_command c = command(op, IL_SCRIPT_queue_peek);
	char type[IL_RQ_TYPE];
	il_rq_want(&c, op->message.type, type);
	return il_redis_object_request(&of_op(op)->object, op, &c, IL_SAFE, told_peek);
}

static int count(const struct il_list *ops)
{
	int n = 0;
	for (const struct il_list *l = ops->next; l != ops; l = l->next)
		n++;
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
			.senders = count(&h->rq->senders),
			.receivers = count(&h->rq->receivers),
			.last_sender = (pid_t)il_reply_number(r, 4),
			.last_receiver = (pid_t)il_reply_number(r, 5),
		};
	return err;
}

static int stat_start(struct il_op *op)
{
	struct il_command c = command(op, IL_SCRIPT_queue_stat);
	return il_redis_object_request(&of_op(op)->object, op, &c, IL_SAFE, told_stat);
}

static bool remove_attempt(struct il_op *op)
{
	if (!op->last)
		return il_redis_object_attempt(op);
	struct il_command c = command(op, IL_SCRIPT_queue_remove);
	il_redis_object_tell(&of_op(op)->object, &c);
	return true;
}

static int told_remove(struct il_op *op, struct il_request *r, int err)
{
	(void)r;
	if (!err)
		il_rq_removed(of_op(op)->rq);
	return err;
}

static int remove_start(struct il_op *op)
{
	struct il_command c = command(op, IL_SCRIPT_queue_remove);
	return il_redis_object_request(&of_op(op)->object, op, &c, IL_UNSAFE, told_remove);
}

/* Opening and closing ---------------------------------------------------------------------------------- */

static struct il_rq *find(const struct il_rq *like, const char *id)
{
	for (struct il_list *l = objects.next; l != &objects; l = l->next) {
		struct il_rq *q = il_container_of(l, struct il_rq, node);
		if (q->object.server == like->object.server && strcmp(q->object.base, like->object.base) == 0 &&
			strcmp(q->id, id) == 0)
			return q;
	}
	return NULL;
}

/* It has no id yet, and is in no list. */
static int object_new(const struct il_key *key, struct il_rq **result)
{
	struct il_rq *q = calloc(1, sizeof *q);
	int err = q ? il_redis_object_open(&q->object, key, "queue") : ENOMEM;
	if (err) {
		free(q);
		return err;
	}
	q->refs = 1;
	il_list_init(&q->node);
	il_list_init(&q->due);
	q->object.shared = &q->shared;
	q->object.forked = forked;
	q->object.listener.message = heard;
	q->object.listener.up = up;
	q->object.listener.down = down;
	q->look.expired = looked;
	q->recall.expired = recalled;
	il_rq_receivers_init(q);
	il_rq_senders_init(q);
	*result = q;
	return 0;
}

static void object_put(struct il_rq *q)
{
	if (--q->refs)
		return;
	il_list_del(&q->due);
	il_timer_disarm(&q->look);
	if (q->recall.item.place)
		recalled(&q->recall);
	il_timer_disarm(&q->recall);
	il_deliveries_fini(q, false);
	il_list_del(&q->node);
	il_redis_object_close(&q->object);
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
		il_deliveries_opened(h->rq);
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
	il_rq_receivers_end(h->rq, queue, false, ECANCELED);
	il_rq_senders_end(h->rq, queue, false, ECANCELED);
	object_put(h->rq);
	il_redis_object_close(&h->object);
	free(h);
}

static const struct il_queue_ops ops = {
	.open = { "queue", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.send = { "queue send", il_rq_send_attempt, il_rq_send_start, il_rq_send_cancel },
	.receive = { "queue receive", il_rq_receive_attempt, il_rq_receive_start, il_rq_receive_cancel },
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
