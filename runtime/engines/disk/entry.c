/* SPDX-License-Identifier: MIT
 *
 * Entries, see entry.h. A second name of the same nanosecond has the next in the index.
 * Floor 2.
 */
#include "engines/disk/entry.h"
#include "base/clock.h"
#include "engines/disk/room.h"

#include <errno.h>
#include <string.h>

enum { AT_ONCE = 64 };

/* The index ----------------------------------------------------------------------------------------------- */

static int index_add(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, int64_t *due)
{
	MDB_val other;
	for (int rc = 0;; ++*due) {
		uint64_t key = il_stored_key(*due);
		rc = il_disk_get(t, d->object.index, &key, sizeof key, &other);
		if (rc == MDB_NOTFOUND)
			return il_disk_put(t, d->object.index, &key, sizeof key, e->name, e->name_size);
		if (rc)
			return rc;
	}
}

static int index_delete(struct il_disk_data *d, struct il_disk_txn *t, int64_t due)
{
	uint64_t key = il_stored_key(due);
	int rc = due ? il_disk_delete(t, d->object.index, &key, sizeof key) : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* It was to go at `before`, and is to go at *due. */
static int index_move(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, int64_t before,
	int64_t *due)
{
	if (before == *due)
		return 0;
	int rc = index_delete(d, t, before);
	return rc || !*due ? rc : index_add(d, t, e, due);
}

/* Counting ------------------------------------------------------------------------------------------------ */

int il_disk_entries_pages(struct il_disk_data *d, struct il_disk_txn *t, size_t *pages)
{
	*pages = 0;
	int rc = il_stored_add_pages(t->txn, d->object.table->dbi, pages);
	return rc ? rc : il_stored_add_pages(t->txn, d->object.index->dbi, pages);
}

int il_disk_entries_count(struct il_disk_data *d, struct il_disk_txn *t, int64_t *names, size_t *pages)
{
	MDB_stat st;
	int64_t gone;
	int rc = il_disk_entries_pages(d, t, pages);
	if (!rc)
		rc = il_disk_stat(t, d->object.table, &st);
	if (!rc)
		rc = il_stored_count_gone(t->txn, d->object.index->dbi, &gone);
	if (!rc)
		*names = (int64_t)st.ms_entries - gone;
	return rc;
}

/* Changing ------------------------------------------------------------------------------------------------ */

int il_disk_entry_set(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, char *record,
	int64_t ttl)
{
	struct il_stored old = { .due = 0 };
	int rc = il_disk_make_room(t, e->size);
	if (!rc)
		rc = il_stored_get(t->txn, d->object.table->dbi, e->name, e->name_size, &old);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	int64_t due = il_stored_due(&old, ttl);
	rc = index_move(d, t, e, old.due, &due);
	if (rc)
		return rc;
	size_t head = il_stored_head(due);
	record += IL_STORED_HEAD - head;
	il_stored_write_head(record, e->version, due);
	return il_disk_put(t, d->object.table, e->name, e->name_size, record, head + e->size);
}

int il_disk_entry_delete(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size)
{
	struct il_stored old;
	int rc = il_stored_get(t->txn, d->object.table->dbi, name, size, &old);
	bool gone = !rc && il_stored_is_gone(&old);
	if (!rc)
		rc = index_delete(d, t, old.due);
	if (!rc)
		rc = il_disk_delete(t, d->object.table, name, size);
	return !rc && gone ? MDB_NOTFOUND : rc;
}

/* The first one that is gone. MDB_NOTFOUND: there is none. */
static int sweep_one(struct il_disk_data *d, struct il_disk_txn *t)
{
	MDB_cursor *cursor;
	MDB_val name;
	int64_t due;
	char copy[IL_DATA_NAME_MAX];
	int rc = il_disk_cursor(t, d->object.index, &cursor);
	if (rc)
		return rc;
	rc = il_stored_next_gone(cursor, il_wall_now(), &due, &name);
	if (!rc && name.mv_size > sizeof copy)
		rc = MDB_CORRUPTED;
	if (!rc)
		memcpy(copy, name.mv_data, name.mv_size);
	mdb_cursor_close(cursor);
	if (!rc)
		rc = il_disk_delete(t, d->object.table, copy, name.mv_size);
	return rc ? rc : index_delete(d, t, due);
}

/* What takes no more than before is allowed. */
int il_disk_entries_fit(struct il_disk_data *d, struct il_disk_txn *t, size_t before)
{
	size_t after, most = d->object.size / t->disk->page;
	int rc = il_disk_entries_pages(d, t, &after);
	while (!rc && after > before && after > most) {
		for (int i = 0; i < AT_ONCE && !rc; i++)
			rc = sweep_one(d, t);
		if (rc == MDB_NOTFOUND) {
			rc = il_disk_entries_pages(d, t, &after);
			return rc ? rc : after > before && after > most ? ENOSPC : 0;
		}
		if (!rc)
			rc = il_disk_entries_pages(d, t, &after);
	}
	return rc;
}

int il_disk_entries_clear(struct il_disk_data *d, struct il_disk_txn *t)
{
	int rc = il_disk_empty(t, d->object.table);
	return rc ? rc : il_disk_empty(t, d->object.index);
}
