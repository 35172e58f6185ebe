/* SPDX-License-Identifier: MIT
 *
 * Dead letters of a queue in shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_LETTERS_H
#define IL_SHM_QUEUE_LETTERS_H

#include "engines/shm/queue_object.h"

/* Of the operations dead, revive and drop. A letter whose id another message has by now is not revived. */
bool il_shm_queue_dead_attempt(struct il_op *op);
bool il_shm_queue_revive_attempt(struct il_op *op);
bool il_shm_queue_drop_attempt(struct il_op *op);

#endif
