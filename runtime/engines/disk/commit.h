/* SPDX-License-Identifier: MIT
 *
 * Commits that one wait for the disk makes durable, and what is done about the last one after a power cut.
 *
 * LMDB commits by writing pages that nothing refers to yet, waiting for the disk, writing one of two meta pages in
 * turn, and waiting again. Here both are written, together with a record of what the transaction changes, and waited
 * for once. A power cut in between leaves any of it. But it leaves the commit before whole: its meta page is the other
 * one, and LMDB uses no page again that it refers to. So the first process that comes goes back to that commit, and
 * makes the changes of the record again if that is whole. The record is behind the meta page's own bytes, which LMDB
 * leaves alone. A transaction that does not fit there is committed in LMDB's way. Floor 2: no lua.h.
 */
#ifndef IL_DISK_COMMIT_H
#define IL_DISK_COMMIT_H

#include "engines/disk/environment.h"

/* What a record says of a table. */
enum il_disk_step { IL_DISK_MAKE, IL_DISK_PUT, IL_DISK_DELETE, IL_DISK_EMPTY, IL_DISK_REMOVE };

/* Notes a change of a transaction, before it is made. */
void il_disk_note(struct il_disk_txn *t, enum il_disk_step step, const char *table, const MDB_val *key,
	const MDB_val *value);

/* With the lock: brings to the disk what a process that died has committed. 0 or errno; EIO: the disk has failed. */
int il_disk_sync_remainder(struct il_disk *d);

/* Commits, and waits for the disk. LMDB's result, or errno. */
int il_disk_commit(struct il_disk_txn *t);

/* What is to be gone on with. */
struct il_disk_left {
	bool again; /* il_disk_replay is to be called */
	uint64_t generation; /* of soon.h */
};

/* In an environment that no process has open, before this one opens it: goes back to the last commit that is surely
 * whole. `same`: the machine has not been started again since. 0 or errno; without the file there is nothing to do. */
int il_disk_go_back(const char *path, bool same, struct il_disk_left *left);

/* When it is open, and before others can open it: makes the changes of the record. LMDB's result. */
int il_disk_replay(struct il_disk *d);

#endif
