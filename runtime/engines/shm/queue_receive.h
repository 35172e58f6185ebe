/* SPDX-License-Identifier: MIT
 *
 * Receiving from a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_RECEIVE_H
#define IL_SHM_QUEUE_RECEIVE_H

#include "engines/shm/queue_object.h"

extern const struct il_wait_queue_type il_shm_queue_receivers;

/* Of the operations receive and peek. */
bool il_shm_queue_receive_attempt(struct il_op *op);
int il_shm_queue_receive_start(struct il_op *op);
bool il_shm_queue_receive_cancel(struct il_op *op);
bool il_shm_queue_peek_attempt(struct il_op *op);

/* Of the operation take, which waits among those that receive. */
int il_shm_queue_take_start(struct il_op *op);

/* With the receivers' latch, after il_shm_queue_make_room: the message is gone. 0 or EUCLEAN. */
int il_shm_queue_take_away(struct il_shm_queue *o, struct il_message *m);

/* For il_waiters.fits: whether a message of a type is for a process that wants this. */
bool il_shm_queue_is_wanted(uint64_t wants, uint64_t type);

/* Callbacks of the watches, and of the calls: operations try again. */
void il_shm_queue_retry(struct il_shm_watches *w);
void il_shm_queue_retry_after_call(struct il_shm_calls *c);

#endif
