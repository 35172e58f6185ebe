/* SPDX-License-Identifier: MIT
 *
 * Batches of changes, see change.h. A change is announced with the lock and before the commit, and one that waits is
 * tried with the lock, too: it sees the commit, or that the process before has died.
 * Floor 2.
 */
#include "engines/disk/change.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/disk/commit.h"
#include "engines/disk/room.h"
#include "engines/disk/soon.h"
#include "loop/thread_pool.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { UNDECIDED, BEGUN, WITHDRAWN }; /* phases of a change in a batch */

enum {
	MOST = 1000, /* changes in a batch */
	NAP = 5000000, /* ns between looks at the pins of other processes */
};

static const int64_t SAVE = IL_SECOND / 2; /* what does not wait for the disk is there soon after that */
static const int64_t PINS = 2 * IL_SECOND; /* within this time a process renews its pin, or does not run */

/* The thread's; of a child it is not any more. */
struct il_disk_batch {
	struct il_work work;
	struct il_disk *disk;
};

static uint32_t word_of(const struct il_disk_change *c)
{
	return (uint32_t)(c->key % IL_DISK_WORDS);
}

/* On the helper's thread ---------------------------------------------------------------------------------- */

static void take_queued(struct il_disk *d)
{
	pthread_mutex_lock(&d->mutex);
	for (int i = 0; i < MOST && !il_list_empty(&d->queued); i++) {
		struct il_disk_change *c = il_list_first(struct il_disk_change, &d->queued, node);
		__atomic_store_n(&c->running, true, __ATOMIC_RELAXED);
		c->failed = false;
		atomic_store(&c->phase, UNDECIDED);
		il_list_del(&c->node);
		il_list_add(&d->running, &c->node);
	}
	pthread_mutex_unlock(&d->mutex);
}

static bool decide(struct il_disk_change *c, int phase)
{
	int before = UNDECIDED;
	return atomic_compare_exchange_strong(&c->phase, &before, phase) || before == phase;
}

bool il_disk_change_withdraw(struct il_disk_change *c)
{
	return decide(c, WITHDRAWN);
}

