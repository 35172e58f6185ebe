/* SPDX-License-Identifier: MIT
 *
 * Semaphores and mutexes in shared memory: a segment with permits (permits.h), and operations that wait for them
 * (lock_wait.h). Giving back cannot fail because a process stands still with the latch: it is owed then (debt.h).
 * Floor 2.
 */
#include "engines/shm/lock_wait.h"
#include "engines/shm/permits.h"
#include "engines/shm/shm.h"
#include "engines/shm/wait.h"
#include "engines/waiters_call.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST_PERMITS = 32767 };

static void pay(struct il_debt *d)
{
	il_shm_permits_give(il_container_of(d, struct il_shm_lock, debt), d->owed, d->abandoned);
}

static void paid(struct il_debt *d)
{
	il_wait_queue_retry(&il_container_of(d, struct il_shm_lock, debt)->waits);
}

/* Segments ---------------------------------------------------------------------------------------------- */

static struct il_segment *lock_new(void)
{
	struct il_shm_lock *o = calloc(1, sizeof *o);
	return o ? &o->segment : NULL;
}

static void lock_init(struct il_head *head, void *options)
{
	struct il_shm_permits *p = (struct il_shm_permits *)(void *)head;
	p->max = (uint32_t)((struct il_lock_options *)options)->max;
}

/* How many permits there are is believed once, when it is mapped, and only if the rest is made for them. */
static int lock_check(struct il_segment *s, void *options)
{
	struct il_lock_options *o = options;
	o->found = (int)il_shm_lock_of(s)->max;
	return o->found < 1 ? EUCLEAN : o->found == o->max ? 0 : EEXIST;
}

static void lock_mapped(struct il_segment *s)
{
	struct il_shm_lock *o = il_shm_lock_of(s);
	uint32_t max = s->size < sizeof(struct il_shm_permits) ? 0 : il_shm_lock_shared(o)->max;
	o->max = max <= MOST_PERMITS && s->size == il_shm_lock_size(max) ? max : 0;
	o->records = max < IL_SHM_LOCK_HOLDERS ? o->max : IL_SHM_LOCK_HOLDERS;
	o->waiters = (struct il_waiters){
		.head = &il_shm_lock_shared(o)->waiting,
		.at = il_shm_lock_shared(o)->waiters,
		.count = o->max ? IL_SHM_LOCK_WAITERS : 0,
		.latch = &s->head->latch,
		.parked = &s->head->parked,
		.bit = IL_LISTED,
		.ordered = true,
		.turns = true,
		.first_watches = o->max > 1,
	};
	il_shm_lock_wait_init(o);
	il_debt_init(&o->debt, s, pay, paid);
}

static void lock_unmapped(struct il_segment *s)
{
	struct il_shm_lock *o = il_shm_lock_of(s);
	il_shm_lock_wait_fini(o);
	il_debt_fini(&o->debt);
}

static void lock_wake_all(struct il_segment *s)
{
	il_waiters_wake_all(&il_shm_lock_of(s)->waiters);
}

static int lock_recover(struct il_segment *s)
{
	struct il_shm_lock *o = il_shm_lock_of(s);
	uint32_t taken = 0;
	for (uint32_t i = 0; i < il_shm_permits_used(o); i++)
		taken += il_shm_lock_shared(o)->records[i].count;
	il_put(&il_shm_lock_shared(o)->taken, taken);
	il_waiters_recover(&o->waiters);
	return 0;
}

static int lock_open(const struct il_key *key, struct il_lock_options *o, const struct il_segment_type *type,
	const struct il_lock_ops *ops, struct il_lock **l)
{
	struct il_shm_lock_handle *h = calloc(1, sizeof *h);
	struct il_segment *s;
	if (!h)
		return ENOMEM;
	int err = il_identity_learn();
	if (!err)
		err = il_segment_open(key, type, il_shm_lock_size((uint32_t)o->max), o->mode, o, &s);
	if (err) {
		free(h);
		return err;
	}
	h->lock.ops = ops;
	h->object = il_shm_lock_of(s);
	h->object->reports = ops->holder.attempt != NULL;
	h->generation = il_fork.generation;
	*l = &h->lock;
	return 0;
}

/* Operations -------------------------------------------------------------------------------------------- */

