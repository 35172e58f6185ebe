/* SPDX-License-Identifier: MIT
 *
 * Records, see record.h. The index is looked at only when names may be in it, which the control file says: without a
 * ttl nothing costs more. A second name of the same nanosecond has the next.
 * Floor 2.
 */
#include "engines/store/record.h"
#include "base/clock.h"
#include "base/shared_atomic.h"

#include <errno.h>
#include <string.h>

enum { SWEEP = 64 };

static const char index_name[] = IL_DATA_NAME_KEPT;

_Static_assert(sizeof index_name == IL_DATA_NAME_MAX + 1, "it is the last of all names");

/* The names --------------------------------------------------------------------------------------------- */

int il_record_with_cursor(struct il_store *s, MDB_txn *txn,
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

/* The index --------------------------------------------------------------------------------------------- */

/* MDB_NOTFOUND: no name has ever been in it. LMDB finds one that is open by its name; a transaction that is not
 * committed takes it away again. */
static int open_index(struct il_store *s, MDB_txn *txn, bool make, MDB_dbi *index)
{
	if (!make && !il_get(&s->control->expiring))
		return MDB_NOTFOUND;
	return mdb_dbi_open(txn, index_name, make ? MDB_CREATE : 0, index);
}

static int index_add(MDB_txn *txn, MDB_dbi index, const struct il_entry *e, int64_t *due)
{
	for (int rc = MDB_KEYEXIST;; ++*due) {
		uint64_t bytes = il_stored_key(*due);
		MDB_val key = { sizeof bytes, &bytes }, name = { e->name_size, (void *)e->name };
		rc = mdb_put(txn, index, &key, &name, MDB_NOOVERWRITE);
		if (rc != MDB_KEYEXIST)
			return rc;
	}
}

static int index_delete(MDB_txn *txn, MDB_dbi index, int64_t due)
{
	uint64_t bytes = il_stored_key(due);
	MDB_val key = { sizeof bytes, &bytes };
	int rc = due ? mdb_del(txn, index, &key, NULL) : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Counting ---------------------------------------------------------------------------------------------- */

int il_record_pages(struct il_store *s, MDB_txn *txn, size_t *pages)
{
	MDB_dbi index;
	*pages = 0;
	int rc = il_stored_add_pages(txn, s->dbi, pages);
	if (rc || !il_get(&s->control->expiring))
		return rc;
	rc = open_index(s, txn, false, &index);
	if (!rc)
		rc = il_stored_add_pages(txn, index, pages);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int il_record_count(struct il_store *s, MDB_txn *txn, int64_t *names, size_t *pages)
{
	MDB_stat stat;
	MDB_dbi index;
	int64_t gone;
	int rc = il_record_pages(s, txn, pages);
	if (!rc)
		rc = mdb_stat(txn, s->dbi, &stat);
	if (rc)
		return rc;
	*names = (int64_t)stat.ms_entries;
	rc = open_index(s, txn, false, &index);
	if (!rc)
		rc = il_stored_count_gone(txn, index, &gone);
	if (!rc)
		*names -= gone + 1;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Changing ---------------------------------------------------------------------------------------------- */

/* Reserved, so that there is one copy. */
static inline int write(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t due)
{
	size_t head = il_stored_head(due);
	MDB_val key = { e->name_size, (void *)e->name }, value = { e->size + head, NULL };
	int rc = mdb_put(txn, s->dbi, &key, &value, MDB_RESERVE);
	if (rc)
		return rc;
	il_stored_write_head(value.mv_data, (int64_t)mdb_txn_id(txn), due);
	memcpy((char *)value.mv_data + head, e->value, e->size);
	return 0;
}

/* It was to go at `before`, and is to go at *due. */
static int index_move(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t before, int64_t *due)
{
	MDB_dbi index;
	if (before == *due)
		return 0;
	int rc = open_index(s, txn, *due != 0, &index);
	if (!rc)
		rc = index_delete(txn, index, before);
	if (!rc && *due)
		rc = index_add(txn, index, e, due);
	return rc;
}

static int put_due(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t ttl)
{
	struct il_stored old = { .due = 0 };
	int rc = il_stored_get(txn, s->dbi, e->name, e->name_size, &old);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	int64_t due = il_stored_due(&old, ttl);
	if (due)
		il_put(&s->control->expiring, 1);
	rc = index_move(s, txn, e, old.due, &due);
	return rc ? rc : write(s, txn, e, due);
}

int il_record_put(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t ttl)
{
	return ttl > 0 || il_get(&s->control->expiring) ? put_due(s, txn, e, ttl) : write(s, txn, e, 0);
}

/* More pages than are for names and values are needed only in passing: see store.c. What takes no more than before is
 * allowed. */
static int check_pages(const struct il_store *s, size_t before, size_t after)
{
	return after > s->control->pages && after > before ? ENOSPC : 0;
}

int il_record_check_room(struct il_store *s, MDB_txn *txn, size_t before)
{
	size_t after;
	int rc = il_record_pages(s, txn, &after);
	return rc ? rc : check_pages(s, before, after);
}

static int set_due(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t ttl)
{
	size_t before;
	int rc = il_record_pages(s, txn, &before);
	if (!rc)
		rc = put_due(s, txn, e, ttl);
	return rc ? rc : il_record_check_room(s, txn, before);
}

int il_record_set(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t ttl)
{
	size_t before = 0, after = 0;
	if (ttl > 0 || il_get(&s->control->expiring))
		return set_due(s, txn, e, ttl);
	int rc = il_stored_add_pages(txn, s->dbi, &before);
	if (!rc)
		rc = write(s, txn, e, 0);
	if (!rc)
		rc = il_stored_add_pages(txn, s->dbi, &after);
	return rc ? rc : check_pages(s, before, after);
}

static int delete_due(struct il_store *s, MDB_txn *txn, MDB_val *key)
{
	struct il_stored old = { .due = 0 };
	MDB_dbi index;
	int rc = il_stored_get(txn, s->dbi, key->mv_data, key->mv_size, &old);
	bool gone = !rc && il_stored_is_gone(&old);
	int64_t due = old.due;
	if (!rc && due)
		rc = open_index(s, txn, false, &index);
	if (!rc && due)
		rc = index_delete(txn, index, due);
	if (!rc)
		rc = mdb_del(txn, s->dbi, key, NULL);
	return !rc && gone ? MDB_NOTFOUND : rc;
}

int il_record_delete(struct il_store *s, MDB_txn *txn, const void *name, size_t size)
{
	MDB_val key = { size, (void *)name };
	return il_get(&s->control->expiring) ? delete_due(s, txn, &key) : mdb_del(txn, s->dbi, &key, NULL);
}

/* The index first: what is dropped with the names is its record, and not its pages. */
int il_record_clear(struct il_store *s, MDB_txn *txn)
{
	MDB_dbi index;
	int rc = open_index(s, txn, false, &index);
	if (!rc)
		rc = mdb_drop(txn, index, 0);
	if (!rc || rc == MDB_NOTFOUND)
		rc = mdb_drop(txn, s->dbi, 0);
	return rc;
}

static int sweep(struct il_store *s, MDB_txn *txn, MDB_cursor *cursor)
{
	int64_t due, now = il_wall_now();
	int rc = 0, swept = 0;
	MDB_val name;
	for (; swept < SWEEP && (rc = il_stored_next_gone(cursor, now, &due, &name)) == 0; swept++) {
		rc = mdb_del(txn, s->dbi, &name, NULL);
		if (!rc)
			rc = mdb_cursor_del(cursor, 0);
		if (rc)
			return rc;
	}
	return rc && (rc != MDB_NOTFOUND || !swept) ? rc : 0;
}

int il_record_sweep(struct il_store *s, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_dbi index;
	int rc = open_index(s, txn, false, &index);
	if (!rc)
		rc = mdb_cursor_open(txn, index, &cursor);
	if (rc)
		return rc;
	rc = sweep(s, txn, cursor);
	mdb_cursor_close(cursor);
	return rc;
}
