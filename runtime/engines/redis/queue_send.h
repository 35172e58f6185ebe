/* SPDX-License-Identifier: MIT
 *
 * Sending to queues on a server: operations of queues. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_SEND_H
#define IL_REDIS_QUEUE_SEND_H

#include "engines/redis/queue.h"

bool il_rq_send_attempt(struct il_op *op);
int il_rq_send_start(struct il_op *op);
bool il_rq_send_many_attempt(struct il_op *op);
bool il_rq_send_many_cancel(struct il_op *op);

void il_rq_send_init(struct il_rq *q);

/* This process is called, for there are so many bytes of room. */
void il_rq_send_called(struct il_rq *q, int64_t room, const char *place);

#endif
