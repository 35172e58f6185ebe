/* SPDX-License-Identifier: MIT
 *
 * Semaphores and mutexes in shared memory: a segment with a record for each process that holds. Taking a permit is one
 * store, the count of one's record; giving it back is another. A record whose process has ended is cleared by the next
 * process that wants a permit. The sum of the counts is kept beside them, and made again from them after a process died
 * in between. Giving back cannot fail because a process stands still with the latch: it is owed then (debt.h).
 *
 * Waiting processes are in a table (engines/waiters.h), and a permit that is given back calls one of them. Any process
 * may take the permit meanwhile, so a lock that is held for microseconds need not wait for a switch each time. Once the
 * process that is called has waited for a while, though, the permit is for it alone. Each watches the holders there are
 * when it parks, and the process before it. A process that becomes a holder later and stays it tells them after a
 * while: so those behind one that stands still learn of the holder's death, too. Floor 2.
 */
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/shm/calls.h"
#include "engines/shm/debt.h"
#include "engines/shm/shm.h"
#include "engines/shm/wait.h"
#include "engines/shm/watches.h"
#include "engines/waiters_call.h"
#include "os/identity.h"
#include "os/process_watch.h"

#include <errno.h>
#include <stdlib.h>

enum { PARKED = 1, MOST_WAITERS = 64, MOST_HOLDERS = 1024, MOST_PERMITS = 32767, WATCHED_BEHIND = 16 };

struct record {
	uint32_t pid;
	uint32_t count; /* permits it has; 0: the record is free */
	uint64_t start;
};

/* What is shared. A permit whose holder died may be told: `abandoned`, by the mutex. */
struct permits {
	struct il_head head;
	uint32_t max;
	uint32_t taken; /* sum of the counts */
	uint32_t abandoned; /* a holder has died, and no process has been told yet */
	uint32_t used; /* records from here on have never been used */
	struct il_waiters_head waiting;
	struct il_waiter waiters[MOST_WAITERS];
	struct record records[];
};

/* The process's own part. */
struct object {
	struct il_segment segment;
	struct il_wait_queue waits;
	struct il_waiters waiters;
	struct il_shm_calls calls;
	struct il_shm_watches watches; /* of the processes whose end matters, while an operation waits here */
	struct il_debt debt; /* permits that were given back, and are still in the record */
	struct record *own; /* where this process's record was last; NULL: nowhere yet */
	uint32_t records; /* that there is room for */
	uint32_t max; /* as it was when it was mapped */
	bool tells; /* a mutex: the next holder is told of one that died */
	bool doubt; /* a process that is watched has ended, or may have */
};

struct handle {
	struct il_lock lock;
	struct object *object;
	uint32_t held; /* permits */
	uint32_t generation; /* that holds them */
};

static struct permits *shared(const struct object *o)
{
	return (struct permits *)(void *)o->segment.head;
}

static struct object *object_of(struct il_segment *s)
{
	return il_container_of(s, struct object, segment);
}

/* In a forked child nothing is held. */
static struct handle *handle_of(struct il_lock *l)
{
	struct handle *h = il_container_of(l, struct handle, lock);
	if (!il_fork_is_own(h->generation)) {
		h->generation = il_fork.generation;
		h->held = 0;
	}
	return h;
}

static uint32_t used_records(const struct object *o)
{
	uint32_t used = il_get(&shared(o)->used);
	return used < o->records ? used : o->records;
}

/* Holders ---------------------------------------------------------------------------------------------- */

static bool is_own(const struct record *r)
{
	return r->pid == (uint32_t)il_fork.pid && r->start == il_identity_start();
}

static void set_count(struct permits *p, struct record *r, uint32_t count)
{
	uint32_t taken = il_get(&p->taken) - r->count + count;
	il_put(&r->count, count);
	il_put(&p->taken, taken);
}

/* Before `count` permits become free. */
static void call(struct object *o, uint32_t count)
{
	struct permits *p = shared(o);
	uint32_t taken = il_get(&p->taken), left = taken > count ? taken - count : 0;
	il_waiters_call(&o->waiters, 0, left < o->max ? o->max - left : 0);
	il_shm_calls_note(&o->calls);
}

