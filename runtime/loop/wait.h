/* SPDX-License-Identifier: MIT
 *
 * Waits: the one door through which everything waits. A wait is one flow of control that is blocked on one or several
 * operations (op.h), with a deadline. It ends exactly once: one operation finishes, or the deadline passes, or it is
 * cancelled. The other operations have left their queues before any other code runs, so nothing is granted to a wait
 * that is over.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_WAIT_H
#define IL_LOOP_WAIT_H

#include "base/heap.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct il_op;

enum il_wait_state { IL_IDLE, IL_WAITING, IL_DONE };
enum { IL_TIMEOUT = -1, IL_CANCELLED = -2, IL_DROPPED = -3, IL_LATE = -4 };

struct il_wait {
	struct il_heap_item deadline; /* place among the loop's deadlines */
	struct il_list node; /* in the loop's list of waits that have operations */
	uint8_t state; /* enum il_wait_state */
	int winner; /* index of the operation that is done, or IL_TIMEOUT, IL_CANCELLED, IL_LATE */
	int late; /* one of these, if only a pending reply keeps it from its end */
	uint32_t count;
	uint32_t cases; /* what count becomes when all are started; 0 after il_op_commit */
	struct il_op *ops;
	void (*wake)(struct il_wait *); /* called once when the wait is done; must not fail */
};

/* Starts all operations. 0: the wait is IL_WAITING, or already IL_DONE. Or errno and nothing has been started. */
int il_wait_start(struct il_wait *w, struct il_op *ops, uint32_t count, int64_t deadline);

/* Ends a waiting wait with IL_TIMEOUT, IL_CANCELLED or IL_LATE and wakes it, or lets it wait a moment for an operation
 * that is busy; harmless on one that is not waiting. */
void il_wait_end(struct il_wait *w, int why);

/* Ends it without a wake-up: what waited is no more. */
void il_wait_drop(struct il_wait *w);

/* In a forked child: drops the waits that have operations, and takes all off the list of deadlines. A wait that has no
 * more than a deadline is left as it is, in memory that the child shares with its parent as long as it does not write
 * to it: such a wait must not be touched any more. */
void il_waits_leave(void);

/* For op.c: takes every operation but the winner, an index or one of the above, out of its queue. One that has gone too
 * far to be taken back wins instead of a timeout or a cancellation. */
void il_wait_finalize(struct il_wait *w, int winner);

/* For op.c: a reply is pending for one of its operations. */
bool il_wait_is_busy(const struct il_wait *w);

#endif
