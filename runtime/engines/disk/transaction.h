/* SPDX-License-Identifier: MIT
 *
 * Reading and changing tables in a transaction: all changes are made by these functions, which know of what has to be
 * taken back and of what goes to disk. Results are LMDB's: 0, MDB_NOTFOUND and the like, or errno. What is found is
 * LMDB's memory: good until the next change in the transaction, and until its end. Floor 2: no lua.h.
 */
#ifndef IL_DISK_TRANSACTION_H
#define IL_DISK_TRANSACTION_H

#include "engines/disk/environment.h"

/* The database of a table. In a change: opens it, and makes it if it is not there and `make`; else MDB_NOTFOUND. When
 * reading: EAGAIN, if this process has not opened it. */
int il_disk_table_use(struct il_disk_txn *t, struct il_disk_table *table, bool make);

/* The table has to be in use in this transaction. */
int il_disk_get(struct il_disk_txn *t, const struct il_disk_table *table, const void *key, size_t size, MDB_val *value);
int il_disk_stat(struct il_disk_txn *t, const struct il_disk_table *table, MDB_stat *stat);

/* To read by, and close before the transaction ends; changes of the table leave it where it is. */
int il_disk_cursor(struct il_disk_txn *t, const struct il_disk_table *table, MDB_cursor **cursor);

/* In a change. A key has from 1 to 511 bytes. */
int il_disk_put(struct il_disk_txn *t, struct il_disk_table *table, const void *key, size_t size, const void *value,
	size_t value_size);
int il_disk_delete(struct il_disk_txn *t, struct il_disk_table *table, const void *key, size_t size);

/* In a change: nothing is in the table any more; or it is gone, too. */
int il_disk_empty(struct il_disk_txn *t, struct il_disk_table *table);
int il_disk_remove(struct il_disk_txn *t, struct il_disk_table *table);

/* In a change: tells what waits for the key (il_disk_change.key), here and in other processes, when it is committed. */
void il_disk_announce(struct il_disk_txn *t, uint64_t key);

/* The same of everything that waits: too many keys have changed, or not all are known. */
void il_disk_announce_all(struct il_disk_txn *t);

/* A key of bytes, such as the name of a table, that goes on from another key, or from 0. */
uint64_t il_disk_key_of(uint64_t key, const void *bytes, size_t size);

#endif
