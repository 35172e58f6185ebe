/* SPDX-License-Identifier: MIT
 *
 * Waiting for names to change. A change is announced with the write lock and before it is committed, and a process
 * that waits looks with that lock, too: it sees the commit, or that its writer has died.
 * Floor 2.
 */
#include "base/clock.h"
#include "base/shared_atomic.h"
#include "engines/store/environment.h"
#include "engines/store/record.h"
#include "engines/store/store.h"
#include "engines/store/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int enter(struct il_wait_queue *waits)
{
	struct il_store *s = waits->object;
	return il_store_begin(s, &s->txn, false);
}

static void leave(struct il_wait_queue *waits)
{
	struct il_store *s = waits->object;
	il_store_abort(s, s->txn);
}

/* EAGAIN: it has the version that it is not to have. With 0 the operation has its result. */
static int look(struct il_store *s, MDB_txn *txn, struct il_op *op, int64_t *due)
{
	struct il_stored r = { .due = 0 };
	int rc = il_stored_find(txn, s->dbi, op->name, op->name_size, &r);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	struct il_entry e = rc ? (struct il_entry){ .version = 0 } : r.entry;
	*due = rc ? 0 : r.due;
	if (e.version == op->entry.version)
		return EAGAIN;
	void *copy = e.size ? malloc(e.size) : NULL;
	if (e.size && !copy)
		return ENOMEM;
	if (copy)
		memcpy(copy, e.value, e.size);
	op->entry.version = e.version;
	op->data = copy;
	op->size = e.size;
	op->owned = true;
	return 0;
}

static int query(struct il_store *s, MDB_txn *txn, void *arg)
{
	int64_t due;
	return look(s, txn, arg, &due);
}

/* All look: no change tells of a name that is gone. */
static void on_due(struct il_timer *t)
{
	struct il_store *s = il_container_of(t, struct il_store, due);
	s->waits.behind = true;
	il_wait_queue_restart(&s->waits);
}

/* Until the first name is gone that is waited for. The wall clock may be set meanwhile: then there is another look, or
 * a late one. */
static int note_due(struct il_store *s, int64_t due)
{
	int64_t left = due - il_wall_now();
	if (s->due.item.place && s->due_at <= due)
		return 0;
	s->due_at = due;
	il_timer_start(&s->due, left > 0 ? left : 1);
	return il_timer_arm(&s->due, false);
}

static int attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct il_store *s = waits->object;
	int64_t due = 0;
	(void)waiting;
	int err = il_store_errno(look(s, s->txn, op, &due));
	if (err == EAGAIN && due && note_due(s, due))
		return ENOMEM;
	return err;
}

static uint64_t key(const struct il_op *op)
{
	return il_store_key(op->name, op->name_size);
}

static uint32_t *note(struct il_wait_queue *line, bool served, bool park, uint32_t *expected)
{
	struct il_store *s = line->object;
	(void)served;
	return park && !il_list_empty(&line->ops) ? il_waiters_join(&s->waiters, line->wants, false, expected) : NULL;
}

static void unpark(struct il_wait_queue *line)
{
	struct il_store *s = line->object;
	il_waiters_quit(&s->waiters);
	il_timer_disarm(&s->due);
}

static const struct il_wait_queue_type type = {
	.parked = IL_STORE_ON_COUNT,
	.key = key,
	.enter = enter,
	.leave = leave,
	.attempt = attempt,
	.note = note,
	.unpark = unpark,
};

bool il_store_wait_attempt(struct il_store *s, struct il_op *op)
{
	op->err = il_store_read(s, query, op, op->once);
	return op->err != EAGAIN;
}

/* The look of the attempt took no lock; that of the first counts. */
void il_store_wait_start(struct il_store *s, struct il_op *op)
{
	if (il_list_empty(&s->waits.ops))
		s->waits.seen = il_get(&s->control->changes) - 1;
	il_wait_queue_start(&s->waits, op);
}

/* Calls ------------------------------------------------------------------------------------------------- */

int il_store_call_start(struct il_store *s, struct il_op *op)
{
	int err = il_recheck_start(&s->later);
	if (!err)
		il_list_add(&s->calls, &op->link);
	return err;
}

static void stop_if_none(struct il_store *s)
{
	if (il_list_empty(&s->calls))
		il_recheck_stop(&s->later);
}

void il_store_call_cancel(struct il_store *s, struct il_op *op)
{
	il_list_del(&op->link);
	stop_if_none(s);
}

static void try_again(struct il_store *s, struct il_op *op)
{
	il_list_del(&op->link);
	if (op->type->attempt(op))
		il_op_finish(op, op->err);
	else
		il_list_add(&s->calls, &op->link);
}

/* Where there is still a crowd, one at a time tries to get in. */
static void retry_later(struct il_recheck *later)
{
	struct il_store *s = il_container_of(later, struct il_store, later);
	int how = il_gate_poll(&s->control->writing, &s->patience.writer);
	struct il_list round;
	il_list_move(&s->calls, &round);
	for (bool more = how != EAGAIN; more && !il_list_empty(&round); more = how != EBUSY)
		try_again(s, il_list_first(struct il_op, &round, link));
	il_list_drain(struct il_op, op, &s->calls, link)
		il_list_add(&round, &op->link);
	il_list_move(&round, &s->calls);
	if (il_list_empty(&s->calls))
		il_recheck_stop(&s->later);
	else
		il_recheck_start(&s->later);
}

void il_store_calls_close(struct il_store *s, const void *source)
{
	struct il_list *next;
	for (struct il_list *l = s->calls.next; l != &s->calls; l = next) {
		struct il_op *op = il_container_of(l, struct il_op, link);
		next = l->next;
		if (op->source != source)
			continue;
		il_list_del(l);
		il_op_finish(op, ECANCELED);
		next = s->calls.next; /* with it, others may have left */
	}
	stop_if_none(s);
}

void il_store_wait_init(struct il_store *s)
{
	s->waits = (struct il_wait_queue){ .type = &type,
		.object = s,
		.changes = &s->control->changes,
		.parked = &s->control->parked,
		.recent = s->control->recent };
	il_wait_queue_init(&s->waits);
	s->waiters = (struct il_waiters){
		.head = &s->control->waiting,
		.at = s->control->waiters,
		.count = IL_STORE_WAITERS,
		.parked = &s->control->parked,
		.bit = IL_STORE_LISTED,
		.fits = il_wants_fit,
	};
	s->due.expired = on_due;
	il_list_init(&s->calls);
	il_recheck_init(&s->later, retry_later);
}

void il_store_wait_fini(struct il_store *s)
{
	il_wait_queue_fini(&s->waits);
	il_recheck_stop(&s->later);
}
