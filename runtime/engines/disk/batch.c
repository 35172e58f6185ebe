/* SPDX-License-Identifier: MIT
 *
 * Batches of changes, see batch.h. A change is announced with the lock and before the commit, and one that waits is
 * tried with the lock, too: it sees the commit, or that the process before has died. Floor 2.
 */
#include "engines/disk/batch.h"
#include "base/clock.h"
#include "base/shared_atomic.h"
#include "engines/disk/commit.h"
#include "engines/disk/room.h"
#include "engines/disk/soon.h"
#include "loop/futex.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

enum {
	MOST = 1000, /* changes in a batch */
	NAP = 5000000, /* ns between checks of the pins of other processes */
};

static const int64_t PINS = 2 * IL_SECOND; /* within this time a process renews its pin, or does not run */

void il_disk_batch_take(struct il_disk *d)
{
	pthread_mutex_lock(&d->mutex);
	for (int i = 0; i < MOST && !il_list_empty(&d->queued); i++) {
		struct il_disk_change *c = il_list_first(struct il_disk_change, &d->queued, node);
		__atomic_store_n(&c->running, true, __ATOMIC_RELAXED);
		c->failed = false;
		il_list_del(&c->node);
		il_list_add(&d->running, &c->node);
	}
	pthread_mutex_unlock(&d->mutex);
}

static bool decide(struct il_disk_change *c, int phase)
{
	int before = IL_DISK_UNDECIDED;
	return atomic_compare_exchange_strong(&c->phase, &before, phase) || before == phase;
}

bool il_disk_batch_withdraw(struct il_disk_change *c)
{
	return decide(c, IL_DISK_WITHDRAWN);
}

/* False: it had changed something and then failed, so all is to be done again without it. */
static bool apply(struct il_disk_change *c, struct il_disk_txn *t)
{
	uint32_t puts = t->puts;
	if (!decide(c, IL_DISK_BEGUN)) {
		c->err = ECANCELED;
		return true;
	}
	c->seen = il_get(&t->disk->control->words[il_disk_change_word(c)]);
	c->err = c->apply(c, t);
	c->failed = c->err && c->err != EAGAIN && t->puts != puts;
	return !c->failed;
}

static void raise_words(struct il_disk_txn *t)
{
	for (uint32_t i = 0; i < IL_DISK_WORDS; i++) {
		uint32_t *word = &t->disk->control->words[i];
		if (!(t->announced[i / 64] >> i % 64 & 1))
			continue;
		il_put(word, il_get(word) + 1);
		il_futex_wake(word);
	}
}

/* What a transaction that is aborted has opened is closed. */
static void forget_tables(struct il_disk *d)
{
	atomic_fetch_add(&d->openings, 1);
}

static int commit(struct il_disk_txn *t)
{
	int rc = il_disk_commit(t);
	if (rc)
		forget_tables(t->disk);
	t->disk->broken |= rc == MDB_PANIC || rc == EIO;
	return rc;
}

/* It may be so only together with the others, so it has not failed yet. */
static bool is_too_much(struct il_disk_change *c)
{
	bool too_much = c->err == MDB_TXN_FULL || c->err == MDB_MAP_FULL;
	c->failed &= !too_much;
	return too_much;
}

/* All of a batch, or only one. EAGAIN: once more, without the one that has failed. Else LMDB's result. */
static int make(struct il_disk *d, const struct il_disk_change *only)
{
	struct il_disk_txn t = { .disk = d, .changes = true, .soon = d->soon };
	int rc = mdb_txn_begin(d->env, NULL, 0, &t.txn);
	if (rc)
		return rc;
	t.number = mdb_txn_id(t.txn);
	il_list_each(struct il_disk_change, c, &d->running, node)
		if (!c->failed && (!only || c == only) && !apply(c, &t)) {
			mdb_txn_abort(t.txn);
			forget_tables(d);
			return !only && is_too_much(c) ? ENOSPC : EAGAIN;
		}
	raise_words(&t);
	return commit(&t);
}

