/* SPDX-License-Identifier: MIT
 *
 * Waiting for names to change. A change is announced with the write lock and before it is committed, and who waits
 * looks with that lock, too: it sees the commit, or that its writer has died. That somebody sleeps is written with
 * the lock, after a vain look. So no change falls between look and sleep.
 * Floor 2.
 */
#include "engines/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct il_op *op_at(struct il_list *l)
{
	return il_container_of(l, struct il_op, line);
}

static void settle(struct il_store *s)
{
	if (!il_list_empty(&s->ops))
		return;
	il_poller_del(&s->poller);
	il_word_unwatch(&s->word);
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

/* With the lock: who is served comes into `served`. One that also waits for other things ends the round: with it,
 * others may leave the line. */
static bool serve_round(struct il_store *s, MDB_txn *txn, struct il_list *served)
{
	struct il_list *next;
	for (struct il_list *l = s->ops.next; l != &s->ops; l = next) {
		struct il_op *op = op_at(l);
		next = l->next;
		int rc = look(s, txn, op);
		if (rc == EAGAIN)
			continue;
		op->err = il_store_errno(rc);
		il_list_del(l);
		il_list_add(served, l);
		if (op->wait->count > 1)
			return true;
	}
	return false;
}

static bool finish(struct il_list *served)
{
	bool any = !il_list_empty(served);
	while (!il_list_empty(served)) {
		struct il_op *op = op_at(served->next);
		il_list_del(&op->line);
		il_op_finish(op, op->err);
	}
	return any;
}

static bool serve(struct il_store *s, bool park)
{
	bool again = true, any = false;
	while (again && !il_list_empty(&s->ops)) {
		struct il_list served = IL_LIST_INIT(served);
		MDB_txn *txn;
		int err = il_store_begin(s, &txn);
		if (err) {
			il_op_finish_all(&s->ops, err);
			any = true;
			break;
		}
		again = serve_round(s, txn, &served);
		s->seen = il_bell_get(&s->bell->changes);
		if (park && !il_list_empty(&s->ops))
			il_bell_put(&s->bell->parked, 1);
		mdb_txn_abort(txn);
		any |= finish(&served);
	}
	settle(s);
	return any;
}

static bool poll(struct il_poller *p)
{
	struct il_store *s = il_container_of(p, struct il_store, poller);
	return il_bell_get(&s->bell->changes) != s->seen && serve(s, false);
}

static bool arm(struct il_poller *p)
{
	struct il_store *s = il_container_of(p, struct il_store, poller);
	bool any = serve(s, true);
	if (!il_list_empty(&s->ops) && !il_word_watched(&s->word))
		il_word_watch(&s->word, &s->bell->changes, s->seen);
	return any;
}

static void changed(struct il_word *word)
{
	struct il_store *s = il_container_of(word, struct il_store, word);
	serve(s, false);
	if (!il_list_empty(&s->ops))
		il_poller_add(&s->poller);
}

void il_store_line_init(struct il_store *s)
{
	il_list_init(&s->ops);
	il_poller_init(&s->poller, poll, arm);
	il_word_init(&s->word, changed);
}

void il_store_line_fini(struct il_store *s)
{
	il_poller_del(&s->poller);
	il_word_unwatch(&s->word);
}

bool il_store_wait_attempt(struct il_store *s, struct il_op *op)
{
	op->err = il_store_read(s, look, op);
	return op->err != EAGAIN;
}

/* The look of the attempt took no lock; that of the first counts. */
void il_store_wait_start(struct il_store *s, struct il_op *op)
{
	if (il_list_empty(&s->ops))
		s->seen = il_bell_get(&s->bell->changes) - 1;
	il_list_add(&s->ops, &op->line);
	if (!il_word_watched(&s->word))
		il_poller_add(&s->poller);
}

void il_store_wait_cancel(struct il_store *s, struct il_op *op)
{
	il_list_del(&op->line);
	settle(s);
}

void il_store_line_look(struct il_store *s)
{
	if (!il_list_empty(&s->ops))
		serve(s, false);
}

void il_store_line_close(struct il_store *s, const void *source)
{
	struct il_list *next;
	for (struct il_list *l = s->ops.next; l != &s->ops; l = next) {
		next = l->next;
		if (op_at(l)->source != source)
			continue;
		il_list_del(l);
		il_op_finish(op_at(l), ECANCELED);
		next = s->ops.next; /* with it, others may have left */
	}
	settle(s);
}

int il_store_line_count(const struct il_store *s)
{
	int n = 0;
	for (const struct il_list *l = s->ops.next; l != &s->ops; l = l->next)
		n++;
	return n;
}
