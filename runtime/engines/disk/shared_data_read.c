/* SPDX-License-Identifier: MIT
 *
 * Reading shared data on a disk. A query looks at the last commit, on the loop's thread. Where that cannot be, as
 * before the first change of a process that was forked, it is made as a change that changes nothing; and so is one that
 * waits, since only with the lock it is certain that no commit is under way. Floor 2.
 */
#include "engines/disk/shared_data_read.h"
#include "engines/disk/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A query and its answer. */
struct query {
	int (*read)(struct il_disk_data *d, struct il_disk_txn *t, struct query *q);
	const char *name; /* or NULL */
	size_t name_size;
	int64_t known; /* the version that is not to be answered */
	struct il_stored_copy answer;
	size_t name_found; /* of it, bytes of a name */
	int64_t version;
	int64_t due; /* when a name is gone that is waited for, or 0 */
	int64_t names; /* of stat */
	size_t pages;
};

struct query_change {
	struct il_disk_change change;
	struct query query;
	char name[];
};

static struct il_disk_data *data_of(const struct il_disk_change *c)
{
	return il_container_of(c->object, struct il_disk_data, object);
}

/* Out of the map: the name, if there is one, then the value. */
static int copy_out(struct query *q, const MDB_val *name, const struct il_entry *e)
{
	size_t name_size = name ? name->mv_size : 0;
	int err = il_stored_reserve(&q->answer, name_size + e->size + 1);
	if (err)
		return err;
	if (name)
		memcpy(q->answer.bytes, name->mv_data, name_size);
	memcpy(q->answer.bytes + name_size, e->value, e->size);
	q->name_found = name_size;
	q->answer.size = name_size + e->size;
	q->version = e->version;
	return 0;
}

/* Queries ------------------------------------------------------------------------------------------------- */

static int read_one(struct il_disk_data *d, struct il_disk_txn *t, struct query *q)
{
	struct il_stored e;
	int rc = il_stored_find(t->txn, d->object.table->dbi, q->name, q->name_size, &e);
	return rc ? rc : copy_out(q, NULL, &e.entry);
}

/* EAGAIN: it has the version that is known. */
static int read_other(struct il_disk_data *d, struct il_disk_txn *t, struct query *q)
{
	struct il_stored e;
	int rc = il_stored_find(t->txn, d->object.table->dbi, q->name, q->name_size, &e);
	if (rc == MDB_NOTFOUND)
		e = (struct il_stored){ .entry.value = "", .entry.version = 0 };
	else if (rc)
		return rc;
	q->due = e.due;
	return e.entry.version == q->known ? EAGAIN : copy_out(q, NULL, &e.entry);
}

static int with_cursor(struct il_disk_data *d, struct il_disk_txn *t, struct query *q,
	int (*use)(MDB_cursor *cursor, struct query *q))
{
	MDB_cursor *cursor;
	int rc = il_disk_cursor(t, d->object.table, &cursor);
	if (rc)
		return rc;
	rc = use(cursor, q);
	mdb_cursor_close(cursor);
	return rc;
}

static int step(MDB_cursor *cursor, struct query *q)
{
	struct il_stored e;
	MDB_val key;
	int rc = il_stored_next(cursor, q->name, q->name_size, &key, &e);
	return rc ? rc : copy_out(q, &key, &e.entry);
}

static int read_next(struct il_disk_data *d, struct il_disk_txn *t, struct query *q)
{
	return with_cursor(d, t, q, step);
}

static int list(MDB_cursor *cursor, struct query *q)
{
	return il_stored_list(cursor, q->name, q->name_size, &q->answer);
}

static int read_all(struct il_disk_data *d, struct il_disk_txn *t, struct query *q)
{
	return with_cursor(d, t, q, list);
}

static int read_stat(struct il_disk_data *d, struct il_disk_txn *t, struct query *q)
{
	return il_disk_entries_count(d, t, &q->names, &q->pages);
}

/* Here, or by a change ------------------------------------------------------------------------------------ */

static int look(struct il_disk_data *d, struct il_disk_txn *t, struct query *q)
{
	int rc = il_disk_object_use(&d->object, t);
	return rc ? rc : q->read(d, t, q);
}

/* A reader that was suspended in the middle of LMDB's look at the last commit may have a mixture of two: what is wrong
 * with it is looked at once more, with the lock. */
static int query_here(struct il_disk_data *d, struct query *q)
{
	struct il_disk_txn t;
	int err = il_disk_read(d->object.disk, &t);
	if (err)
		return err;
	int rc = look(d, &t, q);
	il_disk_read_end(d->object.disk, &t);
	return rc < 0 && rc != MDB_NOTFOUND ? EAGAIN : il_disk_errno(rc);
}