/* False: it had changed something and then failed, so all is to be done again without it. */
static bool apply(struct il_disk_change *c, struct il_disk_txn *t)
{
	uint32_t puts = t->puts;
	if (!decide(c, BEGUN)) {
		c->err = ECANCELED;
		return true;
	}
	c->seen = il_get(&t->disk->control->words[word_of(c)]);
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

static void fail_all(struct il_disk *d, int err)
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

static void work_at(struct il_disk *d)
{
	int rc;
	int64_t until = il_now() + PINS;
	take_queued(d);
	d->soon = are_soon(d);
	while ((rc = work_until(d, until)) == EBUSY)
		nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
	if (rc)
		fail_all(d, rc);
}

static void work(struct il_work *item)
{
	work_at(il_container_of(item, struct il_disk_batch, work)->disk);
}

/* Ending ------------------------------------------------------------------------------------------------- */

static void free_change(struct il_disk_change *c)
{
	struct il_disk_object *o = c->object;
	il_list_del(&c->mine);
	free(c->data);
	free(c);
	il_disk_object_drop(o);
}

static void queue(struct il_disk_change *c, bool at_once)
{
	struct il_disk *d = c->object->disk;
	c->then = IL_DISK_FREED;
	if (c->op)
		c->op->busy = true;
	pthread_mutex_lock(&d->mutex);
	il_list_add(at_once ? d->queued.next : &d->queued, &c->node);
	pthread_mutex_unlock(&d->mutex);
}

/* Where it is kept, its operation may end here. */
static void finish(struct il_disk_change *c)
{
	if (c->op)
		c->op->busy = false;
	c->err = il_disk_errno(c->err);
	c->ended(c);
	if (c->then == IL_DISK_FREED)
		free_change(c);
	else if (c->then == IL_DISK_AGAIN)
		queue(c, true);
	else if (c->op)
		il_op_unbusy(c->op);
}

void il_disk_op_end(struct il_disk_change *c, int err)
{
	struct il_op *op = c->op;
	c->op = NULL;
	if (!op)
		return;
	op->state = NULL;
	if (!op->wait)
		op->err = err;
	else if (err == EAGAIN && op->once)
		il_op_not_ready(op);
	else
		il_op_finish(op, err);
}

/* Waiting ------------------------------------------------------------------------------------------------- */

static void start_batch(struct il_disk *d);

/* It does not wait for its word any more. */
static void leave_word(struct il_disk_change *c)
{
	struct il_disk_watch *watch = &c->object->disk->watches[word_of(c)];
	c->waiting = false;
	il_list_del(&c->node);
	il_timer_disarm(&c->timer);
	if (il_list_empty(&watch->waiting))
		il_futex_unwatch(&watch->futex);
}

static void on_due(struct il_timer *timer)
{
	struct il_disk_change *c = il_container_of(timer, struct il_disk_change, timer);
	leave_word(c);
	queue(c, true);
	start_batch(c->object->disk);
}

/* The wall clock may be set meanwhile: then it is tried again too early, or late. */
static int arm(struct il_disk_change *c)
{
	int64_t left = c->due - il_wall_now();
	c->timer.expired = on_due;
	il_timer_start(&c->timer, left > 0 ? left : 1);
	return il_timer_arm(&c->timer, false);
}

/* These are older than what is queued. */
static void word_changed(struct il_futex *futex)
{
	struct il_disk_watch *watch = il_container_of(futex, struct il_disk_watch, futex);
	struct il_disk *d = watch->disk;
	pthread_mutex_lock(&d->mutex);
	il_list_each(struct il_disk_change, c, &watch->waiting, node) {
		c->waiting = false;
		il_timer_disarm(&c->timer);
	}
	il_list_drain(struct il_disk_change, c, &d->queued, node)
		il_list_add(&watch->waiting, &c->node);
	il_list_move(&watch->waiting, &d->queued);
	pthread_mutex_unlock(&d->mutex);
	start_batch(d);
}

static struct il_disk_watch *watches_of(struct il_disk *d)
{
	if (d->watches)
		return d->watches;
	d->watches = calloc(IL_DISK_WORDS, sizeof *d->watches);
	for (uint32_t i = 0; d->watches && i < IL_DISK_WORDS; i++) {
		d->watches[i].disk = d;
		il_list_init(&d->watches[i].waiting);
		il_futex_init(&d->watches[i].futex, word_changed);
	}
	return d->watches;
}

/* Until its word is not any more what it was with the lock. Its operation may end here. */
static void park(struct il_disk_change *c)
{
	struct il_disk *d = c->object->disk;
	struct il_disk_watch *watch = watches_of(d);
	if (!watch || (c->due && arm(c))) {
		c->err = ENOMEM;
		finish(c);
		return;
	}
	watch += word_of(c);
	c->waiting = true;
	il_list_add(&watch->waiting, &c->node);
	if (!il_futex_watched(&watch->futex))
		il_futex_watch(&watch->futex, &d->control->words[word_of(c)], c->seen);
	il_op_unbusy(c->op);
}

/* Batches ------------------------------------------------------------------------------------------------- */

/* To tell of one may end others of the same wait, which then have no operation. */
static void end_all(struct il_disk *d)
{
	struct il_list round;
	il_list_move(&d->running, &round);
	il_list_drain(struct il_disk_change, c, &round, node) {
		c->running = false;
		if (c->waits && c->err == EAGAIN && c->op && c->op->wait && !c->op->once)
			park(c);
		else
			finish(c);
	}
}

static void on_time(struct il_timer *timer)
{
	struct il_disk *d = il_container_of(timer, struct il_disk, timer);
	d->save_next = true;
	start_batch(d);
}

/* A batch is over. */
static void save_later(struct il_disk *d)
{
	d->save = d->end = false;
	if (!d->pin || d->timer.item.place)
		return;
	d->timer.expired = on_time;
	il_timer_start(&d->timer, SAVE);
	il_timer_arm(&d->timer, false);
}

/* A child of the process where the work was done has nothing of it. */
static void ended(struct il_work *item)
{
	struct il_disk_batch *b = il_container_of(item, struct il_disk_batch, work);
	struct il_disk *d = b->disk;
	bool forked = item->forked;
	free(b);
	if (forked)
		return;
	d->batch = NULL;
	save_later(d);
	start_batch(d);
	il_disk_drop(d);
}

static int start_thread(struct il_disk *d)
{
	struct il_disk_batch *b = malloc(sizeof *b);
	if (!b)
		return ENOMEM;
	b->disk = d;
	int err = il_thread_pool_start(&b->work, work, ended);
	if (err) {
		free(b);
		return err;
	}
	d->batch = b;
	d->refs++;
	return 0;
}

/* Where no thread can be had, the loop's does it. */
static void start_batch(struct il_disk *d)
{
	d->refs++;
	while (!d->batch) {
		end_all(d);
		if (d->batch || (il_list_empty(&d->queued) && !d->save_next && !d->end))
			break;
		d->save = d->save_next;
		d->save_next = false;
		int err = il_disk_enter(d);
		if (!err && start_thread(d) == 0)
			break;
		if (err) {
			take_queued(d);
			fail_all(d, err);
			d->end = false;
		} else {
			work_at(d);
			save_later(d);
		}
	}
	il_disk_drop(d);
}

void *il_disk_change_new(size_t size, size_t more, struct il_disk_object *o)
{
	struct il_disk_change *c = malloc(size + more);
	if (!c)
		return NULL;
	memset(c, 0, size);
	c->object = o;
	o->refs++;
	il_list_init(&c->node);
	il_list_add(&o->changes, &c->mine);
	return c;
}

int il_disk_change_start(struct il_disk_change *c)
{
	struct il_disk *d = c->object->disk;
	struct il_op *op = c->op;
	int err = il_disk_enter(d);
	if (err) {
		free_change(c);
		return err;
	}
	d->refs++;
	if (op)
		op->state = c;
	queue(c, false);
	start_batch(d);
	if (op && !op->wait)
		il_disk_changes_finish(d);
	il_disk_drop(d);
	return 0;
}

/* What belongs to the process before a fork, no other thread has here. */
static bool take_back(struct il_disk_change *c)
{
	struct il_disk *d = c->object->disk;
	if (c->then == IL_DISK_KEPT)
		return true;
	if (!il_fork_is_own(d->generation))
		return false;
	pthread_mutex_lock(&d->mutex);
	bool queued = !c->running;
	if (queued && !c->waiting)
		il_list_del(&c->node);
	pthread_mutex_unlock(&d->mutex);
	if (queued && c->waiting)
		leave_word(c);
	return queued;
}

bool il_disk_op_cancel(struct il_op *op)
{
	struct il_disk_change *c = op->state;
	op->state = NULL;
	if (!c)
		return false;
	c->op = NULL;
	if (!take_back(c))
		return true;
	free_change(c);
	return false;
}

void il_disk_ops_close(struct il_disk_object *o)
{
	struct il_list *next;
	for (struct il_list *l = o->changes.next; l != &o->changes; l = next) {
		struct il_disk_change *c = il_container_of(l, struct il_disk_change, mine);
		struct il_op *op = c->op;
		next = l->next;
		if (!op)
			continue;
		op->busy = false;
		il_disk_op_cancel(op);
		il_op_finish(op, ECANCELED);
		next = o->changes.next; /* with it, others may have left */
	}
}

void il_disk_batch_finish(struct il_disk *d)
{
	if (d->batch && il_fork_is_own(d->generation))
		il_thread_pool_finish(&d->batch->work);
}

void il_disk_changes_finish(struct il_disk *d)
{
	d->refs++;
	while (d->batch)
		il_thread_pool_finish(&d->batch->work);
	il_disk_drop(d);
}

bool il_disk_changes_end(struct il_disk *d)
{
	if (!d->pin || !il_fork_is_own(d->generation) || d->batch)
		return false;
	d->end = true;
	d->refs++;
	start_batch(d);
	d->refs--;
	return d->batch;
}

static void leave(struct il_list *changes)
{
	il_list_drain(struct il_disk_change, c, changes, node) {
		c->running = false;
		c->err = ECANCELED;
		finish(c);
	}
}

void il_disk_changes_leave(struct il_disk *d)
{
	d->refs += !d->batch;
	d->batch = NULL;
	leave(&d->queued);
	leave(&d->running);
	for (uint32_t i = 0; d->watches && i < IL_DISK_WORDS; i++) {
		leave(&d->watches[i].waiting);
		il_futex_unwatch(&d->watches[i].futex);
	}
	d->refs--;
}
