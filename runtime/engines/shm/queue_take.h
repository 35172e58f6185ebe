/* SPDX-License-Identifier: MIT
 *
 * Taking jobs from a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_TAKE_H
#define IL_SHM_QUEUE_TAKE_H

#include "engines/shm/queue_object.h"

/* Of the operation take; it waits among those that receive, see queue_receive.h. */
bool il_shm_queue_take_attempt(struct il_op *op);

/* With the receivers' latch. EDEADLK: this wants `both`; else as of the operation. */
int il_shm_queue_take_message(struct il_shm_queue *o, struct il_op *op, bool own, bool both);

/* With the receivers' latch: what is known of a message as a job, but for the delivery. */
void il_shm_queue_describe(const struct il_shm_queue *o, const struct il_message *m, struct il_job *job);

#endif
