/* SPDX-License-Identifier: MIT
 *
 * The entries of shared data on a disk: names with versions and values, and an index of those that are to go at a time.
 * The object has to be in use (il_disk_object_use). All functions return LMDB's results, or errno. What they find is in
 * the map, and good until the next change in the transaction, and until its end. Floor 2: no lua.h.
 */
#ifndef IL_DISK_ENTRY_H
#define IL_DISK_ENTRY_H

#include "engines/disk/shared_data.h"

enum { IL_DISK_ENTRY_HEAD = 16 /* bytes in front of a value */ };

struct il_disk_entry {
	struct il_entry entry;
	int64_t due; /* when it is gone, ns of the wall clock; 0: never */
};

/* A name that is there, and not gone. */
int il_disk_entry_find(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size,
	struct il_disk_entry *e);

/* What a cursor of the object's table has found. ECANCELED: it is gone. */
int il_disk_entry_read(const MDB_val *record, struct il_disk_entry *e);

/* How many there are, and how many pages all take. */
int il_disk_entries_count(struct il_disk_data *d, struct il_disk_txn *t, int64_t *names, size_t *pages);
int il_disk_entries_pages(struct il_disk_data *d, struct il_disk_txn *t, size_t *pages);

/* Sets a name: `record` has IL_DISK_ENTRY_HEAD bytes to be filled in, and then the value. */
int il_disk_entry_set(struct il_disk_data *d, struct il_disk_txn *t, const struct il_entry *e, char *record,
	int64_t ttl);

/* After a change, where there were so many pages before it: makes room, if need be, by deleting what is gone. ENOSPC */
int il_disk_entries_fit(struct il_disk_data *d, struct il_disk_txn *t, size_t before);

/* MDB_NOTFOUND: it was not there, or was gone. */
int il_disk_entry_delete(struct il_disk_data *d, struct il_disk_txn *t, const void *name, size_t size);

int il_disk_entries_clear(struct il_disk_data *d, struct il_disk_txn *t);

#endif
