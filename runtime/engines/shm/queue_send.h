/* SPDX-License-Identifier: MIT
 *
 * Sending to a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_SEND_H
#define IL_SHM_QUEUE_SEND_H

#include "engines/payloads.h"
#include "engines/shm/queue_object.h"

extern const struct il_wait_queue_type il_shm_queue_senders;

/* Of the operation send. */
bool il_shm_queue_send_attempt(struct il_op *op);
int il_shm_queue_send_start(struct il_op *op);
bool il_shm_queue_send_cancel(struct il_op *op);

/* With the segment's latch, or both: writes a message that no process sees yet. EAGAIN: no room; EMSGSIZE; EUCLEAN. */
int il_shm_queue_write(struct il_shm_queue *o, int64_t type, const void *data, size_t size, bool both, uint32_t *block);

/* With the segment's latch. Sends those first ones of many messages (engines/payloads.h) that there is plainly room
 * for, at most so many. Processes that wait have been called. How many bytes of `messages` were sent. */
size_t il_shm_queue_append(struct il_shm_queue *o, const void *messages, size_t size, uint32_t *most);

/* Before a message of a type is there, or where there is one: a process is to be on its way. */
void il_shm_queue_call_receivers(struct il_shm_queue *o, int64_t type);

/* With the segment's latch, or both: it becomes the last message of the order. */
void il_shm_queue_commit(struct il_shm_queue *o, int64_t type, uint32_t block);

#endif
