/* SPDX-License-Identifier: MIT
 *
 * Environments, see environment.h. LMDB's own lock of writers is never contended: the lock of the control file is in
 * front of it, since that can be waited for with a limit, and covers more.
 * Floor 2.
 */
#include "engines/disk/environment.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/reason.h"
#include "base/shared_atomic.h"
#include "engines/disk/change.h"
#include "engines/disk/commit.h"
#include "engines/disk/folder.h"
#include "engines/disk/meta_page.h"
#include "engines/disk/state.h"
#include "os/identity.h"
#include "os/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LAYOUT = 3,
	CONTROL_SIZE = 4096,
	TABLES = 1024, /* of one environment, in use in one process */
	READERS = 1024, /* processes */
	NAP = 200000, /* ns */
	FLAGS = MDB_NOTLS | MDB_NORDAHEAD | MDB_NOSYNC, /* commit.h sees to the disk */
};

_Static_assert(sizeof(struct il_disk_control) <= CONTROL_SIZE, "it is one page");

static const uint64_t MAGIC = 0x6b7369646c706920; /* " ipldisk" */
static const int64_t STANDS_STILL = 30 * IL_SECOND, SLICE = IL_SECOND / 10;

/* Bytes of address space, of which only what is used costs anything; less where that is limited. */
static const size_t MOST = (size_t)1 << 38, LEAST = (size_t)1 << 26;

/* Of the processes that this one was forked from. */
static struct forgotten {
	struct forgotten *next;
	MDB_env *env;
	MDB_txn *reader, *pin;
} * forgotten;

int il_disk_errno(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND: return ENOENT;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL: return ENOSPC;
	case MDB_VERSION_MISMATCH: return EPROTO;
	case MDB_INVALID: return EINVAL;
	case MDB_DBS_FULL: return il_because(EMFILE, "a process uses at most %d tables of a folder", TABLES);
	case MDB_READERS_FULL: return il_because(EAGAIN, "%d processes read from the folder", READERS);
	default: return rc >= 0 ? rc : EUCLEAN;
	}
}

/* The environment --------------------------------------------------------------------------------------- */

static int prepare(MDB_env *env, size_t map)
{
	int rc = mdb_env_set_mapsize(env, map);
	if (!rc)
		rc = mdb_env_set_maxdbs(env, TABLES);
	return rc ? rc : mdb_env_set_maxreaders(env, READERS);
}

/* LMDB's result. After a failure an environment can only be closed. */
static int open_map(const char *path, size_t map, MDB_env **env)
{
	struct il_sigpipe quiet;
	int rc = mdb_env_create(env);
	if (rc)
		return rc;
	rc = prepare(*env, map);
	il_sigpipe_hold(&quiet);
	if (!rc)
		rc = mdb_env_open(*env, path, FLAGS, 0600);
	il_sigpipe_release(&quiet, rc);
	if (rc) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return rc;
}

static int open_environment(struct il_disk *d)
{
	MDB_stat st;
	int dead, rc = ENOMEM;
	for (size_t map = MOST; rc == ENOMEM && map >= LEAST; map /= 4)
		rc = open_map(d->path, map, &d->env);
	if (!rc) {
		mdb_reader_check(d->env, &dead);
		mdb_env_stat(d->env, &st);
		d->page = st.ms_psize;
		d->record = d->record ? d->record : malloc(d->page);
		rc = d->record ? 0 : ENOMEM;
	}
	return il_disk_errno(rc);
}

static void init_here(struct il_disk *d)
{
	pthread_mutex_init(&d->reading, NULL);
	pthread_mutex_init(&d->mutex, NULL);
	il_list_init(&d->queued);
	il_list_init(&d->running);
	d->generation = il_fork.generation;
}

/* An environment that was the parent's is not closed: that would take the parent's place in the table of readers away.
 * LMDB has no other way to give it up. */
static void forget(struct il_disk *d)
{
	struct forgotten *f = d->env ? malloc(sizeof *f) : NULL;
	if (!f)
		return;
	*f = (struct forgotten){ .next = forgotten, .env = d->env, .reader = d->reader, .pin = d->pin };
	forgotten = f;
}

void il_disk_leave(struct il_disk *d)
{
	if (il_fork_is_own(d->generation)) {
		if (d->reader)
			mdb_txn_abort(d->reader);
		if (d->pin)
			mdb_txn_abort(d->pin);
		if (d->env)
			mdb_env_close(d->env);
	} else {
		forget(d);
		il_disk_changes_leave(d);
		init_here(d);
	}
	il_timer_disarm(&d->timer);
	d->reader = d->pin = NULL;
	d->env = NULL;
	d->broken = d->committed = d->save = d->save_next = d->end = false;
	atomic_fetch_add(&d->openings, 1);
}