static inline void announce(struct object *o, uint32_t count)
{
	il_segment_change(&o->segment, PARKED);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		call(o, count);
}

/* The permits of processes that have died are free. That they died is written down first. */
static void clear_dead(struct object *o)
{
	struct permits *p = shared(o);
	for (uint32_t i = 0; i < used_records(o); i++) {
		struct record *r = &p->records[i];
		if (!r->count || is_own(r) || !il_process_watch_ended((pid_t)r->pid, r->start))
			continue;
		announce(o, r->count);
		il_put(&p->abandoned, o->tells);
		set_count(p, r, 0);
	}
}

/* The record of this process, or a free one. NULL: too many hold. */
static struct record *find_record(struct object *o)
{
	struct permits *p = shared(o);
	struct record *unused = NULL;
	uint32_t used = used_records(o);
	for (uint32_t i = 0; i < used; i++) {
		struct record *r = &p->records[i];
		if (r->count && is_own(r))
			return r;
		if (!r->count && !unused)
			unused = r;
	}
	if (!unused && used < o->records) {
		unused = &p->records[used];
		il_put(&unused->count, 0);
		il_put(&p->used, used + 1);
	}
	if (unused) {
		il_put(&unused->pid, (uint32_t)il_fork.pid);
		il_put64(&unused->start, il_identity_start());
	}
	return unused;
}

/* The same. A record that still has our name has not been taken by another process, even if it is free. */
static inline struct record *own_record(struct object *o)
{
	if (!o->own || !is_own(o->own))
		o->own = find_record(o);
	return o->own;
}

/* Giving back ------------------------------------------------------------------------------------------- */

/* With the latch. */
static void give(struct object *o, uint32_t count, bool abandoned)
{
	struct record *r = own_record(o);
	if (!r || r->count < count)
		return;
	announce(o, count);
	if (abandoned && o->tells)
		il_put(&shared(o)->abandoned, 1);
	set_count(shared(o), r, r->count - count);
	o->waiters.took &= r->count != 0;
}

static void pay(struct il_debt *d)
{
	give(il_container_of(d, struct object, debt), d->owed, d->abandoned);
}

static void paid(struct il_debt *d)
{
	il_wait_queue_retry(&il_container_of(d, struct object, debt)->waits);
}

/* Operations -------------------------------------------------------------------------------------------- */

/* Those that wait watch those that held before. */
static void __attribute__((noinline)) note_taken(struct object *o)
{
	if (il_waiters_took(&o->waiters))
		il_shm_calls_add(&o->calls);
}

/* An operation that goes on to wait is told of a process that has ended: only one that does not asks. */
static int attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct object *o = object_of(waits->object);
	struct permits *p = shared(o);
	int err = il_identity_learn();
	(void)waiting;
	if (err)
		return err;
	il_debt_pay(&o->debt);
	bool check = o->doubt || op->once || op->last;
	if (o->doubt)
		il_shm_calls_remove_dead(&o->calls);
	if (o->doubt || (check && il_get(&p->taken) >= o->max))
		clear_dead(o);
	o->doubt = false;
	uint32_t taken = il_get(&p->taken);
	bool may = taken < o->max && (il_waiters_may_take(&o->waiters, check) || taken + 1 < o->max);
	struct record *r = may ? own_record(o) : NULL;
	if (!r)
		return EAGAIN;
	set_count(p, r, r->count + 1);
	if (il_get(&p->head.parked) & IL_LISTED)
		note_taken(o);
	bool abandoned = il_get(&p->abandoned);
	if (abandoned)
		il_put(&p->abandoned, 0);
	op->lock.abandoned = abandoned;
	handle_of(op->source)->lock.unreported = abandoned;
	handle_of(op->source)->held++;
	return 0;
}

/* Waiting ------------------------------------------------------------------------------------------------ */

static void restart(struct il_shm_watches *w)
{
	struct object *o = il_container_of(w, struct object, watches);
	o->doubt = true;
	il_wait_queue_restart(&o->waits);
}

