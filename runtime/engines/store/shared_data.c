/* SPDX-License-Identifier: MIT
 *
 * Shared data: names and values in a store. A record is eight bytes of version, then the value. The version is the
 * number of the transaction that wrote it: LMDB counts those that are committed, for good, so no name ever has one
 * twice.
 * Floor 2.
 */
#include "engines/local_data.h"
#include "engines/store/environment.h"
#include "engines/store/shared_data.h"
#include "engines/store/shared_data_each.h"
#include "engines/store/store.h"
#include "engines/store/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_HEADER = 16, LARGEST_VALUE = 1 << 30 };

struct data {
	struct il_data data;
	struct il_store *store;
};

static struct il_store *of_op(const struct il_op *op)
{
	return il_container_of((struct il_data *)op->source, struct data, data)->store;
}

/* Another process may be in the way for a moment. */
static bool is_patient(const struct il_op *op)
{
	return op->last || op->once;
}

static bool ended(struct il_op *op, int err)
{
	op->err = err;
	return err != EAGAIN;
}

static int call_start(struct il_op *op)
{
	return il_store_call_start(of_op(op), op);
}

static bool call_cancel(struct il_op *op)
{
	il_store_call_cancel(of_op(op), op);
	return false;
}

/* Reading ----------------------------------------------------------------------------------------------- */

int il_store_split(const MDB_val *record, struct il_entry *e)
{
	if (record->mv_size < IL_STORE_VERSION)
		return MDB_CORRUPTED;
	memcpy(&e->version, record->mv_data, IL_STORE_VERSION);
	e->value = (const char *)record->mv_data + IL_STORE_VERSION;
	e->size = record->mv_size - IL_STORE_VERSION;
	return e->version > 0 ? 0 : MDB_CORRUPTED;
}

int il_store_find(struct il_store *s, MDB_txn *txn, const void *name, size_t size, struct il_entry *e)
{
	MDB_val key = { size, (void *)name }, record;
	int rc = mdb_get(txn, s->dbi, &key, &record);
	return rc ? rc : il_store_split(&record, e);
}

static int reserve(struct il_store *s, size_t size)
{
	if (s->room >= size)
		return 0;
	char *buffer = realloc(s->buffer, size);
	if (!buffer)
		return ENOMEM;
	s->buffer = buffer;
	s->room = size;
	return 0;
}

/* Out of the map, which may change when the transaction has ended. */
static int copy_out(struct il_store *s, struct il_entry *e, const MDB_val *key)
{
	size_t name_size = key ? key->mv_size : 0;
	int err = reserve(s, name_size + e->size + 1);
	if (err)
		return err;
	if (key)
		memcpy(s->buffer, key->mv_data, name_size);
	memcpy(s->buffer + name_size, e->value, e->size);
	e->name = s->buffer;
	e->name_size = name_size;
	e->value = s->buffer + name_size;
	return 0;
}

static int query_one(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct il_entry *e = arg;
	int rc = il_store_find(s, txn, e->name, e->name_size, e);
	return rc ? rc : copy_out(s, e, NULL);
}

/* What is in the buffer is the operation's answer. One that waits is looked at later, and gets bytes of its own. */
static int show(struct il_op *op, const struct il_entry *e)
{
	size_t size = e->name_size + e->size;
	const char *bytes = e->name_size ? e->name : e->value;
	void *copy = op->wait && size ? malloc(size) : NULL;
	if (op->wait && size && !copy)
		return ENOMEM;
	op->data = copy ? memcpy(copy, bytes, size) : (void *)bytes;
	op->owned = copy;
	op->size = size;
	op->entry.version = e->version;
	return 0;
}

static bool get(struct il_op *op)
{
	struct il_entry e = { .name = op->name, .name_size = op->name_size };
	int err = il_store_read(of_op(op), query_one, &e, is_patient(op));
	return ended(op, err ? err : show(op, &e));
}