static int check_control(const struct il_disk_control *control)
{
	if (control->magic != MAGIC)
		return EINVAL;
	if (control->layout != LAYOUT)
		return EPROTO;
	return control->pids == il_identity_space() ? 0 : EXDEV;
}

/* The folder may have been removed, and another one have its name. */
static int check_folder(const struct il_disk *d)
{
	struct stat st;
	char *name = NULL;
	if (asprintf(&name, "%s/control", d->path) < 0)
		return ENOMEM;
	bool same = stat(name, &st) == 0 && st.st_dev == d->device && st.st_ino == d->inode;
	free(name);
	return same ? check_control(d->control) : EIDRM;
}

int il_disk_enter(struct il_disk *d)
{
	if (!il_fork_is_own(d->generation) || (!d->batch && d->broken))
		il_disk_leave(d);
	if (d->env)
		return 0;
	int err = check_folder(d);
	return err ? err : open_environment(d);
}

/* The folder -------------------------------------------------------------------------------------------- */

static int begin_anew(struct il_disk_control *control)
{
	pthread_mutexattr_t attr;
	memset(control, 0, sizeof *control);
	int err = pthread_mutexattr_init(&attr);
	if (err)
		return err;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(&control->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	control->layout = LAYOUT;
	control->pids = il_identity_space();
	control->magic = MAGIC;
	return err;
}

/* 0: not known. */
static uint64_t find_boot(void)
{
	char text[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	return size > 0 ? il_disk_hash(0, text, (size_t)size) : 0;
}

static int map_control(struct il_disk *d, bool alone, bool *same)
{
	uint64_t boot = find_boot();
	void *at = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	if (at == MAP_FAILED)
		return errno;
	d->control = at;
	*same = d->control->magic == MAGIC && d->control->layout == LAYOUT && boot && d->control->boot == boot;
	int err = alone ? begin_anew(d->control) : 0;
	if (alone)
		d->control->boot = boot;
	return err ? err : check_control(d->control);
}

/* What the last ones have left, be it by a power cut, is put in order before others can come. */
static int open_alone(struct il_disk *d, bool same)
{
	struct il_disk_left left;
	int err = il_disk_go_back(d->path, same, &left);
	d->control->generation = left.generation;
	if (!err)
		err = il_disk_enter(d);
	if (!err && left.again)
		err = il_disk_errno(il_disk_replay(d));
	if (!err)
		err = il_disk_errno(mdb_env_sync(d->env, 1));
	return err ? err : il_disk_folder_share(d->path, d->fd);
}

static void free_disk(struct il_disk *d)
{
	il_disk_leave(d);
	if (d->control)
		munmap(d->control, CONTROL_SIZE);
	if (d->fd >= 0)
		close(d->fd);
	free(d->watches);
	free(d->record);
	free(d);
}

static struct il_disk *find(const struct stat *st)
{
	struct il_table_item *item = il_table_find(&il_disk_folders()->by_file, st->st_ino);
	for (; item; item = il_table_next(item)) {
		struct il_disk *d = il_container_of(item, struct il_disk, item);
		if (d->device == st->st_dev)
			return d;
	}
	return NULL;
}

/* The descriptor is the environment's from now on. */
static int attach(const char *path, int fd, bool alone, const struct stat *st, struct il_disk **result)
{
	struct il_disk *d = calloc(1, sizeof *d + strlen(path) + 1);
	if (!d) {
		close(fd);
		return ENOMEM;
	}
	*d = (struct il_disk){ .fd = fd, .refs = 1, .device = st->st_dev, .inode = st->st_ino, .openings = 1 };
	strcpy(d->path, path);
	il_list_init(&d->tables);
	init_here(d);
	bool same = false;
	int err = map_control(d, alone, &same);
	if (!err)
		err = alone ? open_alone(d, same) : il_disk_enter(d);
	if (err) {
		free_disk(d);
		return err;
	}
	il_list_add(&il_disk_folders()->folders, &d->node);
	il_table_add(&il_disk_folders()->by_file, &d->item, d->inode);
	*result = d;
	return 0;
}

static int use_again(struct il_disk *d, int fd, struct il_disk **result)
{
	close(fd);
	int err = il_disk_enter(d);
	if (err)
		return err;
	d->refs++;
	*result = d;
	return 0;
}

int il_disk_open(const char *path, struct il_disk **result)
{
	int folder, fd;
	bool alone;
	struct stat st;
	int err = il_identity_require();
	if (!err)
		err = il_disk_folder_open(path, &folder);
	if (err)
		return err;
	err = il_disk_folder_lock(path, folder, CONTROL_SIZE, &fd, &alone);
	close(folder);
	if (err)
		return err;
	if (fstat(fd, &st)) {
		err = errno;
		close(fd);
		return err;
	}
	struct il_disk *d = find(&st);
	return d ? use_again(d, fd, result) : attach(path, fd, alone, &st, result);
}

void il_disk_drop(struct il_disk *d)
{
	if (--d->refs || il_disk_changes_end(d))
		return;
	il_list_del(&d->node);
	il_table_del(&il_disk_folders()->by_file, &d->item);
	free_disk(d);
}

/* What was sent and not waited for is done. */
void il_disk_fini(void)
{
	struct il_list *next;
	for (struct il_list *l = il_disk_folders()->folders.next; l != &il_disk_folders()->folders; l = next) {
		struct il_disk *d = il_container_of(l, struct il_disk, node);
		d->refs++;
		if (il_fork_is_own(d->generation)) {
			il_disk_changes_finish(d);
			il_disk_changes_end(d);
			il_disk_changes_finish(d);
		}
		next = l->next; /* that of before may have gone with its last change */
		il_disk_drop(d);
	}
}

/* Tables ------------------------------------------------------------------------------------------------ */

struct il_disk_table *il_disk_table(struct il_disk *d, const char *name)
{
	il_list_each(struct il_disk_table, table, &d->tables, node)
		if (strcmp(table->name, name) == 0) {
			table->refs++;
			return table;
		}
	struct il_disk_table *table = calloc(1, sizeof *table + strlen(name) + 1);
	if (!table)
		return NULL;
	strcpy(table->name, name);
	table->refs = 1;
	il_list_add(&d->tables, &table->node);
	return table;
}

/* LMDB's place for it can be had by another one, unless a batch may use it just now. */
void il_disk_table_drop(struct il_disk *d, struct il_disk_table *table)
{
	if (--table->refs)
		return;
	if (d->env && il_fork_is_own(d->generation) && !d->batch && table->opened == atomic_load(&d->openings))
		mdb_dbi_close(d->env, table->dbi);
	il_list_del(&table->node);
	free(table);
}

/* Reading ----------------------------------------------------------------------------------------------- */

static int begin_reader(struct il_disk *d)
{
	int dead, rc = d->reader ? mdb_txn_renew(d->reader) : mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->reader);
	if (rc == MDB_READERS_FULL && mdb_reader_check(d->env, &dead) == 0 && dead)
		rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->reader);
	return rc == MDB_READERS_FULL || rc == MDB_MAP_RESIZED ? EAGAIN : il_disk_errno(rc);
}

