/* SPDX-License-Identifier: MIT
 *
 * The operations of this process that wait for one thing which has no descriptor: first come, first served. While the
 * loop is awake it tries for the first of them; when it blocks, a thread makes the blocking call instead. One thread
 * per queue, however many wait.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_BLOCKING_QUEUE_H
#define IL_SYSV_BLOCKING_QUEUE_H

#include "loop/op.h"
#include "loop/poller.h"
#include "loop/thread_pool.h"

struct il_blocking_queue {
	struct il_list ops;
	struct il_poller poller;
	struct il_work item;
	const struct il_blocking_queue_type *type;
	struct il_op *leaving; /* is being cancelled while the thread works for it */
	bool working; /* the work has been started and has not ended */
	int *threads; /* counts the queues whose thread works; or NULL */
	int result; /* of block */
	int64_t not_before; /* when to look next, or 0: a look delays the processes that bring what is waited for */
};

struct il_blocking_queue_type {
	/* Tries without blocking: EAGAIN, or how the operation ended: 0 or errno. */
	int (*attempt)(struct il_blocking_queue *waits, struct il_op *op);
	/* Readies block for the first operation. 0; EAGAIN: no thread can wait for it, and il_blocking_queue_retry
	 * will be called; or errno that ends it. NULL: nothing to do. */
	int (*prepare)(struct il_blocking_queue *waits, struct il_op *op);
	/* On a thread: blocks. 0, EINTR or errno. */
	int (*block)(struct il_blocking_queue *waits);
	/* After a block that returned 0: what it got is for op, or for no operation (NULL). EAGAIN: op must go on
	 * waiting. */
	int (*grant)(struct il_blocking_queue *waits, struct il_op *op);
	/* On the loop's thread, where a signal makes the call return: attempts and blocks. EINTR, or as attempt. NULL:
	 * block and grant do it. */
	int (*attempt_blocking)(struct il_blocking_queue *waits, struct il_op *op);
	/* An operation has ended well, by attempt or grant, so that those in other queues may be served. Or NULL. */
	void (*served)(struct il_blocking_queue *waits, const struct il_op *op);
	/* There is no operation any more. Or NULL. */
	void (*emptied)(struct il_blocking_queue *waits);
	bool harmless; /* block takes nothing: others may be served meanwhile */
	bool specific; /* block is for the operation it was prepared for, and for no other */
};

void il_blocking_queue_init(struct il_blocking_queue *waits, const struct il_blocking_queue_type *type);

/* For attempt and start of an operation type. */
bool il_blocking_queue_attempt(struct il_blocking_queue *waits, struct il_op *op);
void il_blocking_queue_start(struct il_blocking_queue *waits, struct il_op *op);

/* For cancel: true: op has got what it waited for. */
bool il_blocking_queue_cancel(struct il_blocking_queue *waits, struct il_op *op);

/* Tries the operations, after something has changed in this process. True: some were served. */
bool il_blocking_queue_retry(struct il_blocking_queue *waits);

/* Ends the waits of one source with ECANCELED. */
void il_blocking_queue_close(struct il_blocking_queue *waits, const void *source);

#endif
