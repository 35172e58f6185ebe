/* SPDX-License-Identifier: MIT
 *
 * Operations that have a struct il_job, see job_op.h. Floor 4.
 */
#include "job_op.h"
#include "bind.h"
#include "sched/await.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void il_job_copy(struct il_job *to, const struct il_job *from)
{
	memcpy(to, from, offsetof(struct il_job, id));
	memcpy(to->id, from->id, from->id_size);
	memcpy(to->reason, from->reason, from->reason_size);
	to->id[from->id_size] = to->reason[from->reason_size] = 0;
}

/* The engine's, which the class's stands for. */
static const struct il_op_type *type_of(const struct il_op *op)
{
	const struct il_queue *queue = op->source;
	const struct il_job_op *own = il_container_of(op->type, struct il_job_op, type);
	return (const void *)((const char *)queue->ops + own->offset);
}

bool il_job_op_attempt(struct il_op *op)
{
	return type_of(op)->attempt(op);
}

/* The struct lives as long as the operation, which frees it with its name. */
static int keep(struct il_op *op, const struct il_job *job)
{
	struct il_job *copy = malloc(sizeof *copy);
	if (!copy)
		return ENOMEM;
	il_job_copy(copy, job);
	op->message.job = copy;
	op->name = (const char *)copy;
	op->name_owned = true;
	return 0;
}

int il_job_op_start(struct il_op *op)
{
	int err = op->name_owned ? 0 : keep(op, op->message.job);
	return err ? err : type_of(op)->start(op);
}

/* A select attempts its operations later. */
void il_job_op_set(lua_State *L, struct il_op *op, struct il_queue_handle *q, const struct il_job *job)
{
	op->message.job = &q->scratch;
	if (!il_is_collectors(op))
		il_job_copy(&q->scratch, job);
	else if (keep(op, job))
		il_error(L, "not enough memory");
}

bool il_job_op_cancel(struct il_op *op)
{
	return type_of(op)->cancel(op);
}
