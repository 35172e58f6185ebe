/* SPDX-License-Identifier: MIT
 *
 * Receiving from queues on a server, and taking jobs: operations of queues, and what is handed to them. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_RECEIVE_H
#define IL_REDIS_QUEUE_RECEIVE_H

#include "engines/redis/queue.h"

int il_rq_receive_start(struct il_op *op);
bool il_rq_receive_many_attempt(struct il_op *op);
int il_rq_take_start(struct il_op *op);

/* A message was handed to a request of this process. */
void il_rq_receive_published(struct il_rq *q, const char *data, size_t size);

#endif
