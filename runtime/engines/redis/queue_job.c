/* SPDX-License-Identifier: MIT
 *
 * Jobs that are taken, see queue_job.h. They are lost when the server says that the lease had ended; and, as far as is
 * known here, when no answer has come for so long. Floor 2.
 */
#include "engines/redis/queue_job.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/redis/queue_lease.h"
#include "engines/redis/queue_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, ENTRY = 33, NUMBER = 16, TYPE = 19, VALUE = 25 + TYPE + 5 };

struct taken {
	struct il_list node; /* in q->jobs */
	struct il_list losses; /* operations that wait until it is lost */
	const struct il_rq_handle *handle;
	int64_t token;
	char entry[ENTRY + 1]; /* by which the server knows it */
	bool lost;
	bool finishing;
	bool tried; /* to finish it; it is not known whether that was done, */
	enum il_job_outcome outcome; /* which was this */
};

static struct taken *find(struct il_rq *q, int64_t token)
{
	il_list_each(struct taken, t, &q->jobs, node)
		if (t->token == token)
			return t;
	return NULL;
}

static void forget(struct taken *t)
{
	il_op_finish_all(&t->losses, 0);
	il_list_del(&t->node);
	free(t);
}

void il_rq_jobs_lost(struct il_rq *q, bool ended)
{
	il_list_each(struct taken, t, &q->jobs, node)
		t->lost |= ended;
	il_list_each_safe(struct taken, t, &q->jobs, node)
		il_op_finish_all(&t->losses, 0);
	q->losses = false;
}

void il_rq_limits(struct il_command *c, const struct il_job_limits *limits)
{
	char text[40];
	snprintf(text, sizeof text, "%u %u %u", limits->attempts, limits->deaths, limits->keep);
	il_command_text(c, text);
}

/* Taken ---------------------------------------------------------------------------------------------------- */

/* A call of the script for what becomes of a job. */
static void command(struct il_command *c, struct il_rq_handle *h, const char *entry, const char *outcome, int64_t ms,
	const struct il_job *job)
{
	il_command_init(c, &h->object, IL_SCRIPT_queue_finish);
	il_command_text(c, h->rq->id);
	il_command_text(c, entry);
	il_command_text(c, outcome);
	il_command_number(c, ms);
	il_command_bytes(c, job ? job->reason : "", job ? job->reason_size : 0);
	il_rq_limits(c, &h->queue.limits);
	il_command_number(c, il_rq_lease_is_over(h->rq));
	il_command_number(c, il_fork.pid);
}

static void release(struct il_rq_handle *h, const char *entry)
{
	struct il_command c;
	command(&c, h, entry, "release", 0, NULL);
	il_request_make(&c, IL_SAFE | IL_PATIENT, NULL, NULL, NULL); /* no memory: it is back when the lease ends */
}

void il_rq_job_leased(struct il_rq *q, const struct il_request *r)
{
	int64_t time = il_reply_number(r, 1);
	if (time < 0)
		il_rq_jobs_lost(q, true);
	if (time)
		il_rq_lease_kept(q, r, time < 0 ? -(uint64_t)time : (uint64_t)time);
}

static int read_value(const char *entry, const char *value, size_t size, struct il_op *op)
{
	struct il_job *job = op->message.job;
	const unsigned char *kept = (const unsigned char *)value + VALUE - 5;
	char name[TYPE + 1 + NUMBER + 1];
	if (size < VALUE || size < VALUE + (size_t)kept[4])
		return EPROTO;
	snprintf(name, sizeof name, "%.*s:%.*s", TYPE, value + 25, NUMBER, entry);
	job->token = strtoll(entry + NUMBER + 1, NULL, 10);
	job->attempt = (uint32_t)(kept[0] | kept[1] << 8);
	job->deaths = (uint32_t)(kept[2] | kept[3] << 8);
	job->reason_size = kept[4];
	memcpy(job->reason, value + VALUE, job->reason_size);
	size_t from = VALUE + (size_t)job->reason_size;
	return il_rq_record_job(name, value + from, size - from, op);
}

int il_rq_job_taken(struct il_request *r, size_t place, struct il_op *op)
{
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	struct il_rq *q = h->rq;
	size_t size, value_size;
	const char *entry = il_reply_bytes(r, 2 * place + 2, &size);
	const char *value = il_reply_bytes(r, 2 * place + 3, &value_size);
	if (size != ENTRY)
		return EPROTO;
	struct taken *t = calloc(1, sizeof *t);
	int err = t ? read_value(entry, value, value_size, op) : ENOMEM;
	if (err) {
		release(h, entry);
		free(t);
		return err;
	}
	memcpy(t->entry, entry, ENTRY);
	t->token = op->message.job->token;
	t->handle = h;
	il_list_init(&t->losses);
	il_list_add(&q->jobs, &t->node);
	if (!q->lease.beat.item.place)
		il_rq_lease_arm(q);
	return 0;
}

/* Finished ------------------------------------------------------------------------------------------------- */

int64_t il_rq_job_delay(const struct il_job *job)
{
	int64_t ns = job->due ? job->due - il_wall_now() : 0;
	return ns > 0 ? ns / MS + 1 : 0;
}

