/* SPDX-License-Identifier: MIT
 *
 * Calls of queues on disk. A call is a change (change.h) that stays for as long as its operation waits: it is made,
 * and if there is nothing for it, again when what it waits for may be there.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_CALL_H
#define IL_DISK_QUEUE_CALL_H

#include "engines/disk/queue.h"

enum { IL_DQ_DEATHS = 8 }; /* that one call carries */

struct il_dq_call {
	struct il_disk_change change;
	struct il_list link; /* among those that wait, from the first time on */
	const struct il_dq_kind *kind;
	bool flying; /* it is queued, or in a batch */
	bool first; /* of those that wait, when it was queued */
	bool orphan; /* its operation is over, and what it does may have to be undone */
	bool given; /* the operation has a job */
	bool claimed; /* it does not wait: the other cases of its select are over */
	/* The request: */
	struct il_disk_holder holder; /* this process with this handle */
	struct il_disk_holder dead[IL_DQ_DEATHS]; /* processes that have ended */
	int deaths;
	struct il_job_limits limits;
	struct il_job job;
	int64_t type, next; /* wanted, or sent; of the next message of a job */
	size_t count, sent; /* of many: as in struct il_op */
	size_t size; /* of the bytes below */
	/* What is answered, in change.data too: */
	int err;
	bool more; /* it is to go on */
	int64_t due; /* of the first delayed one */
	struct il_dq_message {
		struct il_disk_record record;
		char id[IL_JOB_ID_MAX + 1];
	} * messages; /* that were received */
	struct il_job result;
	int64_t found; /* its type */
	int64_t number;
	size_t answer; /* bytes, or messages */
	struct il_queue_stat stat;
	char bytes[];
};

struct il_dq_kind {
	int side; /* where it waits after EAGAIN */
	bool tidies; /* first, what is due is made ready */
	bool opens; /* the queue need not be there, and its head is not read; an error is answered, too */
	bool removes; /* nor does it matter what is in the head */
	bool partly; /* where it cannot wait, what has been done is done */
	bool undoes; /* it uses what was answered */
	/* On the helper's thread. */
	int (*apply)(struct il_dq_call *c, struct il_disk_records *r);
	/* On the loop's: the operation gets what was done. Or NULL */
	void (*answer)(struct il_dq_call *c, struct il_op *op);
	/* It is done, and the operation is over: what undoes it. NULL: nothing has to */
	const struct il_dq_kind *undo;
};

/* A new one with a copy of `size` bytes, for an operation or for none. NULL: no memory. */
struct il_dq_call *il_dq_call_new(struct il_dq *q, const struct il_dq_kind *kind, struct il_op *op, const void *bytes,
	size_t size);

/* It is not the caller's any more. 0 or errno. `begin`: others of its line may be before it. */
int il_dq_call_begin(struct il_dq_call *c);
int il_dq_call_start(struct il_dq_call *c);

/* The same of one that waits. Its operation may end here. */
void il_dq_call_again(struct il_dq_call *c);

/* It is in a batch, and its operation is over; or not any more. */
void il_dq_call_orphan(struct il_dq_call *c, bool orphan);

#endif
