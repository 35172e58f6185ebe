/* SPDX-License-Identifier: MIT
 *
 * Changing and counting the entries of shared data on a disk: the names of stored.h are in the object's table, and
 * their index in its second one. The object has to be in use (il_disk_object_use). All functions return LMDB's results,
 * or errno. Floor 2: no lua.h.
 */
#ifndef IL_DISK_ENTRY_H
#define IL_DISK_ENTRY_H

#include "engines/disk/shared_data.h"
#include "engines/stored.h"

/* How many there are, and how many pages all take. */
int il_disk_entries_count(struct il_disk_data *d, struct il_disk_txn *t, int64_t *names, size_t *pages);
int il_disk_entries_pages(struct il_disk_data *d, struct il_disk_txn *t, size_t *pages);

/* Sets a name: `record` has IL_STORED_HEAD bytes to be filled in, and then the value. */
int il_disk_entry_set(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, char *record,
	int64_t ttl);

/* After a change, where there were so many pages before it: makes room, if need be, by deleting what is gone. ENOSPC */
int il_disk_entries_fit(struct il_disk_data *d, struct il_disk_txn *t, size_t before);

/* MDB_NOTFOUND: it was not there, or was gone. */
int il_disk_entry_delete(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size);

int il_disk_entries_clear(struct il_disk_data *d, struct il_disk_txn *t);

#endif
