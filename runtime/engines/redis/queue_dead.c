/* SPDX-License-Identifier: MIT
 *
 * Dead letters of a queue, see queue_dead.h. Floor 2.
 */
#include "engines/redis/queue_dead.h"
#include "engines/redis/queue.h"
#include "engines/redis/queue_record.h"

#include <errno.h>
#include <string.h>

static int request(struct il_op *op, struct il_command *c,
	int (*answer)(struct il_op *op, struct il_request *r, int err))
{
	return il_redis_object_request(&il_rq_handle_of_op(op)->object, op, c, IL_SAFE, answer);
}

static void command(struct il_op *op, struct il_command *c, const char *verb)
{
	il_command_init(c, &il_rq_handle_of_op(op)->object, IL_SCRIPT_queue_dead);
	il_command_text(c, il_rq_of_op(op)->id);
	il_command_text(c, verb);
}

static int dead_answer(struct il_op *op, struct il_request *r, int err)
{
	struct il_job *job = op->message.job;
	size_t size;
	if (err)
		return err == EAGAIN ? ENOMSG : err;
	const char *reason = il_reply_bytes(r, 5, &size);
	if (size > IL_JOB_REASON_MAX)
		return EPROTO;
	job->reason_size = (uint8_t)size;
	memcpy(job->reason, reason, size);
	job->attempt = (uint32_t)il_reply_number(r, 3);
	job->deaths = (uint32_t)il_reply_number(r, 4);
	const char *name = il_reply_bytes(r, 2, &size), *record = il_reply_bytes(r, 6, &size);
	err = il_rq_record_job(name, record, size, op);
	job->place = (uint64_t)il_reply_number(r, 1);
	return err;
}

int il_rq_dead_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, "next");
	il_command_number(&c, (int64_t)op->message.job->place);
	return request(op, &c, dead_answer);
}

static int count_answer(struct il_op *op, struct il_request *r, int err)
{
	op->arg = err ? 0 : il_reply_number(r, 1);
	return err;
}

static int change(struct il_op *op, const char *verb)
{
	struct il_command c;
	command(op, &c, verb);
	il_command_bytes(&c, op->name, op->name ? op->name_size : 0);
	return request(op, &c, count_answer);
}

int il_rq_revive_start(struct il_op *op)
{
	return change(op, "revive");
}

int il_rq_drop_start(struct il_op *op)
{
	return change(op, "drop");
}
