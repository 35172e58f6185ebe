/* SPDX-License-Identifier: MIT
 *
 * Lines (engines/wait_queue.h) of operations that wait for a segment to change: their lock is the latch, their count
 * the segment's. Floor 2.
 */
#ifndef IL_SHM_WAIT_H
#define IL_SHM_WAIT_H

#include "engines/wait_queue.h"
#include "engines/shm/segment.h"

/* Of the type are given: il_shm_wait_enter and _leave, and what is the noun's own. The wait queue's object is the
 * segment. */
void il_shm_wait_init(struct il_wait_queue *waits, const struct il_wait_queue_type *type, struct il_segment *s);
int il_shm_wait_enter(struct il_wait_queue *waits);
void il_shm_wait_leave(struct il_wait_queue *waits);

/* For attempt of an operation type. */
bool il_shm_wait_attempt(struct il_wait_queue *waits, struct il_op *op);

#endif
