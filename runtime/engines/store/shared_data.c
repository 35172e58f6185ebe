/* SPDX-License-Identifier: MIT
 *
 * Shared data: names and values in a store, as stored.h has them. A version is the number of the transaction that wrote
 * it: LMDB counts those that are committed, for good, so no name ever has one twice.
 * Floor 2.
 */
#include "engines/local_data.h"
#include "engines/store/environment.h"
#include "engines/store/record.h"
#include "engines/store/shared_data_write.h"
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
	struct il_stored r;
	int rc = il_stored_find(txn, s->dbi, e->name, e->name_size, &r);
	if (rc)
		return rc;
	*e = r.entry;
	return copy_out(s, e, NULL);
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

static int step(struct il_store *s, MDB_cursor *cursor, void *arg)
{
	struct il_entry *e = arg;
	struct il_stored r;
	MDB_val key;
	int rc = il_stored_next(cursor, e->name, e->name_size, &key, &r);
	if (rc)
		return rc;
	*e = r.entry;
	return copy_out(s, e, &key);
}

static int query_next(struct il_store *s, MDB_txn *txn, void *arg)
{
	return il_record_with_cursor(s, txn, step, arg);
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

struct list {
	const struct il_op *op;
	struct il_stored_copy all;
};

static int list(struct il_store *s, MDB_cursor *cursor, void *arg)
{
	struct list *l = arg;
	(void)s;
	return il_stored_list(cursor, l->op->name, l->op->name_size, &l->all);
}

static int query_each(struct il_store *s, MDB_txn *txn, void *arg)
{
	return il_record_with_cursor(s, txn, list, arg);
}

/* Copied out of one transaction at once: one that stayed open while Lua runs would keep every page that is given back
 * meanwhile from being used. */
static bool each(struct il_op *op)
{
	struct list l = { .op = op };
	int err = il_store_read(of_op(op), query_each, &l, is_patient(op));
	if (err) {
		free(l.all.bytes);
		return ended(op, err);
	}
	op->data = l.all.bytes;
	op->size = l.all.size;
	op->owned = true;
	return ended(op, 0);
}

struct count {
	int64_t names;
	size_t pages;
};

static int query_stat(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct count *c = arg;
	return il_record_count(s, txn, &c->names, &c->pages);
}

static bool stat_data(struct il_op *op)
{
	struct il_data *d = op->source;
	struct il_store *s = of_op(op);
	struct count c;
	int err = il_store_read(s, query_stat, &c, is_patient(op));
	if (!err)
		d->stat = (struct il_data_stat){
			.names = c.names,
			.used = (int64_t)(c.pages * s->control->page),
			.waiters = il_wait_queue_count(&s->waits),
		};
	return ended(op, err);
}

/* Writing ----------------------------------------------------------------------------------------------- */

static bool set(struct il_op *op)
{
	struct il_data *d = op->source;
	return ended(op, op->size > d->max_value ? EMSGSIZE : il_store_set(of_op(op), op, is_patient(op)));
}

static bool delete (struct il_op *op)
{
	return ended(op, il_store_delete(of_op(op), op, is_patient(op)));
}

static bool change(struct il_op *op)
{
	return ended(op, il_store_change_names(of_op(op), op, is_patient(op)));
}

static bool clear(struct il_op *op)
{
	return ended(op, il_store_clear(of_op(op), op, is_patient(op)));
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
	.change = { "shared data change", change, call_start, call_cancel },
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
	size_t largest = control->pages / 4 * control->page - PAGE_HEADER - IL_STORED_HEAD;
	handle->data.ops = &ops;
	handle->data.size = control->size;
	handle->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
	*d = &handle->data;
	return 0;
}