/* What is done, and has no id of its own and no successor, is only deleted. */
static void finish_command(struct il_op *op, struct il_command *c, const struct taken *t)
{
	static const char *const outcomes[] = { "done", "retry", "release", "bury" };
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	const struct il_job *job = op->message.job;
	bool next = job->outcome == IL_JOB_DONE && op->message.type;
	if (job->outcome == IL_JOB_DONE && !next && job->id[0] == '#' && !il_rq_lease_is_over(h->rq)) {
		il_command_plain(c, &h->object, "HDEL", "taken");
		il_command_text(c, t->entry);
		return;
	}
	command(c, h, t->entry, outcomes[job->outcome], il_rq_job_delay(job), job);
	if (!next)
		return;
	il_rq_record_type(c, op->message.type);
	il_rq_record_command(c, NULL, op->data, op->size);
}

/* "Not taken" may be what the same word has brought about before. */
static bool is_said_again(const struct il_request *r, const struct il_rq *q, const struct taken *t,
	const struct il_job *job)
{
	bool again = r->resent || (t->tried && t->outcome == job->outcome);
	return again && !t->lost && !il_rq_lease_is_over(q);
}

/* After an answer that did not come it is taken as before, as far as is known here. */
static int finish_answer(struct il_op *op, struct il_request *r, int err)
{
	struct il_rq *q = il_rq_of_op(op);
	struct il_job *job = op->message.job;
	struct taken *t = find(q, job->token);
	uint32_t limit = job->attempts ? job->attempts : il_rq_handle_of_op(op)->queue.limits.attempts;
	if (!err && r->plain && !(r->reply->type == IL_REPLY_INTEGER && r->reply->integer))
		err = q->shared.removed ? EIDRM : ESTALE;
	if (!err && !r->plain)
		job->dead = il_reply_number(r, 1);
	if (!err && !r->plain && il_reply_number(r, 2))
		il_rq_sweep_later(q);
	if (err == ESTALE && t && is_said_again(r, q, t, job)) {
		err = 0;
		job->dead = job->outcome == IL_JOB_RETRY && job->attempt >= limit;
	}
	if (t && (!err || err == ESTALE || err == EIDRM)) {
		forget(t);
	} else if (t) {
		t->tried |= r->err != 0;
		t->outcome = job->outcome;
		t->finishing = false;
	}
	return err;
}

/* What is not held any more has expired. */
bool il_rq_finish_attempt(struct il_op *op)
{
	struct il_rq *q = il_rq_of_op(op);
	struct taken *t = find(q, op->message.job->token);
	struct il_command c;
	if (t && !t->lost && !t->finishing && !op->last)
		return il_redis_object_attempt(op);
	op->err = t && !t->lost && !t->finishing ? 0 : ESTALE;
	if (!op->err) {
		finish_command(op, &c, t);
		il_redis_object_tell(&il_rq_handle_of_op(op)->object, &c);
	}
	if (t && !t->finishing)
		forget(t);
	return true;
}

int il_rq_finish_start(struct il_op *op)
{
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	struct taken *t = find(h->rq, op->message.job->token);
	struct il_command c;
	if (!t)
		return ESTALE;
	finish_command(op, &c, t);
	int err = il_redis_object_request(&h->object, op, &c, IL_SAFE | IL_PATIENT, finish_answer);
	if (err)
		return err;
	struct il_request *r = op->state; /* waits for a connection, but no longer than for an answer */
	r->deadline = il_time_add(r->sent_at, h->object.on_server.timeout);
	t->finishing = true;
	il_op_commit(op);
	return 0;
}

/* The request is carried out all the same. */
bool il_rq_finish_cancel(struct il_op *op)
{
	struct taken *t = find(il_rq_of_op(op), op->message.job->token);
	if (t && t->finishing)
		forget(t);
	return il_redis_object_cancel(op);
}

bool il_rq_lost_attempt(struct il_op *op)
{
	struct il_rq *q = il_rq_of_op(op);
	const struct taken *t = find(q, op->message.job->token);
	return !t || t->lost || il_rq_lease_is_over(q);
}

int il_rq_lost_start(struct il_op *op)
{
	struct il_rq *q = il_rq_of_op(op);
	il_list_add(&find(q, op->message.job->token)->losses, &op->link);
	q->losses = true;
	il_rq_lease_arm(q);
	return 0;
}

/* Life ----------------------------------------------------------------------------------------------------- */

void il_rq_jobs_release(struct il_rq_handle *h)
{
	struct il_rq *q = h->rq;
	bool any = false;
	il_list_each_safe(struct taken, t, &q->jobs, node) {
		if (t->handle != h)
			continue;
		if (!t->lost && !t->finishing)
			release(h, t->entry);
		il_op_finish_all(&t->losses, ECANCELED);
		forget(t);
		any = true;
	}
	if (any)
		il_server_flush(q->waits.object.server);
}

void il_rq_jobs_init(struct il_rq *q)
{
	il_list_init(&q->jobs);
}

void il_rq_jobs_fini(struct il_rq *q)
{
	il_list_drain(struct taken, t, &q->jobs, node) {
		while (!il_list_empty(&t->losses))
			il_list_del(t->losses.next);
		free(t);
	}
}
