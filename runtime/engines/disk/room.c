/* SPDX-License-Identifier: MIT
 *
 * Room on the disk, see room.h. The file data.mdb has blocks on the disk for some pages behind the last one that LMDB
 * uses. Where there are not enough to be had, the pages count, too, that LMDB will use again.
 * Floor 2.
 */
#include "engines/disk/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	FREE = 0, /* LMDB's own table of free pages */
	RESERVE = 512, /* pages for changes that make no request */
	FOR_TXN = 32, /* that a transaction writes for one small change: branches, leaves, LMDB's own lists */
	FOR_CHANGE = 2, /* and for each other one */
	STEP = 256, /* whose blocks are had at a time */
};

/* Pages of a file, by a limit of this process: blocks behind it can be had, but not written. */
static uint64_t most_pages(const struct il_disk *d)
{
	struct rlimit limit;
	bool any = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
	return any ? limit.rlim_cur / d->page : UINT64_MAX;
}

/* Blocks behind the end of the file. A file system that cannot have any promises nothing. */
static int have_blocks(struct il_disk *d, uint64_t pages)
{
	int fd, rc = mdb_env_get_fd(d->env, &fd);
	if (rc)
		return rc;
	if (pages > most_pages(d))
		return EFBIG;
	uint64_t more = pages - d->blocks;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)(d->blocks * d->page), (off_t)(more * d->page)))
		return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno == EINTR ? EAGAIN : errno;
	return 0;
}

static int ensure_blocks(struct il_disk *d, uint64_t pages)
{
	if (pages <= d->blocks)
		return 0;
	int err = have_blocks(d, pages + STEP);
	if (!err) {
		d->blocks = pages + STEP;
		return 0;
	}
	err = have_blocks(d, pages);
	if (!err)
		d->blocks = pages;
	return err;
}

/* So many of the wanted pages there can be behind the last one, of `used`. */
static uint64_t count_behind(struct il_disk *d, uint64_t used, uint64_t wanted)
{
	uint64_t most = most_pages(d);
	if (most < used || wanted > most - used)
		wanted = most > used ? most - used : 0;
	while (wanted > FOR_TXN && ensure_blocks(d, used + wanted))
		wanted -= wanted / 4;
	return wanted > FOR_TXN ? wanted : 0;
}

/* The oldest commits that have readers. Those of this process are its pin, which can be renewed, and short. */
struct readers {
	size_t oldest, of_others;
};

/* LMDB tells of each reader in a line: its process, its thread, and the number of the commit, or "-". */
static int note_reader(const char *line, void *at)
{
	struct readers *r = at;
	size_t number;
	int pid;
	if (sscanf(line, "%d %*x %zu", &pid, &number) != 2)
		return 0;
	if (number < r->oldest)
		r->oldest = number;
	if (number < r->of_others && pid != (int)getpid())
		r->of_others = number;
	return 0;
}

/* Each entry of LMDB's list of free pages begins with their number, and its key is the transaction that gave them back.
 * Those of the last one are not used yet, nor those that a reader may still use. `later`: with those that can be used
 * when this process has made another transaction, and saved it. */
static int count_free(struct il_disk_txn *t, uint64_t *now, uint64_t *later)
{
	MDB_txn *reader;
	MDB_cursor *cursor;
	MDB_val key, value;
	struct readers r = { t->number - 1, t->number };
	*now = *later = 0;
	mdb_reader_list(t->disk->env, note_reader, &r);
	int rc = mdb_txn_begin(t->disk->env, NULL, MDB_RDONLY, &reader);
	if (rc)
		return rc;
	rc = mdb_cursor_open(reader, FREE, &cursor);
	if (!rc) {
		while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
			size_t number = *(size_t *)key.mv_data, pages = *(size_t *)value.mv_data;
			*now += number < r.oldest ? pages : 0;
			*later += number < r.of_others ? pages : 0;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(reader);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int il_disk_make_room(struct il_disk_txn *t, size_t bytes)
{
	struct il_disk *d = t->disk;
	MDB_envinfo info;
	uint64_t now, later;
	int rc = mdb_env_info(d->env, &info);
	if (rc)
		return rc;
	t->grown += (t->grown ? FOR_CHANGE : FOR_TXN) + 2 * (bytes / d->page);
	uint64_t wanted = t->grown + RESERVE, used = info.me_last_pgno + 1;
	bool fits = used + wanted <= info.me_mapsize / d->page;
	rc = fits ? ensure_blocks(d, used + wanted) : ENOSPC;
	if (!il_disk_is_full(rc))
		return rc;
	int err = count_free(t, &now, &later);
	uint64_t behind = err || now >= wanted || !fits ? 0 : count_behind(d, used, wanted);
	if (err || now + behind >= wanted)
		return err;
	d->full |= later + behind >= wanted;
	return rc;
}

bool il_disk_is_full(int rc)
{
	return rc == ENOSPC || rc == EDQUOT || rc == EFBIG || rc == MDB_MAP_FULL;
}

bool il_disk_room_is_held(struct il_disk *d)
{
	struct readers r = { d->control->saved, d->control->saved };
	mdb_reader_list(d->env, note_reader, &r);
	return r.of_others < d->control->saved;
}

int il_disk_room_result(struct il_disk *d, int rc)
{
	if (rc != EIO)
		return rc;
	int err = have_blocks(d, d->blocks + STEP);
	return il_disk_is_full(err) ? err : rc;
}
