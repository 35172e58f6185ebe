/* SPDX-License-Identifier: MIT
 *
 * Shared data in LMDB, see stored.h. A record begins with eight bytes of version, then comes the value. The version of
 * a name that is to go is stored as a negative number, and eight bytes of time follow it.
 * Floor 2.
 */
#include "engines/stored.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 8, DUE = 8 /* bytes */, FIRST_ROOM = 64 };

_Static_assert(VERSION + DUE == IL_STORED_HEAD && VERSION == DUE, "il_stored_head");

/* Reading ------------------------------------------------------------------------------------------------- */

static inline int split(const MDB_val *record, struct il_stored *r)
{
	size_t head = VERSION;
	r->due = 0;
	if (record->mv_size < head)
		return MDB_CORRUPTED;
	memcpy(&r->entry.version, record->mv_data, VERSION);
	if (r->entry.version <= 0) {
		head += DUE;
		if (record->mv_size < head || r->entry.version <= INT64_MIN)
			return MDB_CORRUPTED;
		memcpy(&r->due, (const char *)record->mv_data + VERSION, DUE);
		r->entry.version = -r->entry.version;
	}
	r->entry.value = (const char *)record->mv_data + head;
	r->entry.size = record->mv_size - head;
	return r->entry.version > 0 ? 0 : MDB_CORRUPTED;
}

bool il_stored_is_gone(const struct il_stored *r)
{
	return r->due && r->due <= il_wall_now();
}

int il_stored_get(MDB_txn *txn, MDB_dbi names, const void *name, size_t size, struct il_stored *r)
{
	MDB_val key = { size, (void *)name }, record;
	int rc = mdb_get(txn, names, &key, &record);
	return rc ? rc : split(&record, r);
}

int il_stored_find(MDB_txn *txn, MDB_dbi names, const void *name, size_t size, struct il_stored *r)
{
	int rc = il_stored_get(txn, names, name, size, r);
	return !rc && il_stored_is_gone(r) ? MDB_NOTFOUND : rc;
}

int il_stored_check(MDB_txn *txn, MDB_dbi names, const void *name, size_t size, int64_t version)
{
	struct il_stored r;
	if (version == IL_ANY_VERSION)
		return 0;
	int rc = il_stored_find(txn, names, name, size, &r);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	return (rc ? 0 : r.entry.version) == version ? 0 : ESTALE;
}

/* What a cursor has found. ECANCELED: it is gone; MDB_NOTFOUND: the last of all names, which is the engine's. */
static int read_found(const MDB_val *key, const MDB_val *record, struct il_stored *r)
{
	if (key->mv_size == IL_DATA_NAME_MAX && memcmp(key->mv_data, IL_DATA_NAME_KEPT, IL_DATA_NAME_MAX) == 0)
		return MDB_NOTFOUND;
	int rc = split(record, r);
	return !rc && il_stored_is_gone(r) ? ECANCELED : rc;
}

int il_stored_next(MDB_cursor *cursor, const void *name, size_t size, MDB_val *key, struct il_stored *r)
{
	MDB_val record;
	*key = (MDB_val){ size, (void *)name };
	int rc = mdb_cursor_get(cursor, key, &record, name ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && name && key->mv_size == size && memcmp(key->mv_data, name, size) == 0)
		rc = mdb_cursor_get(cursor, key, &record, MDB_NEXT);
	while (!rc && (rc = read_found(key, &record, r)) == ECANCELED)
		rc = mdb_cursor_get(cursor, key, &record, MDB_NEXT);
	return rc;
}

int il_stored_reserve(struct il_stored_copy *c, size_t size)
{
	size_t room = c->room ? c->room : FIRST_ROOM;
	while (room < size)
		room *= 2;
	char *bytes = room > c->room ? realloc(c->bytes, room) : c->bytes;
	if (!bytes)
		return ENOMEM;
	c->bytes = bytes;
	c->room = room;
	return 0;
}

static int add(struct il_stored_copy *c, const MDB_val *key, const MDB_val *record)
{
	struct il_stored r;
	int rc = read_found(key, record, &r);
	if (rc)
		return rc == ECANCELED ? 0 : rc;
	struct il_listed head = { .version = r.entry.version, .name_size = key->mv_size, .size = r.entry.size };
	rc = il_stored_reserve(c, c->size + il_listed_size(&head));
	if (rc)
		return rc;
	char *to = mempcpy(c->bytes + c->size, &head, sizeof head);
	to = mempcpy(to, key->mv_data, key->mv_size);
	memcpy(to, r.entry.value, r.entry.size);
	c->size += il_listed_size(&head);
	return 0;
}

static bool begins(const MDB_val *key, const char *prefix, size_t size)
{
	return key->mv_size >= size && memcmp(key->mv_data, prefix, size) == 0;
}

int il_stored_list(MDB_cursor *cursor, const char *prefix, size_t size, struct il_stored_copy *c)
{
	MDB_val key = { size, (void *)prefix }, record;
	c->size = 0;
	int rc = mdb_cursor_get(cursor, &key, &record, size ? MDB_SET_RANGE : MDB_FIRST);
	while (!rc && begins(&key, prefix, size)) {
		rc = add(c, &key, &record);
		if (!rc)
			rc = mdb_cursor_get(cursor, &key, &record, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Writing ------------------------------------------------------------------------------------------------- */

int64_t il_stored_due(const struct il_stored *old, int64_t ttl)
{
	if (ttl == IL_TTL_KEEP)
		return il_stored_is_gone(old) ? 0 : old->due;
	return ttl > 0 ? il_time_add(il_wall_now(), ttl) : 0;
}

/* The index ----------------------------------------------------------------------------------------------- */

int il_stored_next_gone(MDB_cursor *cursor, int64_t now, int64_t *due, MDB_val *name)
{
	uint64_t bytes;
	MDB_val key;
	int rc = mdb_cursor_get(cursor, &key, name, MDB_NEXT);
	if (rc)
		return rc;
	if (key.mv_size != sizeof bytes)
		return MDB_CORRUPTED;
	memcpy(&bytes, key.mv_data, sizeof bytes);
	*due = (int64_t)be64toh(bytes);
	return *due <= now ? 0 : MDB_NOTFOUND;
}

int il_stored_count_gone(MDB_txn *txn, MDB_dbi index, int64_t *gone)
{
	MDB_cursor *cursor;
	MDB_val name;
	int64_t due, now = il_wall_now();
	int rc = mdb_cursor_open(txn, index, &cursor);
	if (rc)
		return rc;
	for (*gone = 0; (rc = il_stored_next_gone(cursor, now, &due, &name)) == 0;)
		++*gone;
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
