/* SPDX-License-Identifier: MIT
 *
 * Operations: what can be waited for. A primitive (a stream, a timer, a task's end) offers them; one or several of them
 * make a wait (wait.h), and at most one of these is done. Floor 1a: no lua.h. A completion only marks; the task builds
 * its results later.
 */
#ifndef IL_LOOP_OP_H
#define IL_LOOP_OP_H

#include "base/list.h"
#include "loop/wait.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct il_op;
struct il_job;
struct lua_State;

struct il_op_type {
	const char *name; /* as ipc.tasks() shows it: "channel receive" */
	bool (*attempt)(struct il_op *); /* tries without waiting; true: it is done (op->err, op->data) */
	int (*start)(struct il_op *); /* joins the queue of its source; 0, or errno and it is not in the queue */
	/* Leaves the queue. True: it had gone too far and counts as done; false if the wait's winner is another
	 * operation. */
	bool (*cancel)(struct il_op *);
};

struct il_op {
	struct il_list link; /* its place in the queue of the source */
	const struct il_op_type *type;
	struct il_wait *wait; /* that it is part of */
	void *source; /* what it waits for */
	void *handle; /* through which, for the class: it outlives the source */
	int (*push)(struct lua_State *L, struct il_op *op); /* the class's: builds the results of the call */
	void *state; /* the source's own, from start to the end */
	struct il_list alike; /* as that */
	/* What is asked, and what is answered: a kind of operation has names of its own, beside the payload. */
	union {
		int64_t arg; /* of one that needs only a number */
		struct {
			int64_t type; /* wanted, or of the message to be sent; then of the message received */
			struct il_job *job; /* the caller's, see engines/engine.h */
			union { /* several at once: */
				size_t count; /* to be received, at most */
				size_t sent; /* bytes of the payload */
			};
		} message;
		struct {
			size_t slot;
			int64_t value, operand;
		} memory;
		struct {
			int64_t version; /* that is known, or required; then that of the value */
			int64_t number; /* to be added; then the sum */
			int64_t ttl; /* of what is set */
		} entry;
		struct {
			int64_t grant;
			int permits;
			int pid; /* 0: no process */
			bool shared, abandoned;
		} lock;
	};
	const char *name; /* of a part of the source; the caller keeps it, as it keeps the payload */
	size_t name_size;
	void *data; /* payload, in or out */
	size_t size;
	int err; /* 0 or errno, once done */
	int fd; /* a descriptor, in or out, or -1 */
	bool owned; /* data is malloc'ed, and it and fd are the op's to free */
	bool name_owned; /* so is name */
	bool once; /* timeout 0: attempt() must query the kernel itself; no readiness callback follows */
	bool last; /* nothing can wait here: an attempt that can end it has to, by blocking, or without the answer */
	bool begun; /* part of it has happened: cancel must not pretend it did not */
	bool remote; /* answered over the network: to be started even for timeout 0, see il_op_not_ready */
	bool not_ready; /* by il_op_not_ready */
	bool busy; /* a reply is pending: a timeout or a cancellation waits a moment for it */
};

/* For il_op_clear: of an operation that owns what it has. */
void il_op_free(struct il_op *op);

/* Frees what the operation still owns. Inline as il_op_init is: most calls are over with the first attempt, and
 * preparing it would be a good part of them. */
static inline void il_op_clear(struct il_op *op)
{
	if (op->owned || op->name_owned)
		il_op_free(op);
	op->fd = -1;
	op->name = NULL;
	op->data = NULL;
	op->name_size = op->size = 0;
	op->owned = op->name_owned = false;
}

/* An operation ready for attempt or start. */
static inline void il_op_init(struct il_op *op, const struct il_op_type *type, void *source, int64_t arg)
{
	il_op_clear(op);
	il_list_init(&op->link);
	op->type = type;
	op->wait = NULL;
	op->source = source;
	op->arg = arg;
	op->err = 0;
	op->begun = op->once = op->last = op->remote = op->not_ready = op->busy = false;
}

/* The same of one whose memory is new. */
static inline void il_op_make(struct il_op *op, const struct il_op_type *type, void *source)
{
	op->owned = op->name_owned = false;
	il_op_init(op, type, source, 0);
}

/* The source is done with the operation and has taken it out of its queue. */
void il_op_finish(struct il_op *op, int err);

/* A remote operation with timeout 0 got its answer: not available. It is in no queue. The wait ends with IL_TIMEOUT
 * when that is so of all its remote operations. */
void il_op_not_ready(struct il_op *op);

/* The wait is for this operation alone from now on, and without a deadline: the others have lost, though it is not
 * done. */
void il_op_commit(struct il_op *op);

/* No reply is pending any more, and it is not done: ends the wait if that was due meanwhile. */
void il_op_unbusy(struct il_op *op);

/* A `start`: joins the queue that is its source, a struct il_list. */
int il_op_join(struct il_op *op);

/* A `cancel`: leaves the queue of a source that keeps nothing else of the operation. */
bool il_op_leave(struct il_op *op);

/* Finishes every operation in a queue with err: the source is closing. */
void il_op_finish_all(struct il_list *queue, int err);

/* Finishes, without an error, those that have this state. */
void il_op_finish_of(struct il_list *queue, const void *state);

#endif
