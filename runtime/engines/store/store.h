/* SPDX-License-Identifier: MIT
 *
 * The engine of shared data: an LMDB database for each object, in a directory of /dev/shm, with a small file beside
 * it through which changes are announced. A struct il_store is one such directory in this process, whatever the
 * number of handles.
 * Floor 2: no lua.h.
 */
#ifndef IL_STORE_H
#define IL_STORE_H

#include "base/list.h"
#include "base/table.h"
#include "engines/engine.h"
#include "engines/store/directory.h"
#include "engines/store/gate.h"
#include "engines/wait_queue.h"
#include "engines/waiters.h"
#include "loop/recheck.h"
#include "loop/timer.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { IL_STORE_ON_COUNT = 1, IL_STORE_LISTED = 2, IL_STORE_WAITERS = 64 };

/* The file "control". */
struct il_store_control {
	uint64_t magic;
	uint32_t layout;
	uint32_t page; /* bytes */
	uint64_t size; /* as it was asked for */
	uint64_t pages; /* names and values may take */
	uint64_t map; /* bytes of data.mdb */
	uint64_t pids; /* the pid namespace in which LMDB's locks mean something */
	uint32_t changes; /* futex: goes up, with the write lock, before anything is committed */
	uint32_t parked; /* IL_STORE_ON_COUNT: a process sleeps on it; IL_STORE_LISTED: one is in the table */
	uint32_t removed;
	uint32_t expiring; /* names may be to go at a time: stays 1, from before the first is committed */
	uint64_t data, lock; /* the inodes of these files: a copy of the directory has others */
	char path[IL_STORE_PATH]; /* of the directory; empty for a private one */
	struct il_gate writing; /* in front of LMDB's write lock, */
	struct il_gate opening; /* and of what it locks when an environment is opened */
	struct il_waiters_head waiting;
	struct il_waiter waiters[IL_STORE_WAITERS]; /* which processes sleep for which names */
	uint64_t recent[IL_RECENT]; /* the keys of the names that changed last */
};

struct il_store {
	struct il_list node;
	struct il_table_item item; /* among all, by its control file */
	struct il_store_control *control;
	struct il_store_files files;
	int refs; /* handles */
	int guard; /* descriptor of a private directory, or -1, see directory.c */
	uint32_t generation; /* whose environment it is */
	MDB_env *env; /* NULL: not open in this process */
	MDB_txn *reader; /* reset between reads; NULL: none yet */
	MDB_cursor *cursor; /* the reader's */
	MDB_dbi dbi;
	int fds[2]; /* the environment's */
	char *buffer; /* what was read last */
	size_t room;
	struct il_wait_queue waits; /* waits of this process */
	struct il_waiters waiters;
	MDB_txn *txn; /* with which they look */
	struct {
		struct il_patience writer, opener, reader;
	} patience; /* with the process that is inside, that opens, that keeps pages from being used */
	struct il_timer due; /* a name that is waited for is gone, at due_at */
	int64_t due_at;
	struct il_list calls; /* operations that wait until one of these has gone on */
	struct il_recheck later; /* tries them again */
	char path[IL_STORE_PATH];
};

/* Opens or makes the store of a key; each open is counted. 0 or errno; EEXIST: it has another size, o->found. */
int il_store_open(const struct il_key *key, struct il_data_options *o, struct il_store **s);
void il_store_drop(struct il_store *s);

/* Reads what there is of a store without opening it: its control file, whose descriptor is `fd` or -1, and how many
 * names are in it. 0; or errno, as of il_store_open. */
int il_store_read_files(const char *path, int fd, struct il_store_control *control, int64_t *names);

/* Ends the waits, and frees the name. */
int il_store_remove(struct il_store *s, bool patiently);

#endif
