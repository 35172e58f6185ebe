/* SPDX-License-Identifier: MIT
 *
 * Commits, see commit.h. Which commit is to be believed, of those that the meta pages name:
 *
 *   the later one, N, and LARGE with N     it: LMDB has waited for its pages before it wrote N
 *   N, and a whole record of N             the one before, and the record is made again
 *   N - 1 in N's page, and this record     the same: that was under way
 *   N, and neither                         the one before: N was never answered
 *
 * Floor 2.
 */
#include "engines/disk/commit.h"
#include "engines/disk/meta_page.h"
#include "engines/disk/room.h"
#include "engines/disk/soon.h"
#include "base/shared_atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct step {
	uint32_t step; /* enum il_disk_step */
	uint32_t table, key, value; /* bytes, which follow in this order; the next step at a multiple of 8 */
};

enum { LARGEST_PAGE = 32768 };

/* Recording ----------------------------------------------------------------------------------------------- */

static size_t room_of(const struct il_disk *d)
{
	return d->page - IL_DISK_RECORD_AT - IL_DISK_SAVED - sizeof(struct il_disk_record_head);
}

static char *append(char *to, const MDB_val *bytes)
{
	return bytes && bytes->mv_size ? mempcpy(to, bytes->mv_data, bytes->mv_size) : to;
}

void il_disk_note(struct il_disk_txn *t, enum il_disk_step step, const char *table, const MDB_val *key,
	const MDB_val *value)
{
	MDB_val name = { strlen(table), (void *)table };
	size_t key_size = key ? key->mv_size : 0, value_size = value ? value->mv_size : 0;
	size_t size = (sizeof(struct step) + name.mv_size + key_size + value_size + 7) & ~(size_t)7;
	t->puts++;
	if (size > room_of(t->disk) - t->recorded)
		t->large = true;
	if (t->large)
		return;
	struct step s = { step, (uint32_t)name.mv_size, (uint32_t)key_size, (uint32_t)value_size };
	char *to = t->disk->record + sizeof(struct il_disk_record_head) + t->recorded;
	memset(to + size - 8, 0, 8);
	append(append(append(mempcpy(to, &s, sizeof s), &name), key), value);
	t->recorded += size;
}

/* Committing ---------------------------------------------------------------------------------------------- */

static off_t area_of(const struct il_disk *d, uint64_t txn)
{
	return (off_t)(txn & 1) * (off_t)d->page + IL_DISK_RECORD_AT;
}

/* A process may have died after it wrote LARGE for a transaction of this number, which might then be believed. */
static bool is_large(struct il_disk_txn *t, int fd)
{
	struct il_disk_record_head h;
	bool read = pread(fd, &h, sizeof h, area_of(t->disk, t->number)) == sizeof h;
	return t->large || !read || (h.magic == il_disk_record_magic && h.txn == t->number && h.size == IL_DISK_LARGE);
}

/* What the commit needs in front of it. */
static int write_record(struct il_disk_txn *t, int fd, bool large)
{
	struct il_disk *d = t->disk;
	struct il_disk_record_head *h = (struct il_disk_record_head *)(void *)d->record;
	*h = (struct il_disk_record_head){ .magic = il_disk_record_magic,
		.txn = t->number,
		.size = large ? IL_DISK_LARGE : (uint32_t)t->recorded };
	if (!large)
		h->hash = il_disk_hash(h->txn, d->record + sizeof *h, h->size);
	return il_disk_write(fd, d->record, sizeof *h + (large ? 0 : t->recorded), area_of(d, t->number));
}

static int wait_for_disk(struct il_disk *d, int fd)
{
	if (fdatasync(fd)) {
		il_put(&d->control->unsynced, IL_DISK_FAILED);
		return EIO;
	}
	il_put(&d->control->unsynced, 0);
	return 0;
}

int il_disk_sync_remainder(struct il_disk *d)
{
	int fd;
	uint32_t state = il_get(&d->control->unsynced);
	if (state == IL_DISK_FAILED)
		return EIO;
	int rc = state ? mdb_env_get_fd(d->env, &fd) : 0;
	return rc || !state ? rc : wait_for_disk(d, fd);
}

/* LMDB waits for the disk before and after it writes the meta page. */
static int commit_large(struct il_disk_txn *t)
{
	MDB_env *env = t->disk->env;
	mdb_env_set_flags(env, MDB_NOSYNC, 0);
	int rc = mdb_txn_commit(t->txn);
	mdb_env_set_flags(env, MDB_NOSYNC, 1);
	return il_disk_room_result(t->disk, rc);
}

static int commit_soon(struct il_disk_txn *t)
{
	int rc = mdb_txn_commit(t->txn);
	if (!rc)
		il_disk_soon_committed(t->disk);
	return il_disk_room_result(t->disk, rc);
}

int il_disk_commit(struct il_disk_txn *t)
{
	struct il_disk *d = t->disk;
	int fd = -1, rc = t->puts ? mdb_env_get_fd(d->env, &fd) : 0;
	if (!t->puts)
		return mdb_txn_commit(t->txn);
	if (t->soon)
		return commit_soon(t);
	bool large = rc || is_large(t, fd);
	if (!rc)
		rc = write_record(t, fd, large);
	if (rc) {
		mdb_txn_abort(t->txn);
		return rc;
	}
	if (large)
		return commit_large(t);
	il_put(&d->control->unsynced, IL_DISK_UNSYNCED);
	rc = mdb_txn_commit(t->txn);
	return rc ? il_disk_room_result(d, rc) : wait_for_disk(d, fd);
}

/* After a power cut --------------------------------------------------------------------------------------- */

struct page {
	struct il_disk_meta meta;
	bool whole; /* its record */
	struct il_disk_record_head head;
};

