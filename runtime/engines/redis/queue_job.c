/* SPDX-License-Identifier: MIT
 *
 * Jobs that are taken, see queue_job.h. They are lost when the server says that the lease had ended; and, as far as is
 * known here, when no answer has come for so long.
 *
 * The lease keeps all that the server has as this process's. So a job that the program has let go stays here until the
 * server has said that it knows: else it would be no process's, for as long as this one has others. Floor 2.
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
	struct il_rq *queue;
	const struct il_rq_handle *handle;
	int64_t token;
	char entry[ENTRY + 1]; /* by which the server knows it */
	bool lost;
	bool finishing;
	bool tried; /* to finish it; it is not known whether that was done, */
	enum il_job_outcome outcome; /* which was this */
	bool gone; /* the program has let it go, and the server is to learn that */
	struct il_request *word; /* the request that finishes it, on its way; or NULL */
};

static struct taken *find(struct il_rq *q, int64_t token)
{
	il_list_each(struct taken, t, &q->jobs, node)
		if (t->token == token && !t->gone)
			return t;
	return NULL;
}

static void forget(struct taken *t)
{
	il_op_finish_all(&t->losses, 0);
	if (t->word)
		il_request_forget(t->word);
	il_list_del(&t->node);
	free(t);
}

/* What is gone is back, as the lease has ended, unless the server has a word of it. */
void il_rq_jobs_lost(struct il_rq *q, bool ended)
{
	il_list_each_safe(struct taken, t, &q->jobs, node) {
		t->lost |= ended;
		if (ended && t->gone && !t->word)
			forget(t);
		else
			il_op_finish_all(&t->losses, 0);
	}
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
static void command(struct il_command *c, struct il_redis_object *object, const struct taken *t, const char *outcome,
	const struct il_job_limits *limits, const struct il_job *job)
{
	il_command_init(c, object, IL_SCRIPT_queue_finish);
	il_command_text(c, t->queue->id);
	il_command_text(c, t->entry);
	il_command_text(c, outcome);
	il_command_number(c, job ? il_rq_job_delay(job) : 0);
	il_command_bytes(c, job ? job->reason : "", job ? job->reason_size : 0);
	il_rq_limits(c, limits);
	il_command_number(c, il_rq_lease_is_over(t->queue));
	il_command_number(c, il_fork.pid);
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
		free(t);
		return err;
	}
	memcpy(t->entry, entry, ENTRY);
	t->queue = q;
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
static void finish_command(struct il_op *op, struct il_redis_object *object, struct il_command *c,
	const struct taken *t)
{
	static const char *const outcomes[] = { "done", "retry", "release", "bury" };
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	const struct il_job *job = op->message.job;
	bool next = job->outcome == IL_JOB_DONE && op->message.type;
	if (job->outcome == IL_JOB_DONE && !next && job->id[0] == '#' && !il_rq_lease_is_over(h->rq)) {
		il_command_plain(c, object, "HDEL", "taken");
		il_command_text(c, t->entry);
		return;
	}
	command(c, object, t, outcomes[job->outcome], &h->queue.limits, job);
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
	if (t)
		t->word = NULL;
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

/* Gone ------------------------------------------------------------------------------------------------------ */

static void told(struct il_request *r)
{
	struct taken *t = r->owner;
	int err = il_request_status(r);
	t->word = NULL;
	il_request_free(r);
	if (!err || err == ESTALE || err == EIDRM)
		forget(t);
}

/* Without memory, or an answer, it is told with a later beat. */
static void tell(struct taken *t, const struct il_command *c)
{
	t->gone = true;
	if (il_request_make(c, IL_SAFE | IL_PATIENT, told, t, &t->word))
		t->word = NULL;
}

static void release(struct taken *t)
{
	struct il_command c;
	command(&c, &t->queue->waits.object, t, "release", &t->queue->limits, NULL);
	tell(t, &c);
}

/* No task waits for the answer any more; it is carried out all the same. */
static struct il_op *leave(struct taken *t)
{
	struct il_request *r = t->word;
	struct il_op *op = r->op;
	op->state = r->op = NULL;
	il_list_del(&r->mine);
	r->object = &t->queue->waits.object;
	r->answered = told;
	r->owner = t;
	t->finishing = false;
	t->gone = true;
	return op;
}

void il_rq_jobs_tell(struct il_rq *q)
{
	il_list_each_safe(struct taken, t, &q->jobs, node)
		if (t->gone && !t->word)
			release(t);
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
		finish_command(op, &q->waits.object, &c, t);
		tell(t, &c);
		il_server_flush(q->waits.object.server);
	} else if (t && !t->finishing) {
		forget(t);
	}
	return true;
}

int il_rq_finish_start(struct il_op *op)
{
	struct il_rq_handle *h = il_rq_handle_of_op(op);
	struct taken *t = find(h->rq, op->message.job->token);
	struct il_command c;
	if (!t)
		return ESTALE;
	finish_command(op, &h->object, &c, t);
	int err = il_redis_object_request(&h->object, op, &c, IL_SAFE | IL_PATIENT, finish_answer);
	if (err)
		return err;
	struct il_request *r = op->state; /* waits for a connection, but no longer than for an answer */
	r->deadline = il_time_add(r->sent_at, h->object.on_server.timeout);
	t->finishing = true;
	t->word = r;
	il_op_commit(op);
	return 0;
}

bool il_rq_finish_cancel(struct il_op *op)
{
	struct taken *t = find(il_rq_of_op(op), op->message.job->token);
	if (t && t->word && t->word == op->state)
		leave(t);
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
		any = true;
		t->handle = NULL;
		il_op_finish_all(&t->losses, ECANCELED);
		if (t->finishing)
			il_op_finish(leave(t), ECANCELED);
		else if (t->lost && !t->gone)
			forget(t);
		else if (!t->gone)
			release(t);
	}
	if (any)
		il_server_flush(q->waits.object.server);
}

void il_rq_jobs_init(struct il_rq *q)
{
	il_list_init(&q->jobs);
}

void il_rq_jobs_fini(struct il_rq *q, bool forked)
{
	il_list_drain(struct taken, t, &q->jobs, node) {
		while (!il_list_empty(&t->losses))
			il_list_del(t->losses.next);
		if (t->word && !forked) /* there all requests are gone */
			il_request_forget(t->word);
		free(t);
	}
}
