/* SPDX-License-Identifier: MIT
 *
 * Ending the deliveries of jobs of a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_FINISH_H
#define IL_SHM_QUEUE_FINISH_H

#include "engines/shm/queue_object.h"

/* Of the operation finish. What it says holds, also if the wait for it is over. */
bool il_shm_queue_finish_attempt(struct il_op *op);
int il_shm_queue_finish_start(struct il_op *op);
bool il_shm_queue_finish_cancel(struct il_op *op);

/* Does what the operation says. Soon, EAGAIN: the latches cannot be had now. */
int il_shm_queue_finish(struct il_shm_queue *o, struct il_op *op, bool soon);

/* Releases the jobs that were taken with a handle. `last`: there is no other one. EAGAIN: the latches cannot be had
 * now.
 */
int il_shm_queue_release_all(struct il_shm_queue *o, uint32_t tag, bool last);

/* A handle is closed: the same, now or later, and it has no tag then. */
void il_shm_queue_close_jobs(struct il_shm_queue_handle *handle);

#endif
