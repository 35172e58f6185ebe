/* SPDX-License-Identifier: MIT
 *
 * The records of a store, for what looks at them. Floor 2: no lua.h.
 */
#ifndef IL_STORE_SHARED_DATA_H
#define IL_STORE_SHARED_DATA_H

#include "engines/store/store.h"

/* A name's version and value, where they are in the map: for a look. */
int il_store_find(struct il_store *s, MDB_txn *txn, const void *name, size_t size, struct il_entry *e);

#endif