static int waiting(const struct il_disk_data *d)
{
	int n = 0;
	il_list_each(const struct il_disk_change, c, &d->object.changes, mine)
		n += c->op && c->waits;
	return n;
}

static void answer_stat(struct il_disk_data *d, const struct query *q)
{
	d->data.stat = (struct il_data_stat){
		.names = q->names,
		.used = (int64_t)(q->pages * d->object.disk->page),
		.waiters = waiting(d),
	};
}

static void tell(struct il_disk_data *d, struct il_op *op, struct query *q)
{
	if (q->read == read_stat) {
		answer_stat(d, q);
		return;
	}
	op->data = q->answer.bytes;
	op->size = q->answer.size;
	if (q->read == read_next)
		op->name_size = q->name_found;
	op->entry.version = q->version;
}

/* The answer is in the handle's memory, or the operation's own. */
static bool attempt(struct il_op *op, int (*read)(struct il_disk_data *d, struct il_disk_txn *t, struct query *q),
	bool owned)
{
	struct il_disk_data *d = il_disk_data_of(op);
	struct query q = { .read = read, .name = op->name, .name_size = op->name_size, .known = op->entry.version };
	if (!owned)
		q.answer = d->read;
	op->err = query_here(d, &q);
	if (!owned)
		d->read = q.answer;
	if (!op->err) {
		tell(d, op, &q);
		op->owned = owned;
	} else if (owned) {
		free(q.answer.bytes);
	}
	d->data.shared.removed |= op->err == EIDRM;
	return op->err != EAGAIN;
}

static int apply(struct il_disk_change *c, struct il_disk_txn *t)
{
	struct query_change *qc = il_container_of(c, struct query_change, change);
	int rc = look(data_of(c), t, &qc->query);
	c->data = qc->query.answer.bytes;
	c->due = qc->query.due;
	return rc;
}

static void ended(struct il_disk_change *c)
{
	struct query_change *qc = il_container_of(c, struct query_change, change);
	struct il_disk_data *d = data_of(c);
	d->data.shared.removed |= c->err == EIDRM;
	if (c->op && !c->err) {
		tell(d, c->op, &qc->query);
		c->op->owned = true;
		c->data = NULL;
	}
	il_disk_op_end(c, c->err);
}

static int start(struct il_op *op, int (*read)(struct il_disk_data *d, struct il_disk_txn *t, struct query *q))
{
	struct il_disk_data *d = il_disk_data_of(op);
	struct query_change *qc = il_disk_change_new(sizeof *qc, op->name_size + 1, &d->object);
	if (!qc)
		return ENOMEM;
	qc->query = (struct query){ .read = read, .name_size = op->name_size, .known = op->entry.version };
	if (op->name)
		qc->query.name = memcpy(qc->name, op->name, op->name_size);
	qc->change.apply = apply;
	qc->change.ended = ended;
	qc->change.op = op;
	qc->change.waits = read == read_other;
	qc->change.key = il_disk_data_key(d, qc->name, op->name_size);
	return il_disk_change_start(&qc->change);
}

/* Operations ---------------------------------------------------------------------------------------------- */

bool il_disk_data_get(struct il_op *op)
{
	return attempt(op, read_one, false) || il_disk_data_attempt(op);
}

int il_disk_data_get_start(struct il_op *op)
{
	return start(op, read_one);
}

bool il_disk_data_next(struct il_op *op)
{
	return attempt(op, read_next, false) || il_disk_data_attempt(op);
}

int il_disk_data_next_start(struct il_op *op)
{
	return start(op, read_next);
}

bool il_disk_data_each(struct il_op *op)
{
	return attempt(op, read_all, true) || il_disk_data_attempt(op);
}

int il_disk_data_each_start(struct il_op *op)
{
	return start(op, read_all);
}

bool il_disk_data_stat(struct il_op *op)
{
	return attempt(op, read_stat, false) || il_disk_data_attempt(op);
}

int il_disk_data_stat_start(struct il_op *op)
{
	return start(op, read_stat);
}

/* Also if its version has not changed, it is to be queried with the lock once. */
bool il_disk_data_wait(struct il_op *op)
{
	op->remote = true;
	return attempt(op, read_other, true);
}

int il_disk_data_wait_start(struct il_op *op)
{
	return start(op, read_other);
}

bool il_disk_data_cancel(struct il_op *op)
{
	il_disk_op_cancel(op);
	return false;
}
