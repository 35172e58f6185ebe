/* SPDX-License-Identifier: MIT
 *
 * Changing and counting the records of shared data in a store: the names of stored.h, and their index. That is a
 * database of its own, whose record LMDB keeps among the names: as the last one, see IL_DATA_NAME_KEPT. All functions
 * return LMDB's results, or errno. Floor 2: no lua.h.
 */
#ifndef IL_STORE_RECORD_H
#define IL_STORE_RECORD_H

#include "engines/store/store.h"
#include "engines/stored.h"

/* Calls `use` with a cursor of the names. */
int il_record_with_cursor(struct il_store *s, MDB_txn *txn,
	int (*use)(struct il_store *s, MDB_cursor *cursor, void *arg), void *arg);

/* How many are there, and the pages that all take. */
int il_record_count(struct il_store *s, MDB_txn *txn, int64_t *names, size_t *pages);
int il_record_pages(struct il_store *s, MDB_txn *txn, size_t *pages);

/* With the write lock: sets; the version is the transaction's. */
int il_record_put(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t ttl);

/* The same, if there is room for it. ENOSPC */
int il_record_set(struct il_store *s, MDB_txn *txn, const struct il_entry *e, int64_t ttl);

/* After several: there were so many pages before. ENOSPC */
int il_record_check_room(struct il_store *s, MDB_txn *txn, size_t before);

/* Deletes. MDB_NOTFOUND: it was not there, or was gone. */
int il_record_delete(struct il_store *s, MDB_txn *txn, const void *name, size_t size);

/* Deletes all. */
int il_record_clear(struct il_store *s, MDB_txn *txn);

/* Deletes some of those that are gone: MDB_NOTFOUND: there are none. */
int il_record_sweep(struct il_store *s, MDB_txn *txn);

#endif
