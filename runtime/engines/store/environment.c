/* SPDX-License-Identifier: MIT
 *
 * LMDB environments: one for each store in a process, which does not go through a fork. Reads take no lock; what has
 * to be certain is looked at with the write lock, a robust mutex of LMDB's.
 * Floor 2.
 */
#include "base/clock.h"
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/store/directory.h"
#include "engines/store/environment.h"
#include "engines/store/store.h"
#include "engines/waiters_call.h"
#include "os/identity.h"
#include "os/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FLAGS = MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMETASYNC | MDB_NOTLS | MDB_NORDAHEAD,
	MOST_MISSES = 3,
	NAP = 50000,
	LISTS = 256 << 10, /* bytes: less than each of the lists that LMDB makes for an environment, 1 and 2 MiB */
	LARGEST_BLOCK = 32 << 20, /* bytes: the most that the C library takes for its thresholds */
};

static const int64_t SOON = IL_SECOND / 50;

/* Environments of a process that this one was forked from: LMDB has no way to give them up. */
static struct forgotten {
	struct forgotten *next;
	void *parts[3];
} * forgotten;

int il_store_errno(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND: return ENOENT;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL: return ENOSPC;
	case MDB_VERSION_MISMATCH: return EPROTO;
	case MDB_INVALID: return EINVAL;
	default: return rc >= 0 ? rc : EUCLEAN;
	}
}

/* An environment has 3 MiB of lists, of which a small database uses a few pages. In memory that was used before, the C
 * library fills them with zeros, and then all of it is there. In a mapping of their own the unused pages cost nothing.
 * The threshold does not adapt itself once it has been set. So it is left at the value that it reaches in a program
 * that frees large blocks. Otherwise each large string would be a mapping. */
static void map_large_blocks(bool on)
{
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, on ? LISTS : LARGEST_BLOCK);
	mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_BLOCK);
#else
	(void)on;
#endif
}

/* LMDB does not tell the descriptor of lock.mdb; it is the lowest that was free, or we do not know it. */
static int find_lock(int candidate, const char *path)
{
	char name[IL_STORE_PATH + 16];
	struct stat a, b;
	snprintf(name, sizeof name, "%s/lock.mdb", path);
	bool it = fstat(candidate, &a) == 0 && stat(name, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	return it ? candidate : -1;
}

int il_environment_new(const char *path, size_t map, MDB_env **env, int fds[2])
{
	struct il_sigpipe quiet;
	int rc = mdb_env_create(env);
	if (rc)
		return il_store_errno(rc);
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (lowest >= 0)
		close(lowest);
	rc = mdb_env_set_mapsize(*env, map);
	if (!rc)
		rc = mdb_env_set_maxdbs(*env, 1);
	il_sigpipe_hold(&quiet);
	map_large_blocks(true);
	if (!rc)
		rc = mdb_env_open(*env, path, FLAGS, 0600);
	map_large_blocks(false);
	il_sigpipe_release(&quiet, rc);
	if (!rc)
		rc = mdb_env_get_fd(*env, &fds[0]);
	if (rc) {
		mdb_env_close(*env);
		*env = NULL;
		return il_store_errno(rc);
	}
	fds[1] = find_lock(lowest, path);
	return 0;
}

/* MDB_READERS_FULL: a thousand processes read. */
static int begin_reader(struct il_store *s)
{
	int dead, rc = s->reader ? mdb_txn_renew(s->reader) : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
	if (rc == MDB_READERS_FULL && mdb_reader_check(s->env, &dead) == 0 && dead)
		rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
	return rc;
}

/* LMDB's result, or the gate's. */
static int begin_writer(struct il_store *s, MDB_txn **txn, bool patiently)
{
	int rc = il_gate_enter(&s->control->writing, &s->patience.writer, patiently);
	if (rc)
		return rc;
	rc = mdb_txn_begin(s->env, NULL, 0, txn);
	if (rc)
		il_gate_leave(&s->control->writing);
	return rc;
}

int il_store_commit(struct il_store *s, MDB_txn *txn)
{
	int rc = mdb_txn_commit(txn);
	il_gate_leave(&s->control->writing);
	return rc;
}

void il_store_abort(struct il_store *s, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	il_gate_leave(&s->control->writing);
}

static int open_tree(struct il_store *s)
{
	MDB_txn *txn = NULL;
	int rc = begin_reader(s);
	if (rc == MDB_READERS_FULL)
		rc = begin_writer(s, &txn, true);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn ? txn : s->reader, NULL, 0, &s->dbi);
	if (txn)
		il_store_abort(s, txn);
	else
		mdb_txn_reset(s->reader);
	return rc;
}

static void close_all(struct il_store *s)
{
	if (s->cursor)
		mdb_cursor_close(s->cursor);
	if (s->reader)
		mdb_txn_abort(s->reader);
	if (s->env)
		mdb_env_close(s->env);
	s->cursor = NULL;
	s->reader = NULL;
	s->env = NULL;
}

/* It belongs to the process that this one was forked from: to close it properly would take the parent's place in the
 * table of readers away. The descriptors go, for the sake of the fcntl locks that are ours when it has been opened
 * again. */
