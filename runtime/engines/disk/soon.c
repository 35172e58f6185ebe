/* SPDX-License-Identifier: MIT
 *
 * Saved commits, see soon.h. What is saved is a copy of LMDB's meta page, at the end of one of the two pages in turn,
 * so a power cut leaves the one or the other. Floor 2.
 */
#include "engines/disk/soon.h"
#include "base/shared_atomic.h"
#include "engines/disk/meta_page.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NOTHING = 1, COMMIT = 2 };

/* Bytes by which the file may grow until a commit is saved: the pages that are given back meanwhile cannot be used. */
static const uint64_t GROWTH = 32 << 20;

struct saved {
	uint64_t magic, generation, hash;
	uint32_t kind, reserved;
	struct il_disk_meta meta;
};

_Static_assert(sizeof(struct saved) <= IL_DISK_SAVED, "it has its place in a page");

static const uint64_t MAGIC = 0x6e6f6f736c706920; /* " iplsoon" */

static uint64_t hash_of(const struct saved *s)
{
	return il_disk_hash(s->generation ^ s->kind, &s->meta, sizeof s->meta);
}

static off_t place_of(uint64_t generation, size_t page)
{
	return (off_t)((generation & 1) * page + page - IL_DISK_SAVED);
}

static int read_meta(int fd, size_t page, uint64_t txn, struct il_disk_meta *meta)
{
	return pread(fd, meta, sizeof *meta, (off_t)((txn & 1) * page)) == sizeof *meta ? 0 : EUCLEAN;
}

/* And waits for the disk. */
static int write_saved(int fd, size_t page, uint64_t generation, uint32_t kind, const struct il_disk_meta *meta)
{
	struct saved s = { .magic = MAGIC, .generation = generation, .kind = kind, .meta = *meta };
	s.hash = hash_of(&s);
	int err = il_disk_write(fd, &s, sizeof s, place_of(generation, page));
	return err ? err : fdatasync(fd) ? errno : 0;
}

/* After a power cut ------------------------------------------------------------------------------------------- */

static bool read_saved(int fd, size_t page, uint64_t generation, struct saved *s)
{
	return pread(fd, s, sizeof *s, place_of(generation, page)) == sizeof *s && s->magic == MAGIC &&
		s->hash == hash_of(s) && (s->generation & 1) == (generation & 1);
}

/* The last commit is there: the kernel has it. */
static int keep_last(int fd, size_t page)
{
	struct il_disk_meta even, odd;
	int err = read_meta(fd, page, 0, &even);
	if (!err)
		err = read_meta(fd, page, 1, &odd);
	return err ? err : il_disk_write_large(fd, page, even.txn > odd.txn ? even.txn : odd.txn);
}

static int go_back(int fd, size_t page, const struct il_disk_meta *meta)
{
	int err = il_disk_write_meta(fd, (int)!(meta->txn & 1), page, meta);
	return err ? err : il_disk_write_meta(fd, (int)(meta->txn & 1), page, meta);
}

int il_disk_soon_go_back(int fd, size_t page, bool same, uint64_t *generation)
{
	struct saved s[2];
	bool whole[2] = { read_saved(fd, page, 0, &s[0]), read_saved(fd, page, 1, &s[1]) };
	int late = whole[1] && (!whole[0] || s[1].generation > s[0].generation);
	*generation = whole[late] ? s[late].generation : 0;
	if (!whole[late] || s[late].kind != COMMIT)
		return 0;
	int err = same ? keep_last(fd, page) : go_back(fd, page, &s[late].meta);
	if (!err && fdatasync(fd))
		err = errno;
	return err ? err : write_saved(fd, page, ++*generation, NOTHING, &s[late].meta);
}

/* While processes live ---------------------------------------------------------------------------------------- */

void il_disk_soon_unpin(struct il_disk *d)
{
	if (d->pin)
		mdb_txn_abort(d->pin);
	d->pin = NULL;
}

static int pin(struct il_disk *d)
{
	MDB_txn *old = d->pin;
	int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->pin);
	if (rc)
		d->pin = NULL;
	if (old)
		mdb_txn_abort(old);
	return rc;
}

/* All that was committed is on the disk, and then that it is. */
static int save(struct il_disk *d, uint32_t kind)
{
	struct il_disk_control *control = d->control;
	struct il_disk_meta meta;
	MDB_envinfo info;
	int fd, rc = mdb_env_get_fd(d->env, &fd);
	if (!rc)
		rc = mdb_env_info(d->env, &info);
	if (!rc)
		rc = read_meta(fd, d->page, info.me_last_txnid, &meta);
	if (!rc && meta.txn != info.me_last_txnid)
		rc = EUCLEAN;
	if (!rc && kind == NOTHING)
		rc = il_disk_write_large(fd, d->page, info.me_last_txnid);
	if (!rc && fdatasync(fd))
		rc = EIO;
	if (!rc)
		rc = write_saved(fd, d->page, control->generation + 1, kind, &meta);
	if (rc == EIO)
		il_put(&control->unsynced, IL_DISK_FAILED);
	if (rc)
		return rc;
	control->generation++;
	control->saved = info.me_last_txnid;
	control->last = info.me_last_pgno;
	control->since = 0;
	il_put(&control->soon, kind == COMMIT);
	return 0;
}

static bool is_pinned(const struct il_disk *d)
{
	return d->pin && mdb_txn_id(d->pin) <= d->control->saved;
}

static bool has_grown(const struct il_disk *d)
{
	MDB_envinfo info;
	return mdb_env_info(d->env, &info) || (info.me_last_pgno - d->control->last) * d->page > GROWTH;
}

static int begin(struct il_disk *d)
{
	int dead, rc = save(d, COMMIT);
	if (!rc)
		rc = pin(d);
	if (!rc)
		mdb_reader_check(d->env, &dead); /* not before: their pins have protected what was saved */
	return rc;
}

static int end(struct il_disk *d)
{
	int dead, rc = il_get(&d->control->soon) ? save(d, NOTHING) : 0;
	il_disk_soon_unpin(d);
	if (!rc)
		mdb_reader_check(d->env, &dead);
	return rc;
}

int il_disk_soon_prepare(struct il_disk *d, bool soon)
{
	if (!soon)
		return il_get(&d->control->soon) ? end(d) : 0;
	return il_get(&d->control->soon) && is_pinned(d) && !has_grown(d) ? 0 : begin(d);
}

void il_disk_soon_committed(struct il_disk *d)
{
	d->control->since++;
	d->committed = true;
}

bool il_disk_soon_free(struct il_disk *d)
{
	const struct il_disk_control *control = d->control;
	bool old = d->pin && mdb_txn_id(d->pin) < control->saved;
	return il_get(&control->soon) && (control->since || old) && begin(d) == 0;
}

/* What others have committed is saved, too: they may have died. Without new commits a process gives up its pin, which
 * keeps pages from being used. */
int il_disk_soon_save(struct il_disk *d)
{
	const struct il_disk_control *control = d->control;
	bool any = il_get(&control->soon) && (d->committed || control->since);
	d->committed = false;
	if (any)
		return begin(d);
	il_disk_soon_unpin(d);
	return 0;
}

int il_disk_soon_end(struct il_disk *d)
{
	return d->pin ? end(d) : 0;
}
