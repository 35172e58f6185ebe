/* SPDX-License-Identifier: MIT
 *
 * A queue in shared memory, as its files know it: the segment's layout, the process's own part, and what both sides do.
 * Floor 2.
 */
#ifndef IL_SHM_QUEUE_OBJECT_H
#define IL_SHM_QUEUE_OBJECT_H

#include "base/list.h"
#include "base/shared_atomic.h"
#include "engines/engine.h"
#include "engines/shm/blocks_layout.h"
#include "engines/shm/calls.h"
#include "engines/shm/order.h"
#include "engines/shm/second.h"
#include "engines/shm/watches.h"
#include "engines/wait_queue.h"
#include "engines/waiters.h"
#include "loop/recheck.h"
#include "loop/timer.h"

/* Bits of head->parked. */
enum { IL_SHM_RECEIVERS = 1, IL_SHM_SENDERS = 2 };

enum { IL_SHM_MOST_WAITERS = 64, IL_SHM_MOST_LOOKED_AT = 64, IL_SHM_LINE = 64, IL_SHM_WATCHED = 16 };

/* The capacity keeps the other two apart: some processors fetch lines in pairs. Then comes what struct il_blocks
 * has. */
struct il_shm_queue_shared {
	struct il_head head;
	_Alignas(IL_SHM_LINE) struct il_shm_sending sending;
	_Alignas(IL_SHM_LINE) uint64_t capacity; /* bytes of messages */
	_Alignas(IL_SHM_LINE) struct il_shm_second second;
	struct il_shm_receiving receiving;
	_Alignas(IL_SHM_LINE) struct il_shm_jobs jobs;
	_Alignas(IL_SHM_LINE) struct il_waiters_head waiting; /* changed with the segment's latch */
	struct il_waiter waiters[IL_SHM_MOST_WAITERS];
	struct il_lookouts lookouts;
	_Alignas(IL_SHM_LINE) struct il_waiters_head room_head; /* the same of those that wait for room */
	struct il_waiter room[IL_SHM_MOST_WAITERS];
	struct il_lookouts room_lookouts;
};

_Static_assert(offsetof(struct il_shm_queue_shared, jobs) - offsetof(struct il_shm_queue_shared, second) == IL_SHM_LINE,
	"one line");
_Static_assert(offsetof(struct il_shm_queue_shared, capacity) - offsetof(struct il_shm_queue_shared, sending) ==
		IL_SHM_LINE,
	"one line");

/* What is still to be said of jobs, see queue_later.h. */
struct il_shm_queue_later {
	struct il_list words;
	struct il_recheck again;
	uint64_t closed[IL_TAGS / 64]; /* handles whose jobs are to be released */
	uint32_t generation; /* whose it is; 0: there is nothing */
};

/* The process's own part. */
struct il_shm_queue {
	struct il_segment segment;
	struct il_wait_queue receivers, senders;
	struct il_second second; /* the receivers' latch */
	struct il_waiters waiters; /* receivers */
	struct il_shm_calls calls;
	struct il_shm_watches watches; /* of the processes whose end matters, while an operation waits here */
	int64_t wanted; /* by all operations that receive, as it was written down last */
	bool doubt; /* a process that is watched has ended, or may have */
	struct il_waiters room; /* senders */
	struct il_shm_calls room_calls;
	struct il_shm_watches room_watches;
	bool room_doubt;
	struct il_blocks blocks;
	struct il_order_seen seen;
	uint64_t capacity; /* as it was when it was mapped; 0: not sound */
	bool serving;
	/* Of jobs: */
	uint32_t slot; /* of this process among the holders, if it has one */
	int64_t check_next; /* when the holders are to be looked at, where there is something to take */
	struct il_timer due; /* while an operation waits here: the first delayed job is due */
	uint64_t tags[IL_TAGS / 64]; /* one bit for each tag that a handle has; 0 is no tag */
	struct il_shm_queue_later later;
};

struct il_shm_queue_handle {
	struct il_queue queue;
	struct il_shm_queue *object;
	uint32_t tag; /* in the states of jobs that were taken with it; 0: it has not tried to take any */
};

static inline struct il_shm_queue_shared *il_shm_queue_shared(const struct il_shm_queue *o)
{
	return (struct il_shm_queue_shared *)(void *)o->segment.head;
}

static inline struct il_shm_queue *il_shm_queue_of(struct il_segment *s)
{
	return il_container_of(s, struct il_shm_queue, segment);
}

static inline struct il_shm_queue *il_shm_queue_of_op(const struct il_op *op)
{
	return il_container_of((struct il_queue *)op->source, struct il_shm_queue_handle, queue)->object;
}

/* Takes both latches. Errors as of il_segment_enter. */
int il_shm_queue_enter(struct il_shm_queue *o, bool soon);
void il_shm_queue_leave(struct il_shm_queue *o);

/* For enter and leave of the wait queues. */
int il_shm_queue_enter_waits(struct il_wait_queue *waits);
void il_shm_queue_leave_waits(struct il_wait_queue *waits);

/* With the segment's latch, before messages of a type are there: so many processes that want one are to be on their
 * way.
 */
void il_shm_queue_call(struct il_shm_queue *o, int64_t type, uint32_t n);

/* Operations were served: one side may make the other possible. */
void il_shm_queue_serve(struct il_shm_queue *o);
void il_shm_queue_served(struct il_wait_queue *waits);

/* How an attempt has ended. One that found nothing is made again by the first poll: what has changed since is not
 * known.
 */
static inline bool il_shm_queue_attempted(struct il_shm_queue *o, struct il_wait_queue *waits, struct il_op *op,
	int err)
{
	op->err = err;
	if (err == EAGAIN && il_list_empty(&waits->ops))
		waits->seen = il_get(waits->changes) - 1;
	if (err == 0 && !(il_list_empty(&o->receivers.ops) && il_list_empty(&o->senders.ops)))
		il_shm_queue_serve(o);
	return err != EAGAIN;
}

#endif