int il_store_with_cursor(struct il_store *s, MDB_txn *txn,
	int (*use)(struct il_store *s, MDB_cursor *cursor, void *arg), void *arg)
{
	MDB_cursor *cursor;
	int rc;
	if (txn == s->reader) {
		rc = s->cursor ? mdb_cursor_renew(txn, s->cursor) : mdb_cursor_open(txn, s->dbi, &s->cursor);
		return rc ? rc : use(s, s->cursor, arg);
	}
	rc = mdb_cursor_open(txn, s->dbi, &cursor);
	if (rc)
		return rc;
	rc = use(s, cursor, arg);
	mdb_cursor_close(cursor);
	return rc;
}

static int step(struct il_store *s, MDB_cursor *cursor, void *arg)
{
	struct il_entry *e = arg;
	MDB_val key = { e->name_size, (void *)e->name }, record;
	int rc = mdb_cursor_get(cursor, &key, &record, e->name ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && e->name && key.mv_size == e->name_size && memcmp(key.mv_data, e->name, key.mv_size) == 0)
		rc = mdb_cursor_get(cursor, &key, &record, MDB_NEXT);
	if (!rc)
		rc = il_store_split(&record, e);
	return rc ? rc : copy_out(s, e, &key);
}

static int query_next(struct il_store *s, MDB_txn *txn, void *arg)
{
	return il_store_with_cursor(s, txn, step, arg);
}

static bool next(struct il_op *op)
{
	struct il_entry e = { .name = op->name, .name_size = op->name_size };
	int err = il_store_read(of_op(op), query_next, &e, is_patient(op));
	if (!err)
		err = show(op, &e);
	if (!err)
		op->name_size = e.name_size;
	return ended(op, err);
}

static bool each(struct il_op *op)
{
	return ended(op, il_store_each(of_op(op), op, is_patient(op)));
}

static int query_stat(struct il_store *s, MDB_txn *txn, void *arg)
{
	return mdb_stat(txn, s->dbi, arg);
}

static size_t pages_of(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

static bool stat_data(struct il_op *op)
{
	struct il_data *d = op->source;
	MDB_stat st;
	int err = il_store_read(of_op(op), query_stat, &st, is_patient(op));
	if (!err)
		d->stat = (struct il_data_stat){
			.names = (int64_t)st.ms_entries,
			.used = (int64_t)(pages_of(&st) * st.ms_psize),
			.waiters = il_wait_queue_count(&of_op(op)->waits),
		};
	return ended(op, err);
}

/* Writing ----------------------------------------------------------------------------------------------- */

static int check_version(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t check)
{
	struct il_entry old = { .version = 0 };
	if (check == IL_ANY_VERSION)
		return 0;
	int rc = il_store_find(s, txn, e->name, e->name_size, &old);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	return old.version == check ? 0 : ESTALE;
}

/* More pages than are for names and values are needed only in passing: see store.c. What takes no more than before is
 * allowed. */
static int put(struct il_store *s, MDB_txn *txn, struct il_entry *e)
{
	MDB_val key = { e->name_size, (void *)e->name }, record = { e->size + IL_STORE_VERSION, NULL };
	MDB_stat before, after;
	int rc = mdb_stat(txn, s->dbi, &before);
	if (!rc)
		rc = mdb_put(txn, s->dbi, &key, &record, MDB_RESERVE);
	if (!rc)
		rc = mdb_stat(txn, s->dbi, &after);
	if (rc)
		return rc;
	if (pages_of(&after) > s->control->pages && pages_of(&after) > pages_of(&before))
		return ENOSPC;
	e->version = (int64_t)mdb_txn_id(txn);
	memcpy(record.mv_data, &e->version, IL_STORE_VERSION);
	memcpy((char *)record.mv_data + IL_STORE_VERSION, e->value, e->size);
	return 0;
}

/* A change that is made in a transaction, and announced: LMDB's result. */
typedef int il_store_edit(struct il_store *s, MDB_txn *txn, void *arg);

static int edit(struct il_store *s, MDB_txn *txn, il_store_edit *fn, void *arg)
{
	int rc = fn(s, txn, arg);
	if (!rc)
		return il_store_commit(s, txn);
	il_store_abort(s, txn);
	return rc;
}

static int change(struct il_op *op, il_store_edit *fn, void *arg)
{
	struct il_store *s = of_op(op);
	struct il_store_room room = { 0 };
	MDB_txn *txn;
	int rc, err;
	do {
		err = il_store_begin(s, &txn, is_patient(op));
		if (err)
			return err;
		rc = edit(s, txn, fn, arg);
		err = il_store_errno(rc);
	} while (rc == MDB_MAP_FULL && il_store_wait_for_room(s, &room, is_patient(op), &err));
	if (err)
		return err;
	il_patience_renew(&s->patience.reader);
	il_wait_queue_retry(&s->waits);
	return 0;
}

struct one {
	struct il_entry entry;
	int64_t check;
};

static int change_one(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct one *one = arg;
	struct il_entry *e = &one->entry;
	MDB_val key = { e->name_size, (void *)e->name };
	int rc = check_version(s, txn, e, one->check);
	if (!rc)
		rc = e->value ? put(s, txn, e) : mdb_del(txn, s->dbi, &key, NULL);
	if (!rc)
		il_store_change(s, e->name, e->name_size);
	return rc;
}

static int change_name(struct il_op *op, const void *value, size_t size)
{
	struct one one = { { .name = op->name, .name_size = op->name_size, .value = value, .size = size },
		.check = op->entry.version };
	int err = change(op, change_one, &one);
	if (!err)
		op->entry.version = one.entry.version;
	return err;
}

static bool set(struct il_op *op)
{
	struct il_data *d = op->source;
	return ended(op, op->size > d->max_value ? EMSGSIZE : change_name(op, op->data, op->size));
}

static bool delete (struct il_op *op)
{
	return ended(op, change_name(op, NULL, 0));
}

static int drop_all(struct il_store *s, MDB_txn *txn, void *arg)
{
	MDB_stat before;
	int rc = mdb_stat(txn, s->dbi, &before);
	if (!rc)
		rc = mdb_drop(txn, s->dbi, 0);
	if (rc)
		return rc;
	*(int64_t *)arg = (int64_t)before.ms_entries;
	il_store_change_many(s);
	return 0;
}

static bool clear(struct il_op *op)
{
	return ended(op, change(op, drop_all, &op->entry.number));
}

/* The rest ---------------------------------------------------------------------------------------------- */

static bool wait_attempt(struct il_op *op)
{
	return il_store_wait_attempt(of_op(op), op);
}

static int wait_start(struct il_op *op)
{
	il_store_wait_start(of_op(op), op);
	return 0;
}

static bool wait_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&of_op(op)->waits, op);
	return false;
}

