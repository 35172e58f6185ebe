/* SPDX-License-Identifier: MIT
 *
 * The records of a store, for what looks at them. Floor 2: no lua.h.
 */
#ifndef IL_STORE_SHARED_DATA_H
#define IL_STORE_SHARED_DATA_H

#include "engines/store/store.h"

/* All return LMDB's results. What they find is in the map, and good until the transaction changes or ends. */

/* A name's version and value. */
int il_store_find(struct il_store *s, MDB_txn *txn, const void *name, size_t size, struct il_entry *e);

/* Those of a record. */
int il_store_split(const MDB_val *record, struct il_entry *e);

/* Calls `use` with a cursor of the transaction. */
int il_store_with_cursor(struct il_store *s, MDB_txn *txn,
	int (*use)(struct il_store *s, MDB_cursor *cursor, void *arg), void *arg);

#endif
