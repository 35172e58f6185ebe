/* SPDX-License-Identifier: MIT
 *
 * Jobs of a queue in shared memory: taking and finishing them, dead letters; and what becomes ready without a sender,
 * as a delayed job does in time, and one whose holder has died. Nothing polls for that. A process that waits watches
 * the holders, and has a timer for the first delayed job; others look when they find nothing, when they ask for the
 * state of the queue, and else now and then. Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_JOBS_H
#define IL_SHM_QUEUE_JOBS_H

#include "engines/shm/queue_object.h"

/* Of the operations take, finish, dead, revive and drop. One that takes waits among those that receive. */
bool il_shm_queue_take_attempt(struct il_op *op);
bool il_shm_queue_finish_attempt(struct il_op *op);
bool il_shm_queue_dead_attempt(struct il_op *op);
bool il_shm_queue_revive_attempt(struct il_op *op);
bool il_shm_queue_drop_attempt(struct il_op *op);

/* With both latches: sends a message as a job. */
int il_shm_queue_send_job(struct il_shm_queue *o, struct il_op *op);

/* With the receivers' latch: takes a job. EDEADLK: this wants `both`. */
int il_shm_queue_take_message(struct il_shm_queue *o, struct il_op *op, bool own, bool both);

/* With the receivers' latch, where there are others than those of the order: is it time to look after them? */
bool il_shm_queue_needs_tending(const struct il_shm_queue *o);

/* With both latches: delayed jobs that are due become ready, at most a thousand at once; so do those whose holder died,
 * if that is looked at now, as it is with `check`. The limits are the queue's. 0 or EUCLEAN. */
int il_shm_queue_tend(struct il_shm_queue *o, const struct il_queue *q, bool check);

/* Takes both latches, and does the same until none is due. */
int il_shm_queue_enter_tended(struct il_shm_queue *o, const struct il_queue *q, bool check, bool soon);

/* For note and park of those that receive. Does the first of the processes that sleep watch what others do not? */
bool il_shm_queue_first_watches(const struct il_shm_queue *o);

/* Watches processes that have jobs; a process that sleeps behind another one watches only some. True: one has ended. */
bool il_shm_queue_watch_holders(struct il_shm_queue *o, bool behind);

/* Looks again when a job is due. 0 or ENOMEM. */
int il_shm_queue_await_due(struct il_shm_queue *o, bool behind);

/* For expired of the timer. */
void il_shm_queue_due(struct il_timer *t);

/* A handle is closed: releases the jobs that were taken with it. `last`: there is no other one in this process. */
void il_shm_queue_close_jobs(struct il_shm_queue_handle *handle, bool last);

#endif
