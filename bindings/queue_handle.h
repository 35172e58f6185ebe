/* SPDX-License-Identifier: MIT
 *
 * ipc.Queue: typed messages between processes. What its files share: the handle. It is opened by queue.c; what sends
 * and receives is queue_message.c (many at once: queue_many.c, queue_remainder.c), what takes jobs is queue_jobs.c.
 * Floor 4.
 */
#ifndef IL_QUEUE_HANDLE_H
#define IL_QUEUE_HANDLE_H

#include "base/list.h"
#include "bind.h"
#include "codec/codec.h"
#include "engines/engine.h"

#include <lua.h>
#include <stdint.h>

/* Hidden, and said so here: then it is reached directly. */
extern const char il_queue_class[] __attribute__((visibility("hidden")));

enum { IL_QUEUE_CODEC = 1, IL_QUEUE_JOBS, IL_QUEUE_VALUES = IL_QUEUE_JOBS }; /* user values; the metatable of jobs */

struct il_queue_handle {
	struct il_object object;
	struct il_queue *queue; /* NULL: closed */
	enum il_codec codec;
	lua_Integer max_message; /* of the options; 0: the engine's */
	struct {
		struct il_payloads *first; /* see queue_remainder.h */
		uint64_t taken; /* how many were taken from it */
		uint32_t generation; /* of the process that has them */
	} remainder;
	struct { /* ns: of a job that is retried, after its first attempt and at most */
		int64_t first, longest;
	} backoff;
	int64_t within; /* ns that a job may take; 0: as long as it likes */
	struct il_job_limits limits;
	size_t job_room; /* for the texts and the message of a job, if these are short: see take in queue_jobs.c */
	struct il_list losses; /* operations that wait for the loss of a job, which never comes: see il_job_lost */
	uint64_t identity; /* as on a board */
	bool warned; /* of a job that was closed without a word */
	struct il_job scratch; /* for an attempt of an operation; what waits has its own (job.h) */
	char what[];
};

/* The handle at 1. Raises. */
static inline struct il_queue_handle *il_queue_check(lua_State *L)
{
	return il_self(L, il_queue_class);
}

/* Raises if it is closed, too. */
static inline struct il_queue_handle *il_queue_check_open(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check(L);
	if (!q->queue)
		il_error(L, "queue %s is closed", q->what);
	return q;
}

/* An operation of its engine, for il_await_answer. */
static inline void il_queue_op(struct il_op *op, struct il_queue_handle *q, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, q->queue);
	op->handle = q;
	op->push = push;
}

/* For the board. */
void il_queue_describe(const void *handle, struct il_described *d);

/* nil, and why. */
int il_queue_fail(lua_State *L, const struct il_queue_handle *q, int err);

#endif