static void forget_environment(struct il_store *s)
{
	struct forgotten *f = s->env ? malloc(sizeof *f) : NULL;
	if (f) {
		*f = (struct forgotten){ .next = forgotten, .parts = { s->env, s->reader, s->cursor } };
		forgotten = f;
	}
	for (int i = 0; s->env && i < 2; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	s->cursor = NULL;
	s->reader = NULL;
	s->env = NULL;
	s->generation = il_fork.generation;
}

void il_environment_close(struct il_store *s)
{
	if (!il_fork_is_own(s->generation))
		forget_environment(s);
	else
		close_all(s);
}

/* A directory that is renamed never comes back: if its name means it before and after, all files are of one. */
static int open_again(struct il_store *s)
{
	struct il_store_files files;
	if (s->control->pids != il_identity_space()) /* this process was forked into another one */
		return EXDEV;
	int dead, err = il_environment_new(s->path, s->control->map, &s->env, s->fds);
	if (err)
		return err == ENOENT ? EIDRM : err;
	err = il_directory_check(s->path, &files);
	if (!err)
		err = il_directory_compare(&files, &s->files);
	if (!err) {
		mdb_reader_check(s->env, &dead);
		err = il_store_errno(open_tree(s));
	}
	if (err)
		close_all(s);
	return err == ENOENT || err == EAGAIN ? EIDRM : err;
}

/* One process after the other. */
static int open_in_turn(struct il_store *s, bool patiently)
{
	int err = il_gate_enter(&s->control->opening, &s->patience.opener, patiently);
	if (err)
		return err;
	err = open_again(s);
	il_gate_leave(&s->control->opening);
	return err;
}

int il_store_enter(struct il_store *s, bool patiently)
{
	if (!il_fork_is_own(s->generation))
		forget_environment(s);
	if (il_get(&s->control->removed))
		return EIDRM;
	return s->env ? 0 : open_in_turn(s, patiently);
}

int il_store_begin(struct il_store *s, MDB_txn **txn, bool patiently)
{
	int err = il_store_enter(s, patiently);
	if (!err)
		err = il_store_errno(begin_writer(s, txn, patiently));
	if (!err && il_get(&s->control->removed)) {
		il_store_abort(s, *txn);
		err = EIDRM;
	}
	return err;
}

uint64_t il_store_key(const char *name, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3;
	return hash >> 1;
}

/* The bits of processes that sleep. */
static uint32_t count_change(struct il_store *s, uint32_t change)
{
	struct il_store_control *control = s->control;
	uint32_t parked = il_get(&control->parked);
	il_put(&control->changes, change);
	if (parked & IL_STORE_ON_COUNT) {
		il_futex_wake(&control->changes);
		il_put(&control->parked, parked & ~(uint32_t)IL_STORE_ON_COUNT);
	}
	return parked;
}

void il_store_change(struct il_store *s, const char *name, size_t size)
{
	struct il_store_control *control = s->control;
	uint32_t change = il_get(&control->changes) + 1;
	uint64_t key = name ? il_store_key(name, size) : 0;
	il_put64(&control->recent[change % IL_RECENT], key);
	if (!count_change(s, change))
		return;
	if (name)
		il_waiters_call_all(&s->waiters, key);
	else
		il_waiters_wake_all(&s->waiters);
}

/* What has changed is not known to one that has missed more changes than are written down. */
void il_store_change_many(struct il_store *s)
{
	if (count_change(s, il_get(&s->control->changes) + IL_RECENT + 1))
		il_waiters_wake_all(&s->waiters);
}

/* A reader that was suspended between LMDB's look at the last commit and its copy of the roots may, two commits
 * later, have a mixture of both. What is wrong with it is found on the way, and then the write lock is taken for a
 * second look. */
int il_store_read(struct il_store *s, il_store_query *query, void *arg, bool patiently)
{
	MDB_txn *txn;
	int err = il_store_enter(s, patiently);
	if (err)
		return err;
	int rc = begin_reader(s);
	if (!rc) {
		rc = query(s, s->reader, arg);
		mdb_txn_reset(s->reader);
	} else if (s->reader) {
		if (s->cursor)
			mdb_cursor_close(s->cursor);
		mdb_txn_abort(s->reader);
		s->cursor = NULL;
		s->reader = NULL;
	}
	if (rc < 0 && rc != MDB_NOTFOUND) {
		err = il_store_begin(s, &txn, patiently);
		if (err)
			return err;
		rc = query(s, txn, arg);
		il_store_abort(s, txn);
	}
	return il_store_errno(rc);
}

struct reader {
	int pid;
	size_t txn;
};

static int note_reader(const char *line, void *oldest)
{
	struct reader r, *old = oldest;
	if (sscanf(line, "%d %*x %zu", &r.pid, &r.txn) == 2 && r.txn < old->txn)
		*old = r;
	return 0;
}

/* A process that was suspended in the middle of a read, which takes less than a microsecond: LMDB uses no page again
 * that was given back since. */
static bool held_by_reader(struct il_store *s, struct reader *oldest)
{
	MDB_envinfo info;
	*oldest = (struct reader){ .txn = SIZE_MAX };
	mdb_reader_list(s->env, note_reader, oldest);
	return mdb_env_info(s->env, &info) == 0 && oldest->txn < info.me_last_txnid;
}

/* A reader runs again soon, or stands still. */
bool il_store_wait_for_room(struct il_store *s, struct il_store_room *state, bool patiently, int *err)
{
	struct reader oldest;
	int dead = 0, how = EBUSY;
	int64_t now = il_now();
	*err = ENOSPC;
	if (mdb_reader_check(s->env, &dead) == 0 && dead)
		return true;
	if (!held_by_reader(s, &oldest))
		return ++state->misses < MOST_MISSES;
	if (!state->until)
		state->until = now + SOON;
	if (s->patience.reader.since || now > state->until)
		how = il_patience_doubt(&s->patience.reader, oldest.txn, oldest.pid);
	*err = how == ETIMEDOUT ? ETIMEDOUT : EAGAIN;
	if (how == ETIMEDOUT || (!patiently && (how == EAGAIN || now > state->until)))
		return false;
	nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
	return true;
}
