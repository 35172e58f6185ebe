/* SPDX-License-Identifier: MIT
 *
 * Shared data in a database of LMDB, for the engines that have it in shared memory and on a disk: names with versions
 * and values. A second database, the index, has the times at which names are gone as keys, each once, and the names as
 * values. A name that is gone is not found any more, and stays until the engine deletes it. To change is the engine's.
 * All functions return LMDB's results, or errno. What they find is in the map: it is good until the transaction changes
 * or ends. Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_STORED_H
#define IL_ENGINES_STORED_H

#include "engines/engine.h"

#include <endian.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { IL_STORED_HEAD = 16 /* bytes in front of a value at most */ };

/* An entry, and when it is gone. */
struct il_stored {
	struct il_entry entry;
	int64_t due; /* ns of the wall clock; 0: never */
};

/* What was copied out of the map, in bytes of malloc. */
struct il_stored_copy {
	char *bytes;
	size_t size, room;
};

/* Reading ------------------------------------------------------------------------------------------------- */

bool il_stored_is_gone(const struct il_stored *r);

/* A name that is there, gone or not; and one that is there and not gone. */
int il_stored_get(MDB_txn *txn, MDB_dbi names, const void *name, size_t size, struct il_stored *r);
int il_stored_find(MDB_txn *txn, MDB_dbi names, const void *name, size_t size, struct il_stored *r);

/* ESTALE: the name has not this version; 0: that it is not there. */
int il_stored_check(MDB_txn *txn, MDB_dbi names, const void *name, size_t size, int64_t version);

/* The first name behind this one, or of all if it is NULL. */
int il_stored_next(MDB_cursor *cursor, const void *name, size_t size, MDB_val *key, struct il_stored *r);

/* All names that begin with the prefix, as il_data_ops.each has them. After an error, too, c->bytes is to be freed. */
int il_stored_list(MDB_cursor *cursor, const char *prefix, size_t size, struct il_stored_copy *c);

/* So that it has room for so many bytes in all. ENOMEM */
int il_stored_reserve(struct il_stored_copy *c, size_t size);

/* The pages of a database are added. */
static inline int il_stored_add_pages(MDB_txn *txn, MDB_dbi dbi, size_t *pages)
{
	MDB_stat stat;
	int rc = mdb_stat(txn, dbi, &stat);
	if (!rc)
		*pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	return rc;
}

/* Writing ------------------------------------------------------------------------------------------------- */

/* When a name is gone that is set with this ttl, and was as in `old`. */
int64_t il_stored_due(const struct il_stored *old, int64_t ttl);

/* Bytes in front of a value that is gone at this time, and how they are written. */
static inline size_t il_stored_head(int64_t due)
{
	return due ? IL_STORED_HEAD : IL_STORED_HEAD / 2;
}

static inline void il_stored_write_head(char *head, int64_t version, int64_t due)
{
	if (due) {
		version = -version;
		memcpy(head + IL_STORED_HEAD / 2, &due, sizeof due);
	}
	memcpy(head, &version, sizeof version);
}

/* The index ----------------------------------------------------------------------------------------------- */

/* In the order of time. */
static inline uint64_t il_stored_key(int64_t due)
{
	return htobe64((uint64_t)due);
}

/* The next one that is gone. MDB_NOTFOUND: there is none. */
int il_stored_next_gone(MDB_cursor *cursor, int64_t now, int64_t *due, MDB_val *name);

int il_stored_count_gone(MDB_txn *txn, MDB_dbi index, int64_t *gone);

#endif
