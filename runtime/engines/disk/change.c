/* SPDX-License-Identifier: MIT
 *
 * Changes on the loop's thread, see change.h: queued, made by a thread, waiting, ended. Floor 2.
 */
#include "engines/disk/change.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/disk/batch.h"
#include "loop/thread_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const int64_t SAVE = IL_SECOND / 2; /* what does not wait for the disk is there soon after that */

/* The thread's; of a child it is not any more. */
struct il_disk_batch {
	struct il_work work;
	struct il_disk *disk;
};

static void work(struct il_work *item)
{
	il_disk_batch_make(il_container_of(item, struct il_disk_batch, work)->disk);
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
	if (!op->wait || c->late)
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
	struct il_disk_watch *watch = &c->object->disk->watches[il_disk_change_word(c)];
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
	watch += il_disk_change_word(c);
	c->waiting = true;
	il_list_add(&watch->waiting, &c->node);
	if (!il_futex_watched(&watch->futex))
		il_futex_watch(&watch->futex, &d->control->words[il_disk_change_word(c)], c->seen);
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
		atomic_store(&c->phase, IL_DISK_UNDECIDED);
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
			il_disk_batch_take(d);
			il_disk_batch_fail(d, err);
			d->end = false;
		} else {
			il_disk_batch_make(d);
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

/* A forked child has none of its parent's. */
static bool has_batch(const struct il_disk *d)
{
	return d->batch && il_fork_is_own(d->generation);
}

bool il_disk_op_await(struct il_op *op)
{
	struct il_disk_change *c = op->state;
	int winner = op->wait->winner;
	if (!c || winner >= 0 || winner == IL_DROPPED || !has_batch(c->object->disk) || il_disk_batch_withdraw(c))
		return false;
	c->late = true;
	il_thread_pool_finish(&c->object->disk->batch->work);
	return true;
}

/* One that begins may be queued again when its batch has ended. */
void il_disk_ops_stop(struct il_disk_object *o)
{
	for (bool begun = true; begun;) {
		begun = false;
		il_list_each(struct il_disk_change, c, &o->changes, mine)
			begun |= c->op && !il_disk_batch_withdraw(c);
		begun &= has_batch(o->disk);
		if (begun)
			il_thread_pool_finish(&o->disk->batch->work);
	}
}

void il_disk_ops_close(struct il_disk_object *o)
{
	struct il_list *next;
	il_disk_ops_stop(o);
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
