/* SPDX-License-Identifier: MIT
 *
 * Tables in transactions, see transaction.h. Floor 2.
 */
#include "engines/disk/transaction.h"
#include "engines/disk/commit.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Only one transaction of a process may open tables: that of the helper. */
int il_disk_table_use(struct il_disk_txn *t, struct il_disk_table *table, bool make)
{
	uint32_t opening = atomic_load(&t->disk->openings);
	if (__atomic_load_n(&table->opened, __ATOMIC_ACQUIRE) == opening)
		return 0;
	if (!t->changes)
		return EAGAIN;
	int rc = mdb_dbi_open(t->txn, table->name, 0, &table->dbi);
	if (rc == MDB_NOTFOUND && make) {
		il_disk_note(t, IL_DISK_MAKE, table->name, NULL, NULL);
		rc = mdb_dbi_open(t->txn, table->name, MDB_CREATE, &table->dbi);
	}
	if (!rc)
		__atomic_store_n(&table->opened, opening, __ATOMIC_RELEASE);
	return rc;
}

int il_disk_get(struct il_disk_txn *t, const struct il_disk_table *table, const void *key, size_t size, MDB_val *value)
{
	MDB_val k = { size, (void *)key };
	return mdb_get(t->txn, table->dbi, &k, value);
}

int il_disk_stat(struct il_disk_txn *t, const struct il_disk_table *table, MDB_stat *stat)
{
	return mdb_stat(t->txn, table->dbi, stat);
}

int il_disk_cursor(struct il_disk_txn *t, const struct il_disk_table *table, MDB_cursor **cursor)
{
	return mdb_cursor_open(t->txn, table->dbi, cursor);
}

int il_disk_put(struct il_disk_txn *t, struct il_disk_table *table, const void *key, size_t size, const void *value,
	size_t value_size)
{
	MDB_val k = { size, (void *)key }, v = { value_size, (void *)value };
	il_disk_note(t, IL_DISK_PUT, table->name, &k, &v);
	return mdb_put(t->txn, table->dbi, &k, &v, 0);
}

int il_disk_delete(struct il_disk_txn *t, struct il_disk_table *table, const void *key, size_t size)
{
	MDB_val k = { size, (void *)key };
	int rc = mdb_del(t->txn, table->dbi, &k, NULL);
	if (rc != MDB_NOTFOUND)
		il_disk_note(t, IL_DISK_DELETE, table->name, &k, NULL);
	return rc;
}

int il_disk_empty(struct il_disk_txn *t, struct il_disk_table *table)
{
	il_disk_note(t, IL_DISK_EMPTY, table->name, NULL, NULL);
	return mdb_drop(t->txn, table->dbi, 0);
}

/* The loop's thread must not read the table while its place in LMDB is given up; so it is emptied before that. */
int il_disk_remove(struct il_disk_txn *t, struct il_disk_table *table)
{
	int rc = il_disk_empty(t, table);
	if (rc)
		return rc;
	il_disk_note(t, IL_DISK_REMOVE, table->name, NULL, NULL);
	pthread_mutex_lock(&t->disk->reading);
	rc = mdb_drop(t->txn, table->dbi, 1);
	__atomic_store_n(&table->opened, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&t->disk->reading);
	return rc;
}

void il_disk_announce(struct il_disk_txn *t, uint64_t key)
{
	uint32_t word = (uint32_t)(key % IL_DISK_WORDS);
	t->announced[word / 64] |= (uint64_t)1 << word % 64;
}

void il_disk_announce_all(struct il_disk_txn *t)
{
	memset(t->announced, 0xff, sizeof t->announced);
}

/* FNV-1a */
uint64_t il_disk_key_of(uint64_t key, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	key ^= 0xcbf29ce484222325;
	for (size_t i = 0; i < size; i++)
		key = (key ^ at[i]) * 0x100000001b3;
	return key ^ key >> 32;
}