static void look_after_call(struct il_shm_calls *c)
{
	il_wait_queue_restart(&il_container_of(c, struct object, calls)->waits);
}

static uint32_t *note(struct il_wait_queue *waits, bool served, bool park, uint32_t *expected)
{
	struct object *o = object_of(waits->object);
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
static bool watch_holders(struct object *o, uint32_t most)
{
	bool ended = false;
	for (uint32_t i = 0; i < used_records(o) && most; i++) {
		struct record r = shared(o)->records[i];
		if (!r.count || is_own(&r))
			continue;
		ended |= il_shm_watches_add(&o->watches, (pid_t)r.pid, r.start);
		most--;
	}
	return ended;
}

static int park(struct il_wait_queue *waits)
{
	struct object *o = object_of(waits->object);
	const struct il_waiters *w = &o->waiters;
	il_shm_watches_begin(&o->watches);
	bool behind = w->joined && w->before;
	bool ended = watch_holders(o, behind ? WATCHED_BEHIND : MOST_HOLDERS);
	if (w->joined)
		ended |= il_shm_watches_add_waiters(&o->watches, w);
	int err = il_shm_watches_end(&o->watches);
	o->doubt |= ended;
	return err ? err : ended ? EAGAIN : 0;
}

static void unpark(struct il_wait_queue *waits)
{
	struct object *o = object_of(waits->object);
	il_shm_watches_idle(&o->watches);
	il_shm_calls_leave(&o->calls);
}

static const struct il_wait_queue_type waits_type = {
	.parked = PARKED,
	.strict = true,
	.away = IL_WAITER_AWAY,
	.enter = il_shm_wait_enter,
	.leave = il_shm_wait_leave,
	.attempt = attempt,
	.note = note,
	.park = park,
	.unpark = unpark,
};

static bool lock_attempt(struct il_op *op)
{
	return il_shm_wait_attempt(&handle_of(op->source)->object->waits, op);
}

static int lock_start(struct il_op *op)
{
	il_wait_queue_start(&handle_of(op->source)->object->waits, op);
	return 0;
}

static bool lock_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&handle_of(op->source)->object->waits, op);
	return false;
}

/* Segments ---------------------------------------------------------------------------------------------- */

static struct il_segment *lock_new(void)
{
	struct object *o = calloc(1, sizeof *o);
	return o ? &o->segment : NULL;
}

static void lock_init(struct il_head *head, void *options)
{
	struct permits *p = (struct permits *)(void *)head;
	p->max = (uint32_t)((struct il_lock_options *)options)->max;
}

static size_t size_of(uint32_t max)
{
	return sizeof(struct permits) + (max < MOST_HOLDERS ? max : MOST_HOLDERS) * sizeof(struct record);
}

/* How many permits there are is believed once, when it is mapped, and only if the rest is made for them. */
static int lock_check(struct il_segment *s, void *options)
{
	struct il_lock_options *o = options;
	o->found = (int)object_of(s)->max;
	return o->found < 1 ? EUCLEAN : o->found == o->max ? 0 : EEXIST;
}

static void lock_mapped(struct il_segment *s)
{
	struct object *o = object_of(s);
	uint32_t max = s->size < sizeof(struct permits) ? 0 : shared(o)->max;
	o->max = max <= MOST_PERMITS && s->size == size_of(max) ? max : 0;
	o->records = max < MOST_HOLDERS ? o->max : MOST_HOLDERS;
	il_shm_watches_init(&o->watches, restart);
	o->waiters = (struct il_waiters){
		.head = &shared(o)->waiting,
		.at = shared(o)->waiters,
		.count = o->max ? MOST_WAITERS : 0,
		.latch = &s->head->latch,
		.parked = &s->head->parked,
		.bit = IL_LISTED,
		.ordered = true,
		.turns = true,
		.first_watches = o->max > 1,
	};
	il_shm_calls_init(&o->calls, s, &o->waiters, look_after_call);
	il_debt_init(&o->debt, s, pay, paid);
	il_shm_wait_init(&o->waits, &waits_type, s);
}

