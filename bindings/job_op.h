/* SPDX-License-Identifier: MIT
 *
 * Operations of an engine's queue that have a struct il_job. The caller's struct may be gone when the operation waits:
 * so these begin on one that is the caller's, or the handle's, and keep a copy of it from then on. Floor 4.
 */
#ifndef IL_JOB_OP_H
#define IL_JOB_OP_H

#include "engines/engine.h"
#include "queue_handle.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* `offset` is that of the engine's operation in the struct il_queue_ops. */
struct il_job_op {
	struct il_op_type type;
	size_t offset;
};

bool il_job_op_attempt(struct il_op *op);
int il_job_op_start(struct il_op *op);
bool il_job_op_cancel(struct il_op *op);

/* Sets what an operation is to do, that il_await_begin has prepared. Raises in a select, for want of memory. */
void il_job_op_set(lua_State *L, struct il_op *op, struct il_queue_handle *q, const struct il_job *job);

/* Copies what is used of it. */
void il_job_copy(struct il_job *to, const struct il_job *from);

#define IL_JOB_OP(name, member)                                                                                       \
	{                                                                                                             \
		{ name, il_job_op_attempt, il_job_op_start, il_job_op_cancel }, offsetof(struct il_queue_ops, member) \
	}

#endif
