/* SPDX-License-Identifier: MIT
 *
 * What an operation receives from a queue in shared memory: a copy of the text of a message.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_BUFFER_H
#define IL_SHM_QUEUE_BUFFER_H

#include "engines/shm/queue_object.h"

/* With the receivers' latch. An operation that waits is looked at later, and gets bytes of its own; others find them in
 * the buffer. 0, ENOMEM, EUCLEAN. */
int il_shm_queue_copy_out(struct il_shm_queue *o, const struct il_message *m, struct il_op *op, bool own);

/* Handles that are open keep the buffer of the message that was received last. */
void il_shm_queue_buffer_open(void);
void il_shm_queue_buffer_close(void);

#endif
