/* SPDX-License-Identifier: MIT
 *
 * Dead letters of a queue: see queue_dead.lua. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_DEAD_H
#define IL_REDIS_QUEUE_DEAD_H

#include "loop/op.h"

/* Starts of the operations `dead`, `revive` and `drop`. */
int il_rq_dead_start(struct il_op *op);
int il_rq_revive_start(struct il_op *op);
int il_rq_drop_start(struct il_op *op);

#endif