static bool read_record(int fd, off_t at, size_t room, struct il_disk_record_head *h, char *bytes)
{
	if (pread(fd, h, sizeof *h, at) != sizeof *h || h->magic != il_disk_record_magic || h->size > room)
		return false;
	return pread(fd, bytes, h->size, at + (off_t)sizeof *h) == (ssize_t)h->size &&
		h->hash == il_disk_hash(h->txn, bytes, h->size);
}

static int read_page(int fd, int i, size_t size, char *bytes, struct page *p)
{
	off_t at = (off_t)i * (off_t)size;
	if (pread(fd, &p->meta, sizeof p->meta, at) != sizeof p->meta)
		return EUCLEAN;
	p->whole = read_record(fd, at + IL_DISK_RECORD_AT, size - IL_DISK_RECORD_AT - IL_DISK_SAVED - sizeof p->head,
		&p->head, bytes);
	return 0;
}

static bool is_believed(const struct page *p)
{
	return p->head.magic == il_disk_record_magic && p->head.txn == p->meta.txn && p->head.size == IL_DISK_LARGE;
}

static int go_back(int fd, struct page pages[2], size_t size, bool *again)
{
	int late = pages[1].meta.txn > pages[0].meta.txn;
	struct page *p = &pages[late], *other = &pages[!late];
	if (p->meta.txn == other->meta.txn) { /* it was under way, or there was no commit yet */
		late = (p->meta.txn & 1) == 0;
		*again = pages[late].whole && pages[late].head.txn == p->meta.txn + 1;
		return 0;
	}
	if (is_believed(p))
		return 0;
	*again = p->whole && p->head.txn == p->meta.txn;
	return il_disk_write_meta(fd, late, size, &other->meta);
}

/* A file that was just made has the two pages alone, and what they say need not be there: LMDB makes it again. */
static int look(int fd, bool same, struct il_disk_left *left)
{
	struct stat st;
	struct page pages[2];
	long usual = sysconf(_SC_PAGESIZE);
	if (fstat(fd, &st))
		return errno;
	if (st.st_size <= 2 * (usual > LARGEST_PAGE ? LARGEST_PAGE : usual))
		return ftruncate(fd, 0) ? errno : 0;
	if (pread(fd, &pages[0].meta, sizeof pages[0].meta, 0) != sizeof pages[0].meta)
		return errno;
	size_t size = pages[0].meta.trees[0].pad;
	if (pages[0].meta.magic != 0xBEEFC0DE || pages[0].meta.version != 1 || size < 512 || size > LARGEST_PAGE)
		return 0; /* LMDB says what is wrong with it */
	char *bytes = malloc(size);
	int err = bytes ? il_disk_soon_go_back(fd, size, same, &left->generation) : ENOMEM;
	for (int i = 0; i < 2 && !err; i++)
		err = read_page(fd, i, size, bytes, &pages[i]);
	free(bytes);
	return err ? err : go_back(fd, pages, size, &left->again);
}

int il_disk_go_back(const char *path, bool same, struct il_disk_left *left)
{
	char *name = NULL;
	*left = (struct il_disk_left){ .again = false };
	if (asprintf(&name, "%s/data.mdb", path) < 0)
		return ENOMEM;
	int fd = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int err = fd < 0 ? errno : look(fd, same, left);
	free(name);
	if (fd >= 0)
		close(fd);
	return err == ENOENT ? 0 : err;
}

/* LMDB's result. */
static int make_step(MDB_txn *txn, const struct step *s, const char *bytes)
{
	char table[256];
	MDB_dbi dbi;
	MDB_val key = { s->key, (void *)(bytes + s->table) }, value = { s->value, (void *)(bytes + s->table + s->key) };
	snprintf(table, sizeof table, "%.*s", (int)s->table, bytes);
	int rc = mdb_dbi_open(txn, table, s->step == IL_DISK_MAKE ? MDB_CREATE : 0, &dbi);
	if (rc)
		return rc;
	switch (s->step) {
	case IL_DISK_MAKE: return 0;
	case IL_DISK_PUT: return mdb_put(txn, dbi, &key, &value, 0);
	case IL_DISK_DELETE: return mdb_del(txn, dbi, &key, NULL);
	case IL_DISK_EMPTY: return mdb_drop(txn, dbi, 0);
	case IL_DISK_REMOVE: return mdb_drop(txn, dbi, 1);
	default: return EUCLEAN;
	}
}

static int make_all(MDB_txn *txn, const char *bytes, size_t size)
{
	struct step s;
	int rc = 0;
	for (size_t at = 0; !rc && at < size;) {
		memcpy(&s, bytes + at, size - at < sizeof s ? 0 : sizeof s);
		size_t length = (sizeof s + s.table + s.key + s.value + 7) & ~(size_t)7;
		if (size - at < sizeof s || length > size - at)
			return EUCLEAN;
		rc = make_step(txn, &s, bytes + at + sizeof s);
		at += length;
	}
	return rc;
}

/* The record stays as it is until LMDB has waited for the disk twice. */
int il_disk_replay(struct il_disk *d)
{
	MDB_txn *txn;
	struct il_disk_record_head h;
	int fd, rc = mdb_env_get_fd(d->env, &fd);
	if (!rc)
		rc = mdb_txn_begin(d->env, NULL, 0, &txn);
	if (rc)
		return rc;
	struct il_disk_txn t = { .disk = d, .txn = txn, .number = mdb_txn_id(txn) };
	bool whole = read_record(fd, area_of(d, t.number), room_of(d), &h, d->record) && h.txn == t.number;
	rc = whole ? make_all(txn, d->record, h.size) : EUCLEAN;
	if (!rc)
		return commit_large(&t);
	mdb_txn_abort(txn);
	return rc;
}
