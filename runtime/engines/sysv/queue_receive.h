/* SPDX-License-Identifier: MIT
 *
 * Receiving from System V queues.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_QUEUE_RECEIVE_H
#define IL_SYSV_QUEUE_RECEIVE_H

#include "engines/sysv/queue.h"
#include "engines/sysv/state.h"

/* A queue that has gone is EIDRM for calls that waited meanwhile, and EINVAL for later ones: makes that EIDRM. */
int il_msg_removed(int err);

/* The buffer is never smaller than asked for; what was in it may be gone. 0 or ENOMEM. */
int il_msg_enlarge(size_t room);

static inline int il_msg_reserve(size_t room)
{
	return il_sysv_state()->buffer && il_sysv_state()->buffer->room >= room ? 0 : il_msg_enlarge(room);
}

struct il_msg *il_msg_new(size_t room);

/* Messages that were kept are forgotten in a forked child, for they are its parent's. */
bool il_msg_receive_attempt(struct il_op *op);
bool il_msg_receive_many_attempt(struct il_op *op);
int il_msg_receive_start(struct il_op *op);
bool il_msg_receive_cancel(struct il_op *op);
bool il_msg_peek(struct il_op *op);
void il_msg_forget_kept(struct il_msg_object *o);

/* A message of this type may be there: an operation that waits for it here need not be woken by a thread. True: some
 * were served. */
bool il_msg_retry(struct il_msg_object *o, long type, const struct il_msg_waiters *but);

/* A message that was taken for no operation here. */
void il_msg_send_back(struct il_msg_object *o, struct il_msg *m);

/* Copies the message at a place into the buffer. 0; EAGAIN: there are not that many; ENOSYS: the kernel cannot; or
 * errno. */
int il_msg_copy_at(struct il_msg_object *o, long place);

#endif
