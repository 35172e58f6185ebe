/* SPDX-License-Identifier: MIT
 *
 * Ending the deliveries of jobs of a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_FINISH_H
#define IL_SHM_QUEUE_FINISH_H

#include "engines/shm/queue_object.h"

/* Of the operation finish. */
bool il_shm_queue_finish_attempt(struct il_op *op);

/* A handle is closed: releases the jobs that were taken with it. `last`: there is no other one in this process. */
void il_shm_queue_close_jobs(struct il_shm_queue_handle *handle, bool last);

#endif
