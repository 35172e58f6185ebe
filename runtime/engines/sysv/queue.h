/* SPDX-License-Identifier: MIT
 *
 * What the files of System V queues have in common: queue.c opens and closes them, queue_receive.c takes messages out,
 * queue_send.c puts them in.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_QUEUE_H
#define IL_SYSV_QUEUE_H

#include "engines/engine.h"
#include "engines/sysv/line.h"

#include <sys/msg.h>

/* A message as the kernel wants it, from `type` on. */
struct il_msg {
	struct il_list node; /* in an object's `kept` */
	size_t room, size; /* of text */
	long type;
	char text[];
};

/* Those who wait for messages of one type; or to send, in the order they came. */
struct il_msg_waiters {
	struct il_list node; /* in the object's receivers */
	struct il_sysv_line line;
	struct il_msg_object *object;
	long type;
	struct il_msg *message; /* for the thread: what it sends, or room for an empty one */
	bool taken; /* it has taken an empty message */
	bool only_look; /* it must not send, but tell when there is room */
};

/* A queue of the kernel: one per process, however many handles there are. */
struct il_msg_object {
	struct il_list node;
	struct il_list receivers; /* of struct il_msg_waiters */
	struct il_list kept; /* messages that were taken and that nobody has got */
	struct il_msg_waiters senders;
	int id, refs;
	uint32_t generation; /* whose kept messages these are */
};

struct il_msg_handle {
	struct il_queue queue;
	struct il_msg_object *object;
};

static inline struct il_msg_object *il_msg_object(struct il_queue *q)
{
	return il_container_of(q, struct il_msg_handle, queue)->object;
}

/* A queue that has gone is EIDRM for who waited meanwhile, and EINVAL for who comes later: make that EIDRM. */
int il_msg_removed(int err);

/* Where the loop's thread has its message; NULL before the first. */
extern struct il_msg *il_msg_buffer;

/* The buffer is never smaller than asked for; what was in it may be gone. 0 or ENOMEM. */
int il_msg_enlarge(size_t room);

static inline int il_msg_reserve(size_t room)
{
	return il_msg_buffer && il_msg_buffer->room >= room ? 0 : il_msg_enlarge(room);
}

struct il_msg *il_msg_new(size_t room);

/* Receiving: queue_receive.c. Messages that were kept are forgotten in a forked child, for they are its parent's. */
bool il_msg_receive_attempt(struct il_op *op);
int il_msg_receive_start(struct il_op *op);
bool il_msg_receive_cancel(struct il_op *op);
bool il_msg_peek(struct il_op *op);
void il_msg_forget_kept(struct il_msg_object *o);

/* This process has put something there: whoever waits for it here need not be woken by a thread. */
void il_msg_look(struct il_msg_object *o, const struct il_msg_waiters *but);

/* Sending: queue_send.c. The last two ready the line, and send as msgsnd does: 0 or errno. */
bool il_msg_send_attempt(struct il_op *op);
int il_msg_send_start(struct il_op *op);
bool il_msg_send_cancel(struct il_op *op);
void il_msg_init_senders(struct il_msg_object *o);
int il_msg_put(int id, struct il_msg *m, int flags);

/* How large a message may be; a setting of the kernel, or what it is otherwise. */
void il_msg_learn_limit(struct il_queue *q, const struct msqid_ds *ds);
size_t il_msg_setting(const char *path, size_t otherwise);

#endif