static bool remove_data(struct il_op *op)
{
	int err = il_store_remove(of_op(op), is_patient(op));
	il_wait_queue_retry(&of_op(op)->waits);
	return ended(op, err);
}

static void close_data(struct il_data *d)
{
	struct data *handle = il_container_of(d, struct data, data);
	il_wait_queue_close(&handle->store->waits, d);
	il_store_calls_close(handle->store, d);
	il_store_drop(handle->store);
	free(handle);
}

static const struct il_data_ops ops = {
	.wait = { "shared data wait", wait_attempt, wait_start, wait_cancel },
	.get = { "shared data get", get, call_start, call_cancel },
	.next = { "shared data pairs", next, call_start, call_cancel },
	.each = { "shared data each", each, call_start, call_cancel },
	.set = { "shared data set", set, call_start, call_cancel },
	.delete = { "shared data delete", delete, call_start, call_cancel },
	.clear = { "shared data clear", clear, call_start, call_cancel },
	.stat = { "shared data stat", stat_data, call_start, call_cancel },
	.remove = { "shared data remove", remove_data, call_start, call_cancel },
	.close = close_data,
};

int il_local_data(const struct il_key *key, struct il_data_options *o, struct il_data **d)
{
	struct data *handle = calloc(1, sizeof *handle);
	if (!handle)
		return ENOMEM;
	int err = il_store_open(key, o, &handle->store);
	if (err) {
		free(handle);
		return err;
	}
	const struct il_store_control *control = handle->store->control;
	size_t largest = control->pages / 4 * control->page - PAGE_HEADER - IL_STORE_VERSION;
	handle->data.ops = &ops;
	handle->data.size = control->size;
	handle->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
	*d = &handle->data;
	return 0;
}
