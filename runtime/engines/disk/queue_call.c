/* SPDX-License-Identifier: MIT
 *
 * Calls of queues on disk, see queue_call.h. Floor 2.
 */
#include "engines/disk/queue_call.h"
#include "base/clock.h"
#include "engines/disk/queue_kinds.h"
#include "engines/disk/queue_read.h"
#include "engines/disk/queue_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DUE = 1000 }; /* that one call makes ready */

static struct il_dq_call *call_of(struct il_disk_change *change)
{
	return il_container_of(change, struct il_dq_call, change);
}

static struct il_dq *queue_of(const struct il_dq_call *c)
{
	return il_container_of(c->change.object, struct il_dq, object);
}

/* On the helper's thread ---------------------------------------------------------------------------------- */

/* What is over, or late, is put right first: so it is found in its own place. */
static int tidy(struct il_dq_call *c, struct il_disk_records *r)
{
	bool more;
	int rc = 0;
	for (int i = 0; !rc && i < c->deaths; i++)
		rc = il_disk_records_bereave(r, &c->dead[i], &c->limits);
	if (!rc && c->deaths)
		il_disk_announce(r->t, queue_of(c)->waits->lines[IL_DQ_RECEIVERS].key);
	return rc || !c->kind->tidies ? rc : il_disk_records_expire(r, il_wall_now(), MOST_DUE, &more);
}

/* With these nothing has been changed by the kind. */
static bool is_an_answer(int rc)
{
	return rc == EAGAIN || rc == EEXIST || rc == ESTALE || rc == ENOBUFS || rc == EMSGSIZE || rc == ENOMSG ||
		rc == EIDRM;
}

/* Bytes of messages that a send must have room beside: dead letters make it for one. */
static uint64_t held(const struct il_disk_records *r)
{
	return r->head.bytes - r->head.dead_bytes;
}

static int apply(struct il_disk_change *change, struct il_disk_txn *t)
{
	struct il_dq_call *c = call_of(change);
	struct il_disk_records r;
	if (!c->kind->undoes) {
		free(change->data);
		change->data = NULL;
	}
	c->err = 0;
	c->more = false;
	c->due = IL_NEVER;
	if (c->kind->opens || c->kind->removes)
		return c->kind->apply(c, &(struct il_disk_records){ .t = t, .table = change->object->table });
	int rc = il_disk_object_use(change->object, t);
	if (!rc)
		rc = il_disk_records_begin(&r, t, change->object->table);
	if (rc)
		return rc;
	uint64_t before = held(&r);
	rc = tidy(c, &r);
	if (!rc)
		rc = c->kind->apply(c, &r);
	if (rc && !is_an_answer(rc))
		return rc;
	c->err = rc;
	if (held(&r) < before)
		il_disk_announce(t, queue_of(c)->waits->lines[IL_DQ_SENDERS].key);
	rc = rc == EAGAIN && c->kind->tidies ? il_disk_records_due(&r, &c->due) : 0;
	return rc ? rc : il_disk_records_end(&r);
}

/* On the loop's ------------------------------------------------------------------------------------------- */

void il_dq_call_orphan(struct il_dq_call *c, bool orphan)
{
	struct il_dq_waits *w = queue_of(c)->waits;
	w->orphans += orphan - c->orphan;
	if (w->orphans < 0) /* in a forked child, which has none of its parent's */
		w->orphans = 0;
	c->orphan = orphan;
}

static void done(struct il_dq_call *c, int err)
{
	struct il_dq *q = queue_of(c);
	const struct il_dq_kind *kind = c->kind;
	int64_t type = c->type;
	il_dq_wait_end(c);
	q->queue.shared.removed |= err == EIDRM;
	if (kind->partly)
		c->change.op->message.sent = c->sent;
	if (kind->answer && (!err || kind->opens))
		kind->answer(c, c->change.op);
	if (c->change.then == IL_DISK_FREED)
		il_disk_op_end(&c->change, err);
	il_dq_pass_on(q->waits, kind, type);
}

static void wait_on(struct il_dq_call *c)
{
	c->change.then = IL_DISK_KEPT;
	c->deaths = 0; /* that is done, and would be announced again */
	if (c->kind->partly)
		c->sent = c->answer;
	il_dq_wait(c);
}

/* The next part, unless the wait is to end. */
static void go_on(struct il_dq_call *c)
{
	const struct il_wait *w = c->change.op->wait;
	c->sent = c->answer;
	c->change.then = w && w->late ? IL_DISK_KEPT : IL_DISK_AGAIN;
}

/* The operation is over, or there was none. */
static void undo(struct il_dq_call *c)
{
	if (!c->kind->undo)
		return;
	c->kind = c->kind->undo;
	c->change.then = IL_DISK_AGAIN;
	il_dq_call_orphan(c, true);
}

static void ended(struct il_disk_change *change)
{
	struct il_dq_call *c = call_of(change);
	const struct il_op *op = change->op;
	int err = change->err ? change->err : c->err;
	bool waits = c->kind->side != IL_DQ_NEITHER && !c->claimed;
	c->flying = false;
	il_dq_call_orphan(c, false);
	if (err == EAGAIN && c->kind->partly && op && (change->late || op->once || !op->wait))
		err = 0;
	if (change->late)
		done(c, err);
	else if (!op && !err)
		undo(c);
	else if (op && !err && c->more)
		go_on(c);
	else if (op && err == EAGAIN && waits && op->wait && !op->once)
		wait_on(c);
	else if (op)
		done(c, err == EAGAIN && c->claimed ? ENOBUFS : err);
	if (change->then == IL_DISK_FREED || err) {
		free(c->messages);
		c->messages = NULL;
	}
	c->flying = change->then == IL_DISK_AGAIN;
}

struct il_dq_call *il_dq_call_new(struct il_dq *q, const struct il_dq_kind *kind, struct il_op *op, const void *bytes,
	size_t size)
{
	struct il_dq_call *c = il_disk_change_new(sizeof *c, size, &q->object);
	if (!c)
		return NULL;
	c->change.apply = apply;
	c->change.ended = ended;
	c->change.op = op;
	c->change.key = q->waits->lines[kind->side == IL_DQ_SENDERS].key;
	il_list_init(&c->link);
	c->kind = kind;
	c->holder = il_dq_holder(q);
	c->limits = q->queue.limits;
	c->size = size;
	if (size)
		memcpy(c->bytes, bytes, size);
	return c;
}

int il_dq_call_start(struct il_dq_call *c)
{
	c->flying = true;
	return il_disk_change_start(&c->change);
}

/* Once it is among those that wait, the environment is there, and to start it does not fail. */
int il_dq_call_begin(struct il_dq_call *c)
{
	struct il_op *op = c->change.op;
	if (il_disk_enter(c->change.object->disk) || il_dq_wait_begin(c))
		return il_dq_call_start(c);
	c->change.then = IL_DISK_KEPT;
	op->state = c;
	return 0;
}

void il_dq_call_again(struct il_dq_call *c)
{
	struct il_op *op = c->change.op;
	int err = il_disk_enter(c->change.object->disk);
	if (!err) {
		il_dq_call_start(c);
		return;
	}
	il_dq_wait_end(c);
	il_disk_op_cancel(op);
	il_op_finish(op, err);
}
