/* SPDX-License-Identifier: MIT
 *
 * Entries, see entry.h. A record is eight bytes of version, eight of the time when it is gone, and the value. The index
 * is a table of its own with these times as keys, each once: a second name of the same nanosecond has the next.
 * Floor 2.
 */
#include "engines/disk/entry.h"
#include "base/clock.h"
#include "engines/disk/room.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { AT_ONCE = 64 };

/* Reading ------------------------------------------------------------------------------------------------- */

static int split(const MDB_val *record, struct il_disk_entry *e)
{
	if (record->mv_size < IL_DISK_ENTRY_HEAD)
		return MDB_CORRUPTED;
	memcpy(&e->entry.version, record->mv_data, 8);
	memcpy(&e->due, (const char *)record->mv_data + 8, 8);
	e->entry.value = (const char *)record->mv_data + IL_DISK_ENTRY_HEAD;
	e->entry.size = record->mv_size - IL_DISK_ENTRY_HEAD;
	return e->entry.version > 0 ? 0 : MDB_CORRUPTED;
}

static bool is_gone(const struct il_disk_entry *e)
{
	return e->due && e->due <= il_wall_now();
}

/* Gone or not. */
static int find(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size, struct il_disk_entry *e)
{
	MDB_val record;
	int rc = il_disk_get(t, d->object.table, name, size, &record);
	return rc ? rc : split(&record, e);
}

int il_disk_entry_find(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size,
	struct il_disk_entry *e)
{
	int rc = find(d, t, name, size, e);
	return !rc && is_gone(e) ? MDB_NOTFOUND : rc;
}

int il_disk_entry_read(const MDB_val *record, struct il_disk_entry *e)
{
	int rc = split(record, e);
	return !rc && is_gone(e) ? ECANCELED : rc;
}

/* The index ----------------------------------------------------------------------------------------------- */

/* The first time that is over; the name is in the map. */
static int next_gone(MDB_cursor *cursor, int64_t now, uint64_t *due, MDB_val *name)
{
	MDB_val key;
	int rc = mdb_cursor_get(cursor, &key, name, MDB_NEXT);
	if (rc)
		return rc;
	if (key.mv_size != sizeof *due)
		return MDB_CORRUPTED;
	memcpy(due, key.mv_data, sizeof *due);
	return (int64_t)be64toh(*due) <= now ? 0 : MDB_NOTFOUND;
}

static int count_gone(struct il_disk_data *d, struct il_disk_txn *t, int64_t *gone)
{
	MDB_cursor *cursor;
	MDB_val name;
	uint64_t due;
	int64_t now = il_wall_now();
	*gone = 0;
	int rc = il_disk_cursor(t, d->object.index, &cursor);
	if (rc)
		return rc;
	while ((rc = next_gone(cursor, now, &due, &name)) == 0)
		++*gone;
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int index_add(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, int64_t *due)
{
	MDB_val other;
	for (int rc = 0;; ++*due) {
		uint64_t key = htobe64((uint64_t)*due);
		rc = il_disk_get(t, d->object.index, &key, sizeof key, &other);
		if (rc == MDB_NOTFOUND)
			return il_disk_put(t, d->object.index, &key, sizeof key, e->name, e->name_size);
		if (rc)
			return rc;
	}
}

static int index_delete(struct il_disk_data *d, struct il_disk_txn *t, int64_t due)
{
	uint64_t key = htobe64((uint64_t)due);
	int rc = due ? il_disk_delete(t, d->object.index, &key, sizeof key) : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Counting ------------------------------------------------------------------------------------------------ */

static int add_pages(struct il_disk_txn *t, const struct il_disk_table *table, size_t *pages)
{
	MDB_stat st;
	int rc = il_disk_stat(t, table, &st);
	if (!rc)
		*pages += st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
	return rc;
}

int il_disk_entries_pages(struct il_disk_data *d, struct il_disk_txn *t, size_t *pages)
{
	*pages = 0;
	int rc = add_pages(t, d->object.table, pages);
	return rc ? rc : add_pages(t, d->object.index, pages);
}

int il_disk_entries_count(struct il_disk_data *d, struct il_disk_txn *t, int64_t *names, size_t *pages)
{
	MDB_stat st;
	int64_t gone;
	int rc = il_disk_entries_pages(d, t, pages);
	if (!rc)
		rc = il_disk_stat(t, d->object.table, &st);
	if (!rc)
		rc = count_gone(d, t, &gone);
	if (!rc)
		*names = (int64_t)st.ms_entries - gone;
	return rc;
}

/* Changing ------------------------------------------------------------------------------------------------ */

int il_disk_entry_set(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, char *record,
	int64_t ttl)
{
	struct il_disk_entry old = { .due = 0 };
	int rc = il_disk_make_room(t, e->size);
	if (!rc)
		rc = find(d, t, e->name, e->name_size, &old);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	bool keeps = ttl == IL_TTL_KEEP && !is_gone(&old);
	int64_t due = keeps ? old.due : ttl > 0 ? il_time_add(il_wall_now(), ttl) : 0;
	rc = keeps ? 0 : index_delete(d, t, old.due);
	if (!rc && due && !keeps)
		rc = index_add(d, t, e, &due);
	if (rc)
		return rc;
	memcpy(record, &e->version, 8);
	memcpy(record + 8, &due, 8);
	return il_disk_put(t, d->object.table, e->name, e->name_size, record, IL_DISK_ENTRY_HEAD + e->size);
}

int il_disk_entry_delete(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size)
{
	struct il_disk_entry old;
	int rc = find(d, t, name, size, &old);
	bool gone = !rc && is_gone(&old);
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
	uint64_t due;
	char copy[IL_DATA_NAME_MAX];
	int rc = il_disk_cursor(t, d->object.index, &cursor);
	if (rc)
		return rc;
	rc = next_gone(cursor, il_wall_now(), &due, &name);
	if (!rc && name.mv_size > sizeof copy)
		rc = MDB_CORRUPTED;
	if (!rc)
		memcpy(copy, name.mv_data, name.mv_size);
	mdb_cursor_close(cursor);
	if (!rc)
		rc = il_disk_delete(t, d->object.table, copy, name.mv_size);
	if (!rc || rc == MDB_NOTFOUND)
		rc = rc ? rc : il_disk_delete(t, d->object.index, &due, sizeof due);
	return rc;
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
