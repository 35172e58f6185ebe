/* SPDX-License-Identifier: MIT
 *
 * The operations of queues on disk, see queue.h. What is only read is read from the last commit, on the loop's thread,
 * unless something has to be put right first. All else is a call.
 * Floor 2.
 */
#include "engines/disk/queue.h"
#include "engines/disk/batch.h"
#include "engines/disk/disk.h"
#include "engines/disk/options.h"
#include "engines/disk/queue_kinds.h"
#include "engines/disk/queue_read.h"
#include "engines/disk/queue_wait.h"

#include <errno.h>
#include <stdlib.h>

static struct il_dq *of_op(const struct il_op *op)
{
	return il_container_of((struct il_queue *)op->source, struct il_dq, queue);
}

/* Calls ------------------------------------------------------------------------------------------------------ */

/* NULL: no memory. */
static struct il_dq_call *prepare(struct il_op *op, const struct il_dq_kind *kind, const void *bytes, size_t size)
{
	struct il_dq *q = of_op(op);
	op->state = NULL;
	il_dq_waits_renew(q->waits);
	return il_dq_call_new(q, kind, op, bytes, size);
}

static int start(struct il_dq_call *c)
{
	struct il_dq *q = c ? il_container_of(c->change.object, struct il_dq, object) : NULL;
	struct il_disk_records r;
	struct il_disk_txn t;
	if (!q)
		return ENOMEM;
	if (c->kind->tidies && il_dq_read_begin(q, &t, &r) == 0) {
		il_dq_find_dead(&r, c);
		il_dq_read_end(q, &t);
	}
	return il_dq_call_begin(c);
}

/* An operation's type may be its class's: so the start is given. */
static bool attempt(struct il_op *op, int (*start_op)(struct il_op *op))
{
	op->remote = !op->last;
	if (op->remote)
		return false;
	int err = start_op(op);
	if (err)
		op->err = err;
	return true;
}

/* Its operation is to end. What is received or taken for it goes back. */
static void leave(struct il_op *op)
{
	struct il_dq *q = of_op(op);
	struct il_dq_call *c = op->state;
	if (!c)
		return;
	const struct il_dq_kind *kind = c->kind;
	int64_t type = c->type;
	il_dq_wait_end(c);
	il_disk_batch_withdraw(&c->change);
	if (il_disk_op_cancel(op))
		il_dq_call_orphan(c, true);
	il_dq_pass_on(q->waits, kind, type);
}

static bool cancel(struct il_op *op)
{
	leave(op);
	return false;
}

/* What is done here cannot be taken back. */
static bool cancel_change(struct il_op *op)
{
	if (il_disk_op_await(op))
		return op->err != EAGAIN;
	return cancel(op);
}

/* A claim has sent nothing. */
static bool cancel_send(struct il_op *op)
{
	const struct il_dq_call *c = op->state;
	return c && c->kind == &il_dq_claim ? cancel(op) : cancel_change(op);
}

static void note_sent(struct il_op *op)
{
	const struct il_dq_call *c = op->state;
	if (c && c->kind->partly)
		op->message.sent = c->sent;
}

static bool cancel_many(struct il_op *op)
{
	note_sent(op);
	op->err = 0;
	cancel_change(op);
	return op->wait->winner == IL_TIMEOUT || (!op->err && op->message.sent == op->size);
}

/* One that has not begun does so nevertheless. */
static bool cancel_finish(struct il_op *op)
{
	struct il_dq_call *c = op->state;
	if (c && il_disk_change_has_begun(&c->change) && il_disk_op_await(op))
		return true;
	if (c)
		c->change.op = NULL;
	op->state = NULL;
	return false;
}

/* Reading ----------------------------------------------------------------------------------------------------- */

static int peek_start(struct il_op *op)
{
	struct il_dq_call *c = prepare(op, &il_dq_peek, NULL, 0);
	if (c)
		c->type = op->message.type;
	return start(c);
}