static int release(struct il_lock *l, bool abandoned)
{
	struct il_shm_lock_handle *h = il_shm_lock_handle(l);
	struct il_shm_lock *o = h->object;
	if (!h->held)
		return EPERM;
	h->held--;
	int err = il_segment_enter_soon(&o->segment);
	if (err == EAGAIN || err == ETIMEDOUT)
		il_debt_add(&o->debt, abandoned);
	if (err)
		return err == EAGAIN || err == ETIMEDOUT ? 0 : err;
	il_debt_pay(&o->debt);
	il_shm_permits_give(o, 1, abandoned);
	il_segment_leave(&o->segment);
	il_wait_queue_retry(&o->waits);
	return 0;
}

static bool lock_release(struct il_op *op)
{
	op->err = release(op->source, op->lock.abandoned);
	return true;
}

/* Enters, and frees the permits of processes that have died; then operations of this process may want them. */
static int enter(struct il_shm_lock *o)
{
	int err = il_segment_enter(&o->segment);
	if (err)
		return err;
	il_debt_pay(&o->debt);
	il_shm_permits_clear_dead(o);
	return 0;
}

static bool lock_value(struct il_op *op)
{
	struct il_shm_lock *o = il_shm_lock_handle(op->source)->object;
	op->err = enter(o);
	if (op->err)
		return true;
	uint32_t taken = il_get(&il_shm_lock_shared(o)->taken);
	il_segment_leave(&o->segment);
	il_wait_queue_retry(&o->waits);
	op->lock.permits = taken < o->max ? (int)(o->max - taken) : 0;
	return true;
}

static bool lock_holder(struct il_op *op)
{
	struct il_shm_lock *o = il_shm_lock_handle(op->source)->object;
	op->lock.pid = 0;
	op->err = enter(o);
	if (op->err)
		return true;
	for (uint32_t i = 0; i < il_shm_permits_used(o); i++)
		if (il_shm_lock_shared(o)->records[i].count)
			op->lock.pid = (pid_t)il_shm_lock_shared(o)->records[i].pid;
	il_segment_leave(&o->segment);
	il_wait_queue_retry(&o->waits);
	return true;
}

static bool lock_remove(struct il_op *op)
{
	struct il_shm_lock *o = il_shm_lock_handle(op->source)->object;
	op->err = il_segment_remove(&o->segment);
	il_wait_queue_retry(&o->waits);
	return true;
}

static void lock_close(struct il_lock *l)
{
	struct il_shm_lock_handle *h = il_shm_lock_handle(l);
	il_wait_queue_close(&h->object->waits, l);
	while (h->held && release(l, l->unreported) == 0)
		;
	il_shm_calls_stop_if_done(&h->object->calls);
	il_debt_drop_segment(&h->object->debt);
	free(h);
}

/* The nouns ---------------------------------------------------------------------------------------------- */

static const struct il_segment_type mutex_segment = {
	.noun = "mutex",
	.new = lock_new,
	.init = lock_init,
	.check = lock_check,
	.mapped = lock_mapped,
	.unmapped = lock_unmapped,
	.recover = lock_recover,
	.wake_all = lock_wake_all,
};

static const struct il_lock_ops mutex_ops = {
	.acquire = { "mutex acquire", il_shm_lock_attempt, il_shm_lock_start, il_shm_lock_cancel },
	.release = { "mutex release", lock_release, NULL, NULL },
	.value = { "mutex value", lock_value, NULL, NULL },
	.holder = { "mutex holder", lock_holder, NULL, NULL },
	.remove = { "mutex remove", lock_remove, NULL, NULL },
	.close = lock_close,
};

int il_shm_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	o->max = 1;
	return lock_open(key, o, &mutex_segment, &mutex_ops, l);
}

static const struct il_segment_type semaphore_segment = {
	.noun = "semaphore",
	.new = lock_new,
	.init = lock_init,
	.check = lock_check,
	.mapped = lock_mapped,
	.unmapped = lock_unmapped,
	.recover = lock_recover,
	.wake_all = lock_wake_all,
};

static const struct il_lock_ops semaphore_ops = {
	.acquire = { "semaphore acquire", il_shm_lock_attempt, il_shm_lock_start, il_shm_lock_cancel },
	.release = { "semaphore release", lock_release, NULL, NULL },
	.value = { "semaphore value", lock_value, NULL, NULL },
	.remove = { "semaphore remove", lock_remove, NULL, NULL },
	.close = lock_close,
};

int il_shm_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	return lock_open(key, o, &semaphore_segment, &semaphore_ops, l);
}
