/* SPDX-License-Identifier: MIT
 *
 * Sending to a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_SEND_H
#define IL_SHM_QUEUE_SEND_H

#include "engines/shm/queue_object.h"

extern const struct il_wait_queue_type il_shm_queue_senders;

/* Of the operation send. */
bool il_shm_queue_send_attempt(struct il_op *op);
int il_shm_queue_send_start(struct il_op *op);
bool il_shm_queue_send_cancel(struct il_op *op);

/* Before a message of a type is there, or where there is one: a process is to be on its way. */
void il_shm_queue_call_receivers(struct il_shm_queue *o, int64_t type);

#endif
