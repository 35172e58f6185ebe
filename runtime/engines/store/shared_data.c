/* SPDX-License-Identifier: MIT
 *
 * Shared data: names and values in a store. A record is eight bytes of version, then the value. The version is the
 * number of the transaction that wrote it: LMDB counts those that are committed, for good, so no name ever has one
 * twice.
 * Floor 2.
 */
#include "engines/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_HEADER = 16, LARGEST_VALUE = 1 << 30 };

struct data {
	struct il_data data;
	struct il_remote remote; /* what is asked again: the store */
	struct il_store *store;
};

static struct data *handle_of(struct il_data *d)
{
	return il_container_of(d, struct data, data);
}

static struct il_store *store_of(struct il_data *d)
{
	return handle_of(d)->store;
}

/* A call begins, the first time or after an answer: may it not be asked again? */
static bool is_patient(struct il_data *d)
{
	struct il_remote *r = &handle_of(d)->remote;
	bool patient = r->unheard;
	r->request = NULL;
	r->unheard = false;
	return patient;
}

static int end(struct il_data *d, int err)
{
	struct data *handle = handle_of(d);
	if (err == EINPROGRESS)
		handle->remote.request = (struct il_request *)(void *)handle->store;
	return err;
}

/* Reading ----------------------------------------------------------------------------------------------- */

static int split(const MDB_val *record, struct il_entry *e)
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
	return rc ? rc : split(&record, e);
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

static int look_at(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct il_entry *e = arg;
	int rc = il_store_find(s, txn, e->name, e->name_size, e);
	return rc ? rc : copy_out(s, e, NULL);
}

static int get(struct il_data *d, const char *name, size_t size, struct il_entry *e)
{
	*e = (struct il_entry){ .name = name, .name_size = size };
	return end(d, il_store_read(store_of(d), look_at, e, is_patient(d)));
}

static int step(struct il_store *s, MDB_cursor *cursor, struct il_entry *e)
{
	MDB_val key = { e->name_size, (void *)e->name }, record;
	int rc = mdb_cursor_get(cursor, &key, &record, e->name ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && e->name && key.mv_size == e->name_size && memcmp(key.mv_data, e->name, key.mv_size) == 0)
		rc = mdb_cursor_get(cursor, &key, &record, MDB_NEXT);
	if (!rc)
		rc = split(&record, e);
	return rc ? rc : copy_out(s, e, &key);
}

static int look_after(struct il_store *s, MDB_txn *txn, void *arg)
{
	MDB_cursor *cursor;
	int rc;
	if (txn == s->reader) {
		rc = s->cursor ? mdb_cursor_renew(txn, s->cursor) : mdb_cursor_open(txn, s->dbi, &s->cursor);
		return rc ? rc : step(s, s->cursor, arg);
	}
	rc = mdb_cursor_open(txn, s->dbi, &cursor);
	if (rc)
		return rc;
	rc = step(s, cursor, arg);
	mdb_cursor_close(cursor);
	return rc;
}

static int next(struct il_data *d, const char *name, size_t size, struct il_entry *e)
{
	*e = (struct il_entry){ .name = name, .name_size = size };
	return end(d, il_store_read(store_of(d), look_after, e, is_patient(d)));
}

static int look_around(struct il_store *s, MDB_txn *txn, void *arg)
{
	return mdb_stat(txn, s->dbi, arg);
}

static size_t pages_of(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

static int stat_data(struct il_data *d, struct il_data_stat *stat)
{
	MDB_stat st;
	int err = il_store_read(store_of(d), look_around, &st, is_patient(d));
	if (err)
		return end(d, err);
	*stat = (struct il_data_stat){
		.names = (int64_t)st.ms_entries,
		.used = (int64_t)(pages_of(&st) * st.ms_psize),
		.waiters = il_line_count(&store_of(d)->line),
	};
	return 0;
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
	if (pages_of(&after) > s->bell->pages && pages_of(&after) > pages_of(&before))
		return ENOSPC;
	e->version = (int64_t)mdb_txn_id(txn);
	memcpy(record.mv_data, &e->version, IL_STORE_VERSION);
	memcpy((char *)record.mv_data + IL_STORE_VERSION, e->value, e->size);
	return 0;
}

static int change(struct il_store *s, MDB_txn *txn, struct il_entry *e, int64_t check)
{
	MDB_val key = { e->name_size, (void *)e->name };
	int rc = check_version(s, txn, e, check);
	if (!rc)
		rc = e->value ? put(s, txn, e) : mdb_del(txn, s->dbi, &key, NULL);
	if (rc) {
		il_store_abort(s, txn);
		return rc;
	}
	il_store_change(s);
	return il_store_commit(s, txn);
}

static int set(struct il_data *d, struct il_entry *e, int64_t check)
{
	struct il_store *s = store_of(d);
	struct il_store_room room = { 0 };
	MDB_txn *txn;
	bool patiently = is_patient(d);
	int rc, err;
	if (e->value && e->size > d->max_value)
		return EMSGSIZE;
	do {
		err = il_store_begin(s, &txn, patiently);
		if (err)
			return end(d, err);
		rc = change(s, txn, e, check);
		err = il_store_errno(rc);
	} while (rc == MDB_MAP_FULL && il_store_wait_for_room(s, &room, patiently, &err));
	if (err)
		return end(d, err);
	il_patience_renew(&s->patience.reader);
	il_line_look(&s->line);
	return 0;
}

/* The rest ---------------------------------------------------------------------------------------------- */

static struct il_store *of_op(const struct il_op *op)
{
	return store_of(op->source);
}

static bool wait_attempt(struct il_op *op)
{
	return il_store_line_attempt(of_op(op), op);
}

static int wait_start(struct il_op *op)
{
	il_store_line_start(of_op(op), op);
	return 0;
}

static bool wait_cancel(struct il_op *op)
{
	il_line_cancel(&of_op(op)->line, op);
	return false;
}

static int remove_data(struct il_data *d)
{
	int err = il_store_remove(store_of(d), is_patient(d));
	il_line_look(&store_of(d)->line);
	return end(d, err);
}

static void close_data(struct il_data *d)
{
	struct data *handle = handle_of(d);
	il_line_close(&handle->store->line, d);
	il_store_ask_close(handle->store, d->owner);
	il_store_drop(handle->store);
	free(handle);
}

static const struct il_data_ops ops = {
	{ "shared data wait", wait_attempt, wait_start, wait_cancel },
	get,
	set,
	next,
	stat_data,
	remove_data,
	close_data,
	NULL,
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
	const struct il_bell *bell = handle->store->bell;
	size_t largest = bell->pages / 4 * bell->page - PAGE_HEADER - IL_STORE_VERSION;
	handle->data.ops = &ops;
	handle->data.remote = &handle->remote;
	handle->remote = (struct il_remote){ .answer = &il_store_ask_type, .here = true };
	handle->data.size = bell->size;
	handle->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
	*d = &handle->data;
	return 0;
}
