/* SPDX-License-Identifier: MIT
 *
 * Waiting for names to change. A change is announced with the write lock and before it is committed, and who waits
 * looks with that lock, too: it sees the commit, or that its writer has died.
 * Floor 2.
 */
#include "engines/store/store.h"
#include "loop/latch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int enter(struct il_line *line)
{
	struct il_store *s = line->object;
	return il_store_begin(s, &s->txn);
}

static void leave(struct il_line *line)
{
	mdb_txn_abort(((struct il_store *)line->object)->txn);
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

void il_store_line_init(struct il_store *s)
{
	s->line = (struct il_line){ .type = &type, .object = s, .changes = &s->bell->changes, .parked = &s->bell->parked };
	il_line_init(&s->line);
}

bool il_store_line_attempt(struct il_store *s, struct il_op *op)
{
	op->err = il_store_read(s, look, op);
	return op->err != EAGAIN;
}

/* The look of the attempt took no lock; that of the first counts. */
void il_store_line_start(struct il_store *s, struct il_op *op)
{
	if (il_list_empty(&s->line.ops))
		s->line.seen = il_get(&s->bell->changes) - 1;
	il_line_start(&s->line, op);
}
