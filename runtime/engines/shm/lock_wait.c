/* SPDX-License-Identifier: MIT
 *
 * Waiting for permits, see lock_wait.h. Waiting processes are in a table (engines/waiters.h), and a permit that is
 * given back calls one of them. Any process may take the permit meanwhile, so a lock that is held for microseconds need
 * not wait for a switch each time. Once the process that is called has waited for a while, though, the permit is for it
 * alone. Each watches the holders there are when it parks, and the process before it. A process that becomes a holder
 * later and stays it tells them after a while: so those behind one that stands still learn of the holder's death, too.
 * Floor 2.
 */
#include "engines/shm/lock_wait.h"
#include "engines/shm/wait.h"

#include <errno.h>

enum { WATCHED_BEHIND = 16 }; /* holders that a process watches which is not the first */

/* Processes that wait do not watch this holder yet. */
static void __attribute__((noinline)) note_taken(struct il_shm_lock *o)
{
	if (il_waiters_took(&o->waiters))
		il_shm_calls_add(&o->calls);
}

/* An operation that goes on to wait learns from its watch that a process has ended. One that does not wait checks. */
static int attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct il_shm_lock *o = il_shm_lock_of(waits->object);
	struct il_shm_permits *p = il_shm_lock_shared(o);
	int err = il_identity_learn();
	(void)waiting;
	if (err)
		return err;
	il_debt_pay(&o->debt);
	bool check = o->doubt || op->once || op->last;
	if (o->doubt)
		il_shm_calls_remove_dead(&o->calls);
	if (o->doubt || (check && il_get(&p->taken) >= o->max))
		il_shm_permits_clear_dead(o);
	o->doubt = false;
	uint32_t taken = il_get(&p->taken);
	bool may = taken < o->max && (il_waiters_may_take(&o->waiters, check) || taken + 1 < o->max);
	struct il_shm_permit_record *r = may ? il_shm_permits_own_record(o) : NULL;
	if (!r)
		return EAGAIN;
	il_shm_permits_set(p, r, r->count + 1);
	if (il_get(&p->head.parked) & IL_LISTED)
		note_taken(o);
	bool abandoned = il_get(&p->abandoned);
	if (abandoned)
		il_put(&p->abandoned, 0);
	op->lock.abandoned = abandoned;
	il_shm_lock_handle(op->source)->lock.unreported = abandoned;
	il_shm_lock_handle(op->source)->held++;
	return 0;
}

static void restart(struct il_shm_watches *w)
{
	struct il_shm_lock *o = il_container_of(w, struct il_shm_lock, watches);
	o->doubt = true;
	il_wait_queue_restart(&o->waits);
}

static void retry_after_call(struct il_shm_calls *c)
{
	il_wait_queue_restart(&il_container_of(c, struct il_shm_lock, calls)->waits);
}

static uint32_t *note(struct il_wait_queue *waits, bool served, bool park, uint32_t *expected)
{
	struct il_shm_lock *o = il_shm_lock_of(waits->object);
	uint32_t *word = NULL;
	bool joined = il_waiters_joined(&o->waiters);
	o->calls.leaves = false;
	if (il_list_empty(&waits->ops)) {
		if (joined)
			il_waiters_leave(&o->waiters, served);
	} else if (joined || park) {
		word = il_waiters_join(&o->waiters, 0, served, expected);
	}
	il_shm_calls_note(&o->calls);
	return word;
}

/* The holders are read without the latch: when they change, the first one is called, and parks again. One that comes
 * behind watches some of them, for the case that those before it stand still. */
static bool watch_holders(struct il_shm_lock *o, uint32_t most)
{
	bool ended = false;
	for (uint32_t i = 0; i < il_shm_permits_used(o) && most; i++) {
		struct il_shm_permit_record r = il_shm_lock_shared(o)->records[i];
		if (!r.count || il_shm_permits_is_own(&r))
			continue;
		ended |= il_shm_watches_add(&o->watches, (pid_t)r.pid, r.start);
		most--;
	}
	return ended;
}

static int park(struct il_wait_queue *waits)
{
	struct il_shm_lock *o = il_shm_lock_of(waits->object);
	const struct il_waiters *w = &o->waiters;
	il_shm_watches_begin(&o->watches);
	bool behind = w->joined && w->before;
	bool ended = watch_holders(o, behind ? WATCHED_BEHIND : IL_SHM_LOCK_HOLDERS);
	if (w->joined)
		ended |= il_shm_watches_add_waiters(&o->watches, w);
	int err = il_shm_watches_end(&o->watches);
	o->doubt |= ended;
	return err ? err : ended ? EAGAIN : 0;
}

static void unpark(struct il_wait_queue *waits)
{
	struct il_shm_lock *o = il_shm_lock_of(waits->object);
	il_shm_watches_idle(&o->watches);
	il_shm_calls_leave(&o->calls);
}

static const struct il_wait_queue_type waits_type = {
	.parked = IL_SHM_LOCK_PARKED,
	.strict = true,
	.away = IL_WAITER_AWAY,
	.enter = il_shm_wait_enter,
	.leave = il_shm_wait_leave,
	.attempt = attempt,
	.note = note,
	.park = park,
	.unpark = unpark,
};

bool il_shm_lock_attempt(struct il_op *op)
{
	return il_shm_wait_attempt(&il_shm_lock_handle(op->source)->object->waits, op);
}

int il_shm_lock_start(struct il_op *op)
{
	il_wait_queue_start(&il_shm_lock_handle(op->source)->object->waits, op);
	return 0;
}

bool il_shm_lock_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&il_shm_lock_handle(op->source)->object->waits, op);
	return false;
}

void il_shm_lock_wait_init(struct il_shm_lock *o)
{
	il_shm_watches_init(&o->watches, restart);
	il_shm_calls_init(&o->calls, &o->segment, &o->waiters, retry_after_call);
	il_shm_wait_init(&o->waits, &waits_type, &o->segment);
}

void il_shm_lock_wait_fini(struct il_shm_lock *o)
{
	o->waiters.joined = false;
	il_wait_queue_fini(&o->waits);
	il_shm_watches_fini(&o->watches);
	il_shm_calls_fini(&o->calls);
}
