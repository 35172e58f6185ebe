/* SPDX-License-Identifier: MIT
 *
 * Records, see record.h. One begins with eight bytes of version, then comes the value. The version of a name that is to
 * go is stored as a negative number, and eight bytes of time follow it. The index has the times as keys, each once: a
 * second name of the same nanosecond has the next. It is looked at only when names may be in it, which the control file
 * says: without a ttl nothing costs more.
 * Floor 2.
 */
#include "engines/store/record.h"
#include "base/clock.h"
#include "base/shared_atomic.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { DUE = 8 /* bytes */, SWEEP = 64 };

static const char index_name[] = IL_DATA_NAME_KEPT;

_Static_assert(sizeof index_name == IL_DATA_NAME_MAX + 1, "it is the last of all names");

/* Reading ----------------------------------------------------------------------------------------------- */

static inline int split(const MDB_val *value, struct il_stored *r)
{
	size_t head = IL_STORE_VERSION;
	r->due = 0;
	if (value->mv_size < head)
		return MDB_CORRUPTED;
	memcpy(&r->entry.version, value->mv_data, IL_STORE_VERSION);
	if (r->entry.version <= 0) {
		head += DUE;
		if (value->mv_size < head || r->entry.version <= INT64_MIN)
			return MDB_CORRUPTED;
		memcpy(&r->due, (const char *)value->mv_data + IL_STORE_VERSION, DUE);
		r->entry.version = -r->entry.version;
	}
	r->entry.value = (const char *)value->mv_data + head;
	r->entry.size = value->mv_size - head;
	return r->entry.version > 0 ? 0 : MDB_CORRUPTED;
}

static bool is_gone(const struct il_stored *r)
{
	return r->due && r->due <= il_wall_now();
}

/* Gone or not. */
static int find_stored(struct il_store *s, MDB_txn *txn, const void *name, size_t size, struct il_stored *r)
{
	MDB_val key = { size, (void *)name }, value;
	int rc = mdb_get(txn, s->dbi, &key, &value);
	return rc ? rc : split(&value, r);
}

int il_record_find(struct il_store *s, MDB_txn *txn, const void *name, size_t size, struct il_stored *r)
{
	int rc = find_stored(s, txn, name, size, r);
	return !rc && is_gone(r) ? MDB_NOTFOUND : rc;
}

int il_record_read(const MDB_val *key, const MDB_val *value, struct il_stored *r)
{
	if (key->mv_size == IL_DATA_NAME_MAX && memcmp(key->mv_data, index_name, IL_DATA_NAME_MAX) == 0)
		return MDB_NOTFOUND;
	int rc = split(value, r);
	return !rc && is_gone(r) ? ECANCELED : rc;
}

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
		uint64_t bytes = htobe64((uint64_t)*due);
		MDB_val key = { DUE, &bytes }, name = { e->name_size, (void *)e->name };
		rc = mdb_put(txn, index, &key, &name, MDB_NOOVERWRITE);
		if (rc != MDB_KEYEXIST)
			return rc;
	}
}

static int index_delete(MDB_txn *txn, MDB_dbi index, int64_t due)
{
	uint64_t bytes = htobe64((uint64_t)due);
	MDB_val key = { DUE, &bytes };
	int rc = due ? mdb_del(txn, index, &key, NULL) : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The next one that is gone, in order of time. */
static int next_gone(MDB_cursor *cursor, int64_t now, MDB_val *name)
{
	uint64_t bytes;
	MDB_val key;
	int rc = mdb_cursor_get(cursor, &key, name, MDB_NEXT);
	if (rc)
		return rc;
	if (key.mv_size != DUE)
		return MDB_CORRUPTED;
	memcpy(&bytes, key.mv_data, DUE);
	return (int64_t)be64toh(bytes) <= now ? 0 : MDB_NOTFOUND;
}

static int count_gone(MDB_txn *txn, MDB_dbi index, int64_t *gone)
{
	MDB_cursor *cursor;
	MDB_val name;
	int64_t now = il_wall_now();
	int rc = mdb_cursor_open(txn, index, &cursor);
	if (rc)
		return rc;
	for (*gone = 0; (rc = next_gone(cursor, now, &name)) == 0;)
		++*gone;
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Counting ---------------------------------------------------------------------------------------------- */

static inline size_t pages_of(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

int il_record_pages(struct il_store *s, MDB_txn *txn, size_t *pages)
{
	MDB_stat stat;
	MDB_dbi index;
	int rc = mdb_stat(txn, s->dbi, &stat);
	*pages = rc ? 0 : pages_of(&stat);
	if (rc || !il_get(&s->control->expiring))
		return rc;
	rc = open_index(s, txn, false, &index);
	if (!rc)
		rc = mdb_stat(txn, index, &stat);
	if (!rc)
		*pages += pages_of(&stat);
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
		rc = count_gone(txn, index, &gone);
	if (!rc)
		*names -= gone + 1;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Changing ---------------------------------------------------------------------------------------------- */

/* Reserved, so that there is one copy. */
static inline int write(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t due)
{
	size_t head = IL_STORE_VERSION + (due ? DUE : 0);
	int64_t version = (int64_t)mdb_txn_id(txn);
	MDB_val key = { e->name_size, (void *)e->name }, value = { e->size + head, NULL };
	int rc = mdb_put(txn, s->dbi, &key, &value, MDB_RESERVE);
	if (rc)
		return rc;
	if (due) {
		version = -version;
		memcpy((char *)value.mv_data + IL_STORE_VERSION, &due, DUE);
	}
	memcpy(value.mv_data, &version, IL_STORE_VERSION);
	memcpy((char *)value.mv_data + head, e->value, e->size);
	return 0;
}

/* It was to go at `before`, and is to go at *due. */
static int index_move(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t before, int64_t *due)
{
	MDB_dbi index;
	if (!before && !*due)
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
	int rc = find_stored(s, txn, e->name, e->name_size, &old);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	if (ttl == IL_TTL_KEEP && !is_gone(&old))
		return write(s, txn, e, old.due);
	int64_t due = ttl > 0 ? il_time_add(il_wall_now(), ttl) : 0;
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
	MDB_stat before, after;
	if (ttl > 0 || il_get(&s->control->expiring))
		return set_due(s, txn, e, ttl);
	int rc = mdb_stat(txn, s->dbi, &before);
	if (!rc)
		rc = write(s, txn, e, 0);
	if (!rc)
		rc = mdb_stat(txn, s->dbi, &after);
	return rc ? rc : check_pages(s, pages_of(&before), pages_of(&after));
}

static int delete_due(struct il_store *s, MDB_txn *txn, MDB_val *key)
{
	struct il_stored old;
	MDB_dbi index;
	int rc = find_stored(s, txn, key->mv_data, key->mv_size, &old);
	bool gone = !rc && is_gone(&old);
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
	int64_t now = il_wall_now();
	int rc = 0, swept = 0;
	MDB_val name;
	for (; swept < SWEEP && (rc = next_gone(cursor, now, &name)) == 0; swept++) {
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
