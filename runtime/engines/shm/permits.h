/* SPDX-License-Identifier: MIT
 *
 * The permits of a semaphore or mutex in shared memory, and which process holds how many: a record for each process.
 * Taking a permit is one store, the count of one's record; giving it back is another. The next process that wants a
 * permit clears the record of a process that has ended. The sum of the counts is kept beside them, and made again from
 * them after a process died in between. All functions want the latch. Floor 2.
 */
#ifndef IL_SHM_PERMITS_H
#define IL_SHM_PERMITS_H

#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/engine.h"
#include "engines/shm/calls.h"
#include "engines/shm/debt.h"
#include "engines/shm/watches.h"
#include "engines/wait_queue.h"
#include "engines/waiters.h"
#include "os/identity.h"

enum { IL_SHM_LOCK_PARKED = 1, IL_SHM_LOCK_WAITERS = 64, IL_SHM_LOCK_HOLDERS = 1024 };

struct il_shm_permit_record {
	uint32_t pid;
	uint32_t count; /* permits it has; 0: the record is free */
	uint64_t start;
};

/* What is shared. */
struct il_shm_permits {
	struct il_head head;
	uint32_t max;
	uint32_t taken; /* sum of the counts */
	uint32_t abandoned; /* of a mutex: a holder has died, and no process has learnt of it yet */
	uint32_t used; /* records from here on have never been used */
	struct il_waiters_head waiting;
	struct il_waiter waiters[IL_SHM_LOCK_WAITERS];
	struct il_shm_permit_record records[];
};

/* Of a segment with so many permits. */
static inline size_t il_shm_lock_size(uint32_t max)
{
	return sizeof(struct il_shm_permits) +
		(max < IL_SHM_LOCK_HOLDERS ? max : IL_SHM_LOCK_HOLDERS) * sizeof(struct il_shm_permit_record);
}

/* The process's own part. */
struct il_shm_lock {
	struct il_segment segment;
	struct il_wait_queue waits;
	struct il_waiters waiters;
	struct il_shm_calls calls;
	struct il_shm_watches watches; /* of the processes whose end matters, while an operation waits here */
	struct il_debt debt; /* permits that were given back, and are still in the record */
	struct il_shm_permit_record *own; /* where this process's record was last; NULL: nowhere yet */
	uint32_t records; /* that there is room for */
	uint32_t max; /* as it was when it was mapped */
	bool reports; /* a mutex: the next holder learns of one that died */
	bool doubt; /* a process that is watched has ended, or may have */
};

struct il_shm_lock_handle {
	struct il_lock lock;
	struct il_shm_lock *object;
	uint32_t held; /* permits */
	uint32_t generation; /* that holds them */
};

static inline struct il_shm_permits *il_shm_lock_shared(const struct il_shm_lock *o)
{
	return (struct il_shm_permits *)(void *)o->segment.head;
}

static inline struct il_shm_lock *il_shm_lock_of(struct il_segment *s)
{
	return il_container_of(s, struct il_shm_lock, segment);
}

/* In a forked child nothing is held. */
static inline struct il_shm_lock_handle *il_shm_lock_handle(struct il_lock *l)
{
	struct il_shm_lock_handle *h = il_container_of(l, struct il_shm_lock_handle, lock);
	if (!il_fork_is_own(h->generation)) {
		h->generation = il_fork.generation;
		h->held = 0;
	}
	return h;
}

static inline uint32_t il_shm_permits_used(const struct il_shm_lock *o)
{
	uint32_t used = il_get(&il_shm_lock_shared(o)->used);
	return used < o->records ? used : o->records;
}

static inline bool il_shm_permits_is_own(const struct il_shm_permit_record *r)
{
	return r->pid == (uint32_t)il_fork.pid && r->start == il_identity_start();
}

static inline void il_shm_permits_set(struct il_shm_permits *p, struct il_shm_permit_record *r, uint32_t count)
{
	uint32_t taken = il_get(&p->taken) - r->count + count;
	il_put(&r->count, count);
	il_put(&p->taken, taken);
}

/* The permits of processes that have died are free. */
void il_shm_permits_clear_dead(struct il_shm_lock *o);

/* The record of this process, or a free one. NULL: too many hold. */
struct il_shm_permit_record *il_shm_permits_find_record(struct il_shm_lock *o);

/* The same. A record that still has our name has not been taken by another process, even if it is free. */
static inline struct il_shm_permit_record *il_shm_permits_own_record(struct il_shm_lock *o)
{
	if (!o->own || !il_shm_permits_is_own(o->own))
		o->own = il_shm_permits_find_record(o);
	return o->own;
}

/* Gives back so many permits of this process. abandoned: as if it had died with them. */
void il_shm_permits_give(struct il_shm_lock *o, uint32_t count, bool abandoned);

#endif
