/* SPDX-License-Identifier: MIT
 *
 * Room on the disk, see room.h. The file data.mdb has blocks on the disk for some pages behind the last one that LMDB
 * uses. Where there are none to be had, the pages count that LMDB will use again.
 * Floor 2.
 */
#include "engines/disk/room.h"

#include <errno.h>
#include <fcntl.h>

enum {
	FREE = 0, /* LMDB's own table of free pages */
	RESERVE = 512, /* pages for changes that do not ask */
	FOR_TXN = 32, /* that a transaction writes for one small change: branches, leaves, LMDB's own lists */
	FOR_CHANGE = 2, /* and for each other one */
	STEP = 256, /* whose blocks are had at a time */
};

/* Blocks behind the end of the file. A file system that cannot have any promises nothing. */
static int have_blocks(struct il_disk *d, uint64_t pages)
{
	int fd, rc = mdb_env_get_fd(d->env, &fd);
	if (rc)
		return rc;
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

/* Each entry of LMDB's list of free pages begins with their number. Those that the last transactions gave back are used
 * only later. */
static int count_free(struct il_disk_txn *t, uint64_t *pages)
{
	MDB_txn *reader;
	MDB_cursor *cursor;
	MDB_val key, value;
	*pages = 0;
	int rc = mdb_txn_begin(t->disk->env, NULL, MDB_RDONLY, &reader);
	if (rc)
		return rc;
	rc = mdb_cursor_open(reader, FREE, &cursor);
	if (!rc) {
		while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
			if (*(size_t *)key.mv_data + 2 < t->number)
				*pages += *(size_t *)value.mv_data;
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(reader);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int il_disk_make_room(struct il_disk_txn *t, size_t bytes)
{
	struct il_disk *d = t->disk;
	MDB_envinfo info;
	uint64_t pages;
	int rc = mdb_env_info(d->env, &info);
	if (rc)
		return rc;
	t->grown += (t->grown ? FOR_CHANGE : FOR_TXN) + 2 * (bytes / d->page);
	uint64_t wanted = t->grown + RESERVE;
	rc = info.me_last_pgno + 1 + wanted > info.me_mapsize / d->page
		? ENOSPC
		: ensure_blocks(d, info.me_last_pgno + 1 + wanted);
	if (rc != ENOSPC && rc != EDQUOT && rc != EFBIG)
		return rc;
	int err = count_free(t, &pages);
	return err ? err : pages >= wanted ? 0 : rc;
}
