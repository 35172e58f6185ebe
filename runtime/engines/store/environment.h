/* SPDX-License-Identifier: MIT
 *
 * The LMDB environment of a store: opened once in a process, read, and changed with the write lock. Floor 2: no lua.h.
 */
#ifndef IL_STORE_ENVIRONMENT_H
#define IL_STORE_ENVIRONMENT_H

#include "engines/store/store.h"

/* An environment of files that are there, or not yet; its descriptors, the second of them -1 if it is not known. 0 or
 * errno. */
int il_environment_new(const char *path, size_t map, MDB_env **env, int fds[2]);

/* A process that stands in the way of these stands still (ETIMEDOUT), or may go on soon: EAGAIN, to be tried again
 * later (il_store_call_start). With `patiently` the thread waits until one of both is known. */

/* Opens it, if this process has not: it does not go through a fork. EIDRM: the store was removed. */
int il_store_enter(struct il_store *s, bool patiently);

/* Closes it; one that was another process's is left to that. */
void il_environment_close(struct il_store *s);

/* Looks at the last commit, without a lock if that can be; `look` returns LMDB's results. ENOENT: not there. */
typedef int il_store_query(struct il_store *s, MDB_txn *txn, void *arg);
int il_store_read(struct il_store *s, il_store_query *query, void *arg, bool patiently);

/* Takes the write lock: no commit is under way, and none whose process died is half seen. Ends with one of the
 * others; commit returns LMDB's result. */
int il_store_begin(struct il_store *s, MDB_txn **txn, bool patiently);
int il_store_commit(struct il_store *s, MDB_txn *txn);
void il_store_abort(struct il_store *s, MDB_txn *txn);

/* Announces that a name changes, with the write lock; without a name, that all is over. */
void il_store_change(struct il_store *s, const char *name, size_t size);

/* The same of more names than are announced one by one: every wait checks. */
void il_store_change_many(struct il_store *s);

/* Of a name, as the table of waiting processes has it. */
uint64_t il_store_key(const char *name, size_t size);

/* After MDB_MAP_FULL, without the lock. True: try again, for readers that keep pages from being used have ended, or
 * may end soon. False: *err says why not. `state` begins as {0}. */
struct il_store_room {
	int misses;
	int64_t until;
};
bool il_store_wait_for_room(struct il_store *s, struct il_store_room *state, bool patiently, int *err);

/* errno of LMDB's result. */
int il_store_errno(int rc);

#endif
