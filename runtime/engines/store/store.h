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
#include "engines/engine.h"
#include "engines/wait_queue.h"
#include "engines/store/gate.h"
#include "loop/recheck.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { IL_STORE_PATH = 256, IL_STORE_VERSION = 8 /* bytes of version before each value */ };

/* The files of a directory. */
enum { IL_STORE_DATA, IL_STORE_LOCK, IL_STORE_BELL, IL_STORE_FILES };

/* What a store is known by: its files stay the same ones while their directory is renamed. */
struct il_store_files {
	uint64_t device, inodes[IL_STORE_FILES], sizes[IL_STORE_FILES];
	uid_t owner;
};

/* The file "bell". */
struct il_bell {
	uint64_t magic;
	uint32_t layout;
	uint32_t page; /* bytes */
	uint64_t size; /* as it was asked for */
	uint64_t pages; /* names and values may take */
	uint64_t map; /* bytes of data.mdb */
	uint64_t pids; /* the pid namespace in which LMDB's locks mean something */
	uint32_t changes; /* futex: goes up, with the write lock, before anything is committed */
	uint32_t parked; /* somebody sleeps on it */
	uint32_t removed;
	uint32_t reserved;
	uint64_t data, lock; /* the inodes of these files: a copy of the directory has others */
	char path[IL_STORE_PATH]; /* of the directory; empty for a private one */
	struct il_gate writing; /* in front of LMDB's write lock, */
	struct il_gate opening; /* and of what it locks when an environment is opened */
};

struct il_store {
	struct il_list node;
	struct il_bell *bell;
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
	struct il_wait_queue line; /* waits of this process */
	MDB_txn *txn; /* with which they look */
	struct {
		struct il_patience writer, opener, reader;
	} patience; /* with the process that is inside, that opens, that keeps pages from being used */
	struct il_list calls; /* operations that wait until one of these has gone on */
	struct il_recheck later; /* tries them again */
	char path[IL_STORE_PATH];
};

/* Directories (directory.c) ----------------------------------------------------------------------------- */

/* Where the data of a key is; empty for a private one. */
void il_directory_path(char *path, const struct il_key *key);

/* Makes an empty directory for this process, and deletes those that dead processes have left. The guard is a
 * descriptor: while one is open, here or in a forked child, nobody else deletes it. 0 or errno. */
int il_directory_make(char *path, int *guard);

/* Gives it its permissions and its name. EEXIST: the name is taken. */
int il_directory_publish(const char *from, const char *to, unsigned mode);

/* A file of `size` bytes that are there: to write to it cannot fail. 0 or errno. */
int il_directory_reserve(const char *path, const char *file, size_t size);

/* Closes the guard, and deletes the directory if no other process has it. */
void il_directory_leave(const char *path, int guard);

/* At the end of the process: deletes what children had when this process left it, and that they have no more. */
void il_directory_fini(void);

/* Deletes a private one. */
int il_directory_delete(const char *path);

/* Before it is removed: may this process do that? 0, and *fd is for il_directory_free, or -1 where the name is gone or
 * means another one. EPERM, EACCES, EROFS; or errno. */
int il_directory_to_remove(const char *path, const struct il_store_files *files, int *fd);

/* Deletes an open directory, if the name still means it. 0 or errno. */
int il_directory_free(const char *path, int fd);

/* Files of the right kind, by an owner to be trusted. 0; ENOENT: there is no directory; EACCES, EINVAL: not a directory
 * of ours; EUCLEAN: a file is missing, or no file; EAGAIN: it was removed meanwhile. */
int il_directory_check(const char *path, struct il_store_files *files);

/* 0; EAGAIN: another directory; EUCLEAN: the same, and files were cut or have grown. */
int il_directory_compare(const struct il_store_files *a, const struct il_store_files *b);

/* The environment (environment.c) ---------------------------------------------------------------------- */

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
typedef int il_store_look(struct il_store *s, MDB_txn *txn, void *arg);
int il_store_read(struct il_store *s, il_store_look *look, void *arg, bool patiently);

/* Takes the write lock: no commit is under way, and none that somebody died in is half seen. Ends with one of the
 * others; commit returns LMDB's result. */
int il_store_begin(struct il_store *s, MDB_txn **txn, bool patiently);
int il_store_commit(struct il_store *s, MDB_txn *txn);
void il_store_abort(struct il_store *s, MDB_txn *txn);

/* Announces that something changes, with the write lock. */
void il_store_change(struct il_store *s);

/* After MDB_MAP_FULL, without the lock. True: try again, for readers that keep pages from being used have ended, or
 * may end soon. False: *err says why not. `state` begins as {0}. */
struct il_store_room {
	int vain;
	int64_t until;
};
bool il_store_wait_for_room(struct il_store *s, struct il_store_room *state, bool patiently, int *err);

/* errno of LMDB's result. */
int il_store_errno(int rc);

/* Stores (store.c) -------------------------------------------------------------------------------------- */

/* Opens or makes the store of a key; each open is counted. 0 or errno; EEXIST: it has another size, o->found. */
int il_store_open(const struct il_key *key, struct il_data_options *o, struct il_store **s);
void il_store_drop(struct il_store *s);

/* Tells those who wait, and frees the name. */
int il_store_remove(struct il_store *s, bool patiently);

/* A name's version and value, where they are in the map: for a look. */
int il_store_find(struct il_store *s, MDB_txn *txn, const void *name, size_t size, struct il_entry *e);

/* Waits (wait.c) ---------------------------------------------------------------------------------------- */

void il_store_wait_init(struct il_store *s);
void il_store_wait_fini(struct il_store *s);

/* For attempt and start of an operation type. */
bool il_store_wait_attempt(struct il_store *s, struct il_op *op);
void il_store_wait_start(struct il_store *s, struct il_op *op);

/* For start and cancel of operations that a process was in the way of: they are attempted again until they are done. */
int il_store_call_start(struct il_store *s, struct il_op *op);
void il_store_call_cancel(struct il_store *s, struct il_op *op);

/* Ends those of a source with ECANCELED. */
void il_store_calls_close(struct il_store *s, const void *source);

#endif
