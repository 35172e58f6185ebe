/* SPDX-License-Identifier: MIT
 *
 * What becomes of the jobs of a queue in shared memory, and how the other processes learn of it. Jobs become ready
 * without a sender: a delayed one in time, and one whose holder has died. Nothing polls for that. A process that waits
 * watches the holders, and has a timer for the delayed job that is due first; others check when they find nothing, when
 * they ask for the state of the queue, and else now and then. Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_TEND_H
#define IL_SHM_QUEUE_TEND_H

#include "engines/shm/queue_object.h"

/* All with both latches, where that is not said otherwise, and 0 or EUCLEAN: */

/* Before a change: so many of the processes that sleep, and want messages of that type, are to try again. 0: of any
 * type. */
void il_shm_queue_announce(struct il_shm_queue *o, int64_t type, uint32_t n);

/* Before a job is delayed: if it is the one that is due first, all are to check that, and to sleep no longer. */
void il_shm_queue_announce_due(struct il_shm_queue *o, int64_t due);

/* A job becomes ready, with that state. */
int il_shm_queue_make_ready(struct il_shm_queue *o, struct il_message *m, uint64_t state);

/* It becomes so when it is due. */
int il_shm_queue_delay(struct il_shm_queue *o, struct il_message *m, uint64_t state, int64_t due);

/* It is a dead letter; above `most` of them the oldest are dropped. */
int il_shm_queue_die(struct il_shm_queue *o, struct il_message *m, uint64_t state, uint32_t most);

/* It is gone. */
int il_shm_queue_drop(struct il_shm_queue *o, struct il_message *m);

/* Jobs whose holders have died are ready again, or dead. */
int il_shm_queue_check_holders(struct il_shm_queue *o, const struct il_job_limits *limits);

/* With the receivers' latch, where there are others than those of the order: is it time to look after them? */
bool il_shm_queue_needs_tending(const struct il_shm_queue *o);

/* Delayed jobs that are due become ready, at most a thousand at once; and the holders are checked if it is time, or
 * with `check`. The limits are the queue's. */
int il_shm_queue_tend(struct il_shm_queue *o, const struct il_queue *q, bool check);

/* Takes both latches, and does the same until none is due. Errors as of il_segment_enter. */
int il_shm_queue_enter_tended(struct il_shm_queue *o, const struct il_queue *q, bool check, bool soon);

/* For note and park of those that receive: */

/* Does the first of the processes that sleep watch what others do not? */
bool il_shm_queue_first_watches(const struct il_shm_queue *o);

/* Without a latch. Watches processes that have jobs; one that sleeps behind another one watches only some. True: one
 * has ended. */
bool il_shm_queue_watch_holders(struct il_shm_queue *o, bool behind);

/* Without a latch. Looks again when a job is due. 0 or ENOMEM. */
int il_shm_queue_await_due(struct il_shm_queue *o);

/* For expired of the timer. */
void il_shm_queue_due(struct il_timer *t);

#endif
