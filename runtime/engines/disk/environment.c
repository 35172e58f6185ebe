/* SPDX-License-Identifier: MIT
 *
 * Environments, see environment.h. Floor 2.
 */
#include "engines/disk/environment.h"
#include "base/fork.h"
#include "base/reason.h"
#include "engines/disk/change.h"
#include "engines/disk/commit.h"
#include "engines/disk/folder.h"
#include "engines/disk/state.h"
#include "os/identity.h"
#include "os/sigpipe.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TABLES = 1024, /* of one environment, in use in one process */
	READERS = 1024, /* processes */
	FLAGS = MDB_NOTLS | MDB_NORDAHEAD | MDB_NOSYNC, /* commit.h sees to the disk */
};

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

static int lacks_right(const struct il_disk *d, int err)
{
	return err == EACCES ? il_because(err, "its owner lacks a right: chmod u+rw %s/*.mdb", d->path) : err;
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
	return lacks_right(d, il_disk_errno(rc));
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

/* This process was forked from the one that has it: what is that one's is left to it. Or LMDB has given it up. No batch
 * is under way. */
static void leave(struct il_disk *d)
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

/* The folder may have been removed, and another one have its name. */
static int check_folder(const struct il_disk *d)
{
	struct stat st;
	char *name = NULL;
	if (asprintf(&name, "%s/control", d->path) < 0)
		return ENOMEM;
	bool same = stat(name, &st) == 0 && st.st_dev == d->device && st.st_ino == d->inode;
	free(name);
	return same ? il_disk_control_check(d->control) : EIDRM;
}

int il_disk_enter(struct il_disk *d)
{
	if (!il_fork_is_own(d->generation) || (!d->batch && d->broken))
		leave(d);
	if (d->env)
		return 0;
	int err = check_folder(d);
	return err ? err : open_environment(d);
}

/* The folder -------------------------------------------------------------------------------------------- */

/* What the last ones have left, be it by a power cut, is put in order before others can come. */
static int open_alone(struct il_disk *d, bool same)
{
	struct il_disk_left left;
	int err = lacks_right(d, il_disk_go_back(d->path, same, &left));
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
	leave(d);
	if (d->control)
		munmap(d->control, IL_DISK_CONTROL_SIZE);
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
	d->warning = il_disk_folder_warning(fd);
	il_list_init(&d->tables);
	init_here(d);
	bool same = false;
	int err = il_disk_control_map(fd, alone, &same, &d->control);
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

int il_disk_open(const char *path, bool existing, struct il_disk **result)
{
	int folder, fd;
	bool alone;
	struct stat st;
	int err = il_identity_require();
	if (!err)
		err = il_disk_folder_open(path, existing, &folder);
	if (err)
		return err;
	err = il_disk_folder_lock(path, folder, IL_DISK_CONTROL_SIZE, &fd, &alone);
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