void il_disk_batch_fail(struct il_disk *d, int err)
{
	il_list_each(struct il_disk_change, c, &d->running, node)
		if (!c->failed)
			c->err = err;
}

static int make_until_done(struct il_disk *d, const struct il_disk_change *only)
{
	int rc;
	do
		rc = make(d, only);
	while (rc == EAGAIN);
	return rc;
}

/* If one of them waits for the disk, all do. */
static bool are_soon(struct il_disk *d)
{
	il_list_each(const struct il_disk_change, c, &d->running, node)
		if (!c->object->soon)
			return false;
	return true;
}

static int make_alone(struct il_disk *d, const struct il_disk_change *c)
{
	int rc = make_until_done(d, c);
	return il_disk_is_full(rc) && il_disk_soon_free(d) ? make_until_done(d, c) : rc;
}

/* Of a batch that came out so: the changes that had no room are to be made, and those that were made are not. */
static void make_again(struct il_disk *d, int rc)
{
	il_list_each(struct il_disk_change, c, &d->running, node)
		c->failed = !il_disk_is_full(c->err) && (c->failed || !rc);
	d->full = false;
}

/* What the last transaction gave back can be used when there is a later one. */
static int make_empty(struct il_disk *d)
{
	struct il_disk_txn t = { .disk = d, .changes = true, .soon = d->soon };
	struct il_disk_change *c = il_list_first(struct il_disk_change, &d->running, node);
	int rc = mdb_txn_begin(d->env, NULL, 0, &t.txn);
	if (rc)
		return rc;
	t.number = mdb_txn_id(t.txn);
	rc = il_disk_object_touch(c->object, &t);
	if (!rc)
		return commit(&t);
	mdb_txn_abort(t.txn);
	forget_tables(d);
	return rc;
}

/* True: pages that were given back can be used now. */
static bool free_pages(struct il_disk *d)
{
	bool freed = d->full && make_empty(d) == 0;
	return il_disk_soon_free(d) || freed;
}

/* Where the disk has no room for all of them, there may be some when these pages can be used; or for those that need
 * least (room.h). EBUSY, before `until`: or when other processes have renewed their pins. */
static int make_all(struct il_disk *d, int64_t until)
{
	int rc = il_disk_sync_remainder(d);
	if (!rc)
		rc = il_disk_soon_prepare(d, d->soon);
	if (!rc)
		rc = make_until_done(d, NULL);
	if ((d->full || il_disk_is_full(rc)) && free_pages(d)) {
		make_again(d, rc);
		rc = make_until_done(d, NULL);
	}
	if (!il_disk_is_full(rc))
		return rc;
	if (il_now() < until && il_disk_room_is_held(d))
		return EBUSY;
	il_list_each(struct il_disk_change, c, &d->running, node)
		if (!c->failed && (rc = make_alone(d, c))) {
			c->err = rc;
			c->failed = true;
		}
	return 0;
}

/* What fails here is tried again with the next change, which gets the error. */
static void bring_to_disk(struct il_disk *d)
{
	if (d->end)
		il_disk_soon_end(d);
	else if (d->save)
		il_disk_soon_save(d);
}

static int work_until(struct il_disk *d, int64_t until)
{
	int rc = il_disk_control_lock(d->control);
	if (!rc) {
		d->full = false;
		rc = il_list_empty(&d->running) ? 0 : make_all(d, until);
		bring_to_disk(d);
		il_disk_control_unlock(d->control);
	} else if (d->end) {
		il_disk_soon_unpin(d);
	}
	return rc;
}

void il_disk_batch_make(struct il_disk *d)
{
	int rc;
	int64_t until = il_now() + PINS;
	il_disk_batch_take(d);
	d->soon = are_soon(d);
	while ((rc = work_until(d, until)) == EBUSY)
		nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
	if (rc)
		il_disk_batch_fail(d, rc);
}