static int stat_start(struct il_op *op)
{
	return start(prepare(op, &il_dq_stat, NULL, 0));
}

static int dead_start(struct il_op *op)
{
	struct il_dq_call *c = prepare(op, &il_dq_dead, NULL, 0);
	if (c)
		c->job.place = op->message.job->place;
	return start(c);
}

/* Changing ---------------------------------------------------------------------------------------------------- */

static int open_start(struct il_op *op)
{
	struct il_dq_call *c = prepare(op, &il_dq_open, NULL, 0);
	if (c)
		c->count = of_op(op)->queue.max_message;
	return start(c);
}

static int remove_start(struct il_op *op)
{
	return start(prepare(op, &il_dq_remove, NULL, 0));
}

/* A message that was sent cannot be taken back. So a case of a select only finds out whether it can be, and claims the
 * wait before it sends. */
static int send_start(struct il_op *op)
{
	bool one_of_several = op->wait && op->wait->cases > 1;
	struct il_dq_call *c = prepare(op, one_of_several ? &il_dq_claim : &il_dq_send, op->data, op->size);
	if (!c)
		return ENOMEM;
	c->type = op->message.type;
	c->given = op->message.job != NULL;
	if (c->given)
		c->job = *op->message.job;
	return start(c);
}

static int send_many_start(struct il_op *op)
{
	struct il_dq_call *c = prepare(op, &il_dq_send_many, op->data, op->size);
	if (c)
		c->sent = op->message.sent;
	return start(c);
}

static int receive(struct il_op *op, const struct il_dq_kind *kind)
{
	struct il_dq_call *c = prepare(op, kind, NULL, 0);
	if (c) {
		c->type = op->message.type;
		c->count = op->message.count;
	}
	return start(c);
}

static int receive_start(struct il_op *op)
{
	return receive(op, &il_dq_receive);
}

static int receive_many_start(struct il_op *op)
{
	return receive(op, &il_dq_receive_many);
}

static int take_start(struct il_op *op)
{
	return receive(op, &il_dq_take);
}

static int finish_start(struct il_op *op)
{
	bool next = op->message.job->outcome == IL_JOB_DONE && op->message.type;
	struct il_dq_call *c = prepare(op, &il_dq_finish, op->data, next ? op->size : 0);
	if (c) {
		c->job = *op->message.job;
		c->next = next ? op->message.type : 0;
	}
	return start(c);
}

static int change_dead(struct il_op *op, const struct il_dq_kind *kind)
{
	struct il_dq_call *c = prepare(op, kind, op->name, op->name ? op->name_size : 0);
	if (c)
		c->given = op->name != NULL;
	return start(c);
}

static int revive_start(struct il_op *op)
{
	return change_dead(op, &il_dq_revive);
}

static int drop_start(struct il_op *op)
{
	return change_dead(op, &il_dq_drop);
}

/* Attempts ------------------------------------------------------------------------------------------------------ */

static bool open_attempt(struct il_op *op)
{
	return attempt(op, open_start);
}

static bool remove_attempt(struct il_op *op)
{
	return attempt(op, remove_start);
}

static bool send_attempt(struct il_op *op)
{
	return attempt(op, send_start);
}

static bool send_many_attempt(struct il_op *op)
{
	return attempt(op, send_many_start);
}

static bool receive_attempt(struct il_op *op)
{
	return attempt(op, receive_start);
}

static bool receive_many_attempt(struct il_op *op)
{
	return attempt(op, receive_many_start);
}

static bool take_attempt(struct il_op *op)
{
	return attempt(op, take_start);
}

static bool finish_attempt(struct il_op *op)
{
	return attempt(op, finish_start);
}

static bool revive_attempt(struct il_op *op)
{
	return attempt(op, revive_start);
}

static bool drop_attempt(struct il_op *op)
{
	return attempt(op, drop_start);
}

