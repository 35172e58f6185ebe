/* SPDX-License-Identifier: MIT
 *
 * What the files of System V queues have in common: queue.c opens and closes them, queue_receive.c takes messages out,
 * queue_send.c puts them in.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_QUEUE_H
#define IL_SYSV_QUEUE_H

#include "base/table.h"
#include "engines/engine.h"
#include "engines/sysv/blocking_queue.h"

#include "loop/recheck.h"

#include <sys/msg.h>

/* A message as the kernel wants it, from `type` on. */
struct il_msg {
	struct il_list node; /* in an object's `kept` */
	size_t room, size; /* of text */
	long type;
	char text[];
};

/* Operations that wait for messages of one type; or to send, in their order. */
struct il_msg_waiters {
	struct il_list node; /* in the object's receivers */
	struct il_list wide; /* in the list of those that ask for more than one type */
	struct il_list crowd; /* in the list of those for which no thread of their own waits */
	struct il_table_item item; /* in the object's types */
	struct il_blocking_queue waits;
	struct il_msg_object *object;
	long type;
	struct il_msg *message; /* for the thread: what it sends, or room for an empty one */
	bool taken; /* it has taken an empty message */
	bool only_room; /* it must not send, but tell when there is room */
};

/* One thread that waits for all of them, see queue_crowd.c. */
struct il_msg_crowd {
	struct il_list members; /* of struct il_msg_waiters */
	struct il_work item;
	struct il_recheck later; /* looks again, where a thread would be woken by what is there already */
	struct il_msg *message; /* the thread's: room for an empty one */
	bool working; /* the work has been started and has not ended */
	bool taken; /* the thread has taken an empty message */
	int result; /* the thread's */
	long but; /* the thread passes over messages of this type; 0: over none */
};

/* A queue of the kernel: one per process, however many handles there are. */
struct il_msg_object {
	struct il_table_item item; /* among those of this process */
	struct il_list receivers; /* of struct il_msg_waiters */
	struct il_list wide; /* those of them that ask for more than one type */
	struct il_table types; /* all of them, by their types */
	int threads; /* receivers for which a thread of their own waits */
	struct il_msg_crowd crowd; /* the others */
	struct il_list kept; /* messages that were taken, and no operation has got */
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

#endif
