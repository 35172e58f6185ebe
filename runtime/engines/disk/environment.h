/* SPDX-License-Identifier: MIT
 *
 * The LMDB environment of a folder: opened once in a process, whatever the number of objects in it, and not through a
 * fork. Its tables are named databases of LMDB, one or several for an object. Changes are made on a thread of their own
 * (change.h); what is read on the loop's thread is what was committed last. Floor 2: no lua.h.
 */
#ifndef IL_DISK_ENVIRONMENT_H
#define IL_DISK_ENVIRONMENT_H

#include "base/list.h"
#include "base/table.h"
#include "engines/disk/control.h"
#include "engines/engine.h"
#include "loop/futex.h"
#include "loop/timer.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A named database in this process. */
struct il_disk_table {
	struct il_list node;
	uint32_t refs;
	uint32_t opened; /* the il_disk.openings in which `dbi` is good; 0: none */
	MDB_dbi dbi;
	char name[];
};

struct il_disk {
	struct il_list node;
	struct il_table_item item; /* among all, by its control file */
	uint64_t device, inode; /* of that */
	struct il_disk_control *control;
	int fd; /* of that */
	const char *warning; /* of the folder, or NULL */
	uint32_t refs; /* objects, and a batch that is under way */
	uint32_t generation; /* whose environment it is */
	MDB_env *env; /* NULL: not open in this process */
	size_t page; /* bytes of a page of it */
	uint64_t blocks; /* pages of data.mdb that surely have blocks on the disk, see room.h */
	char *record; /* of a transaction, see commit.h: a page */
	struct il_list tables; /* of struct il_disk_table */
	_Atomic uint32_t openings; /* of tables: goes up when those of before are not good any more */
	pthread_mutex_t reading; /* the loop reads, or the helper takes away what a reader may use */
	MDB_txn *reader; /* reset between reads; NULL: none yet */
	MDB_txn *pin; /* see soon.h */
	bool committed; /* this process has, since it was saved last */
	bool soon; /* the batch: none of its changes waits for the disk */
	bool full; /* the batch: a change has no room until pages that were given back can be used, see room.h */
	bool save, end; /* the batch is to do so, see soon.h */
	bool save_next; /* the next one is */
	struct il_timer timer; /* until it is saved */
	_Atomic bool broken; /* LMDB does not know what is on the disk: to be opened again */
	/* Changes, see change.h */
	pthread_mutex_t mutex; /* of `queued` */
	struct il_list queued, running;
	struct il_disk_watch *watches; /* of the words, the loop's; NULL: no change has waited yet */
	struct il_disk_batch *batch; /* that is under way */
	char path[];
};

/* What is read or changed in, on the loop's or the helper's thread. */
struct il_disk_txn {
	struct il_disk *disk;
	MDB_txn *txn;
	uint64_t number; /* of a change: no later transaction has it */
	uint32_t puts; /* changes that were made in it */
	size_t recorded; /* bytes of these in the record */
	bool large; /* they do not fit there */
	bool soon; /* its commit does not wait for the disk */
	uint64_t announced[IL_DISK_WORDS / 64]; /* words to raise before the commit */
	uint64_t grown; /* pages that were requested, see room.h */
	bool changes; /* it is no reader's */
};

/* Opens the folder of a key; each open is counted. 0 or errno; ENOENT: it is not there, and was to be (`existing`). */
int il_disk_open(const char *path, bool existing, struct il_disk **d);
void il_disk_drop(struct il_disk *d);

/* Opens the environment, if this process has not. 0 or errno. */
int il_disk_enter(struct il_disk *d);

/* Its table of this name, and not yet a database; each is counted. NULL: no memory. */
struct il_disk_table *il_disk_table(struct il_disk *d, const char *name);
void il_disk_table_drop(struct il_disk *d, struct il_disk_table *table);

/* A look at the last commit, on the loop's thread, which must not be left between these two. 0; EAGAIN: this cannot be
 * read here now, so it is to be read by a change; or errno. */
int il_disk_read(struct il_disk *d, struct il_disk_txn *t);
void il_disk_read_end(struct il_disk *d, struct il_disk_txn *t);

/* errno of LMDB's result. */
int il_disk_errno(int rc);

/* The objects are closed, or just left. */
void il_disk_fini(void);

#endif
