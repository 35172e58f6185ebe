/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, into a queue in shared memory and out of it.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_MANY_H
#define IL_SHM_QUEUE_MANY_H

#include "engines/shm/queue_object.h"

#include <stdbool.h>

/* Of the operations send_many and receive_many. To start and cancel one is as with one message, but for this. */
bool il_shm_queue_send_many_attempt(struct il_op *op);
bool il_shm_queue_send_many_cancel(struct il_op *op);
bool il_shm_queue_receive_many_attempt(struct il_op *op);

static inline bool il_shm_queue_sends_many(const struct il_op *op)
{
	return op->type->attempt == il_shm_queue_send_many_attempt;
}

static inline bool il_shm_queue_receives_many(const struct il_op *op)
{
	return op->type->attempt == il_shm_queue_receive_many_attempt;
}

/* With both latches, for one that waits: EAGAIN, or how it has ended. */
int il_shm_queue_send_all(struct il_shm_queue *o, struct il_op *op);
int il_shm_queue_receive_all(struct il_shm_queue *o, struct il_op *op);

#endif
