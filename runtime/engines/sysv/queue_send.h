/* SPDX-License-Identifier: MIT
 *
 * Sending to System V queues.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_QUEUE_SEND_H
#define IL_SYSV_QUEUE_SEND_H

#include "engines/sysv/queue.h"

/* The last two prepare the waiting senders, and send as msgsnd does: 0 or errno. */
bool il_msg_send_attempt(struct il_op *op);
int il_msg_send_start(struct il_op *op);
bool il_msg_send_cancel(struct il_op *op);
bool il_msg_send_many_attempt(struct il_op *op);
bool il_msg_send_many_cancel(struct il_op *op);
void il_msg_init_senders(struct il_msg_object *o);
int il_msg_put(int id, struct il_msg *m, int flags);

/* How large a message may be; a setting of the kernel, or what it is otherwise. */
void il_msg_learn_limit(struct il_queue *q, const struct msqid_ds *ds);
size_t il_msg_setting(const char *path, size_t otherwise);

#endif
