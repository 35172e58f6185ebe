/* SPDX-License-Identifier: MIT
 *
 * Queues on disk: the handles.
 *
 *   queue_record.h, queue_dead.h, queue_records.h  what is on the disk
 *   queue_call.h   calls: changes that stay for as long as their operations wait
 *   queue_kinds.h  what they do and answer
 *   queue_wait.h   how they wait
 *   queue_read.h   what is read without a call
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_H
#define IL_DISK_QUEUE_H

#include "engines/disk/change.h"
#include "engines/disk/queue_records.h"
#include "loop/recheck.h"
#include "loop/timer.h"

enum { IL_DQ_RECEIVERS, IL_DQ_SENDERS, IL_DQ_SIDES, IL_DQ_NEITHER = -1 };

/* The calls of this process that wait for the same, in the order they came. */
struct il_dq_line {
	struct il_list calls;
	struct il_futex futex;
	struct il_dq_waits *waits;
	uint64_t key; /* that is announced */
	int served; /* in a row: so many more are made at a time */
	/* The helper's: one of them has found nothing when the word was this: those behind it do not overtake it */
	bool failed;
	uint32_t failed_at;
};

/* What the handles of one queue share. */
struct il_dq_waits {
	struct il_list node; /* among all */
	struct il_list handles; /* of struct il_dq */
	struct il_disk *disk;
	const struct il_disk_table *table; /* by which it is known */
	struct il_dq_line lines[IL_DQ_SIDES];
	struct il_timer timer; /* the first delayed message is due, while receivers wait */
	int64_t due; /* when it is; IL_NEVER: it is not set */
	struct il_list watches; /* of the processes that take */
	struct il_recheck later; /* one of them cannot be watched */
	int orphans; /* calls in a batch whose operations are over: what they do may have to be undone */
	uint32_t generation;
};

/* A handle. */
struct il_dq {
	struct il_queue queue;
	struct il_disk_object object;
	struct il_dq_waits *waits;
	struct il_list node; /* among the handles */
	uint32_t number; /* of this process */
	bool took;
};

#endif