int il_disk_read(struct il_disk *d, struct il_disk_txn *t)
{
	int err = il_disk_enter(d);
	if (err)
		return err;
	pthread_mutex_lock(&d->reading);
	err = begin_reader(d);
	if (err)
		pthread_mutex_unlock(&d->reading);
	*t = (struct il_disk_txn){ .disk = d, .txn = d->reader };
	return err;
}

void il_disk_read_end(struct il_disk *d, struct il_disk_txn *t)
{
	mdb_txn_reset(t->txn);
	pthread_mutex_unlock(&d->reading);
}

/* Locking ----------------------------------------------------------------------------------------------- */

/* What its owner has left undone, LMDB passes over. */
static int got(struct il_disk *d, int err)
{
	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&d->control->lock);
	if (!err)
		il_put(&d->control->turns, il_get(&d->control->turns) + 1);
	return err == ENOTRECOVERABLE ? EUCLEAN : err;
}

/* ThreadSanitizer knows only of pthread_mutex_trylock that a dead owner may have had the mutex. */
static int lock_within(pthread_mutex_t *lock, int64_t until)
{
#ifdef __SANITIZE_THREAD__
	int err = EBUSY;
	while (err == EBUSY && il_now() < until) {
		nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
		err = pthread_mutex_trylock(lock);
	}
	return err == EBUSY ? ETIMEDOUT : err;
#else
	struct timespec end = il_timespec(until);
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &end);
#endif
}

int il_disk_lock(struct il_disk *d)
{
	uint32_t turns = il_get(&d->control->turns);
	int64_t now = il_now(), end = now + STANDS_STILL;
	for (;; now = il_now()) {
		int err = pthread_mutex_trylock(&d->control->lock);
		if (err == EBUSY)
			err = lock_within(&d->control->lock, now + SLICE);
		if (err != ETIMEDOUT)
			return got(d, err);
		if (turns != il_get(&d->control->turns)) {
			turns = il_get(&d->control->turns);
			end = now + STANDS_STILL;
		}
		if (now > end)
			return ETIMEDOUT;
	}
}

void il_disk_unlock(struct il_disk *d)
{
	pthread_mutex_unlock(&d->control->lock);
}
