/* SPDX-License-Identifier: MIT
 *
 * Waiting for names to change. A change is announced with the write lock and before it is committed, and who waits
 * looks with that lock, too: it sees the commit, or that its writer has died.
 * Floor 2.
 */
#include "engines/store/store.h"
#include "os/latch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int enter(struct il_line *line)
{
	struct il_store *s = line->object;
	int err = il_store_begin(s, &s->txn, false);
	return err == EINPROGRESS ? EAGAIN : err;
}

static void leave(struct il_line *line)
{
	struct il_store *s = line->object;
	il_store_abort(s, s->txn);
}

/* EAGAIN: it has the version that it is not to have. With 0 the operation has its result. */
static int look(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct il_op *op = arg;
	struct il_entry e = { .version = 0 };
	int rc = il_store_find(s, txn, op->data, op->size, &e);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	if (e.version == op->arg)
		return EAGAIN;
	void *copy = e.size ? malloc(e.size) : NULL;
	if (e.size && !copy)
		return ENOMEM;
	if (copy)
		memcpy(copy, e.value, e.size);
	op->arg = e.version;
	il_op_clear(op); /* it may own the name */
	op->data = copy;
	op->size = e.size;
	op->owned = true;
	return 0;
}

static int attempt(struct il_line *line, struct il_op *op, bool waiting)
{
	struct il_store *s = line->object;
	(void)waiting;
	return il_store_errno(look(s, s->txn, op));
}

static const struct il_line_type type = { .parked = 1, .enter = enter, .leave = leave, .attempt = attempt };

bool il_store_line_attempt(struct il_store *s, struct il_op *op)
{
	op->err = il_store_read(s, look, op, op->once);
	return op->err != EAGAIN && op->err != EINPROGRESS;
}

/* The look of the attempt took no lock; that of the first counts. */
void il_store_line_start(struct il_store *s, struct il_op *op)
{
	if (il_list_empty(&s->line.ops))
		s->line.seen = il_get(&s->bell->changes) - 1;
	il_line_start(&s->line, op);
}

/* Asking ------------------------------------------------------------------------------------------------ */

/* Who has just asked. */
static bool ask_attempt(struct il_op *op)
{
	(void)op;
	return false;
}

static int ask_start(struct il_op *op)
{
	struct il_store *s = op->source;
	int err = il_recheck_start(&s->later);
	if (!err)
		il_list_add(&s->asking, &op->link);
	return err;
}

static bool ask_cancel(struct il_op *op)
{
	struct il_store *s = op->source;
	il_list_del(&op->link);
	if (il_list_empty(&s->asking))
		il_recheck_stop(&s->later);
	return false;
}

const struct il_op_type il_store_ask_type = { "shared data", ask_attempt, ask_start, ask_cancel };

static void finish_first(struct il_store *s, int err)
{
	struct il_op *op = il_container_of(s->asking.next, struct il_op, link);
	il_list_del(&op->link);
	il_op_finish(op, err);
}

/* Where there is still a crowd, one at a time tries to get in. */
static void look_later(struct il_recheck *later)
{
	struct il_store *s = il_container_of(later, struct il_store, later);
	int how = il_gate_look(&s->bell->writing, &s->patience.writer);
	if (how == EBUSY)
		finish_first(s, 0);
	else if (how != EAGAIN)
		il_op_finish_all(&s->asking, 0);
	if (il_list_empty(&s->asking))
		il_recheck_stop(&s->later);
	else
		il_recheck_start(&s->later);
}

void il_store_ask_close(struct il_store *s, const void *handle)
{
	struct il_list *next;
	for (struct il_list *l = s->asking.next; l != &s->asking; l = next) {
		struct il_op *op = il_container_of(l, struct il_op, link);
		next = l->next;
		if (op->handle != handle)
			continue;
		il_list_del(l);
		il_op_finish(op, ECANCELED);
		next = s->asking.next; /* with it, others may have left */
	}
}

void il_store_line_init(struct il_store *s)
{
	s->line = (struct il_line){ .type = &type,
		.object = s,
		.changes = &s->bell->changes,
		.parked = &s->bell->parked };
	il_line_init(&s->line);
	il_list_init(&s->asking);
	il_recheck_init(&s->later, look_later);
}

void il_store_line_fini(struct il_store *s)
{
	il_line_fini(&s->line);
	il_recheck_stop(&s->later);
}