static void lock_unmapped(struct il_segment *s)
{
	struct object *o = object_of(s);
	o->waiters.joined = false;
	il_wait_queue_fini(&o->waits);
	il_shm_watches_fini(&o->watches);
	il_shm_calls_fini(&o->calls);
	il_debt_fini(&o->debt);
}

static void lock_wake_all(struct il_segment *s)
{
	il_waiters_wake_all(&object_of(s)->waiters);
}

static int lock_recover(struct il_segment *s)
{
	struct object *o = object_of(s);
	uint32_t taken = 0;
	for (uint32_t i = 0; i < used_records(o); i++)
		taken += shared(o)->records[i].count;
	il_put(&shared(o)->taken, taken);
	il_waiters_recover(&o->waiters);
	return 0;
}

static int lock_open(const struct il_key *key, struct il_lock_options *o, const struct il_segment_type *type,
	const struct il_lock_ops *ops, struct il_lock **l)
{
	struct handle *h = calloc(1, sizeof *h);
	struct il_segment *s;
	if (!h)
		return ENOMEM;
	int err = il_identity_learn();
	if (!err)
		err = il_segment_open(key, type, size_of((uint32_t)o->max), o->mode, o, &s);
	if (err) {
		free(h);
		return err;
	}
	h->lock.ops = ops;
	h->object = object_of(s);
	h->object->tells = ops->holder.attempt != NULL;
	h->generation = il_fork.generation;
	*l = &h->lock;
	return 0;
}

/* Operations -------------------------------------------------------------------------------------------- */

static int release(struct il_lock *l, bool abandoned)
{
	struct handle *h = handle_of(l);
	struct object *o = h->object;
	if (!h->held)
		return EPERM;
	h->held--;
	int err = il_segment_enter_soon(&o->segment);
	if (err == EAGAIN || err == ETIMEDOUT)
		il_debt_add(&o->debt, abandoned);
	if (err)
		return err == EAGAIN || err == ETIMEDOUT ? 0 : err;
	il_debt_pay(&o->debt);
	give(o, 1, abandoned);
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
static int enter(struct object *o)
{
	int err = il_segment_enter(&o->segment);
	if (err)
		return err;
	il_debt_pay(&o->debt);
	clear_dead(o);
	return 0;
}

static bool lock_value(struct il_op *op)
{
	struct object *o = handle_of(op->source)->object;
	op->err = enter(o);
	if (op->err)
		return true;
	uint32_t taken = il_get(&shared(o)->taken);
	il_segment_leave(&o->segment);
	il_wait_queue_retry(&o->waits);
	op->lock.permits = taken < o->max ? (int)(o->max - taken) : 0;
	return true;
}

static bool lock_holder(struct il_op *op)
{
	struct object *o = handle_of(op->source)->object;
	op->lock.pid = 0;
	op->err = enter(o);
	if (op->err)
		return true;
	for (uint32_t i = 0; i < used_records(o); i++)
		if (shared(o)->records[i].count)
			op->lock.pid = (pid_t)shared(o)->records[i].pid;
	il_segment_leave(&o->segment);
	il_wait_queue_retry(&o->waits);
	return true;
}

static bool lock_remove(struct il_op *op)
{
	struct object *o = handle_of(op->source)->object;
	op->err = il_segment_remove(&o->segment);
	il_wait_queue_retry(&o->waits);
	return true;
}

static void lock_close(struct il_lock *l)
{
	struct handle *h = handle_of(l);
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
	.acquire = { "mutex acquire", lock_attempt, lock_start, lock_cancel },
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
	.acquire = { "semaphore acquire", lock_attempt, lock_start, lock_cancel },
	.release = { "semaphore release", lock_release, NULL, NULL },
	.value = { "semaphore value", lock_value, NULL, NULL },
	.remove = { "semaphore remove", lock_remove, NULL, NULL },
	.close = lock_close,
};

int il_shm_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	return lock_open(key, o, &semaphore_segment, &semaphore_ops, l);
}