static bool peek_attempt(struct il_op *op)
{
	return il_dq_read_now(of_op(op), op, &il_dq_peek) || attempt(op, peek_start);
}

static bool stat_attempt(struct il_op *op)
{
	return il_dq_read_now(of_op(op), op, &il_dq_stat) || attempt(op, stat_start);
}

static bool dead_attempt(struct il_op *op)
{
	return il_dq_read_now(of_op(op), op, &il_dq_dead) || attempt(op, dead_start);
}

/* Opening and closing ------------------------------------------------------------------------------------------- */

static void free_queue(struct il_disk_object *o)
{
	struct il_dq *q = il_container_of(o, struct il_dq, object);
	il_dq_waits_quit(q);
	free(q);
}

static void end_calls(struct il_dq *q)
{
	struct il_list *next;
	for (struct il_list *l = q->object.changes.next; l != &q->object.changes; l = next) {
		struct il_op *op = il_container_of(l, struct il_disk_change, mine)->op;
		next = l->next;
		if (!op)
			continue;
		op->busy = false;
		note_sent(op);
		leave(op);
		il_op_finish(op, ECANCELED);
		next = q->object.changes.next; /* with it, others may have left */
	}
}

/* Without memory for the call, the jobs are this process's until it ends. */
static void close_queue(struct il_queue *queue)
{
	struct il_dq *q = il_container_of(queue, struct il_dq, queue);
	il_dq_waits_renew(q->waits);
	il_disk_ops_stop(&q->object);
	end_calls(q);
	struct il_dq_call *c = q->took ? il_dq_call_new(q, &il_dq_release, NULL, NULL, 0) : NULL;
	if (c)
		il_dq_call_orphan(c, true); /* what is read here next is read after it */
	if (c && il_dq_call_start(c))
		q->waits->orphans--;
	il_disk_object_drop(&q->object);
}

static const struct il_queue_ops ops = {
	.open = { "queue", open_attempt, open_start, cancel },
	.send = { "queue send", send_attempt, send_start, cancel_send },
	.receive = { "queue receive", receive_attempt, receive_start, cancel },
	.peek = { "queue peek", peek_attempt, peek_start, cancel },
	.stat = { "queue stat", stat_attempt, stat_start, cancel },
	.remove = { "queue remove", remove_attempt, remove_start, cancel_change },
	.send_many = { "queue send_many", send_many_attempt, send_many_start, cancel_many },
	.receive_many = { "queue receive_many", receive_many_attempt, receive_many_start, cancel },
	.take = { "queue take", take_attempt, take_start, cancel },
	.finish = { "job", finish_attempt, finish_start, cancel_finish },
	.dead = { "queue dead", dead_attempt, dead_start, cancel },
	.revive = { "queue revive", revive_attempt, revive_start, cancel_change },
	.drop = { "queue drop", drop_attempt, drop_start, cancel_change },
	.close = close_queue,
};

int il_disk_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **queue)
{
	static uint32_t handles;
	struct il_dq *q;
	int err = il_disk_check_options(o->mode);
	if (err)
		return err;
	q = calloc(1, sizeof *q);
	if (!q)
		return ENOMEM;
	err = il_disk_object_init(&q->object, key, "queue", o->mode, free_queue);
	if (err) {
		free(q);
		return err;
	}
	q->object.soon = o->sync == IL_SYNC_SOON;
	q->queue = (struct il_queue){ .shared.warning = q->object.disk->warning,
		.ops = &ops,
		.max_message = o->capacity,
		.max_reason = "the queue's capacity",
		.limits = { .attempts = 3, .deaths = 3, .keep = 1000 } };
	q->number = ++handles;
	il_list_init(&q->node);
	err = il_dq_waits_join(q);
	if (err) {
		il_disk_object_drop(&q->object);
		return err;
	}
	*queue = &q->queue;
	return 0;
}
