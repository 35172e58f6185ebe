/* SPDX-License-Identifier: MIT
 *
 * Sending to queues on a server. One request at a time, for as many operations as there are, and as there is room for
 * as far as is known: so nothing overtakes. Without room the process stands in line, and is called. An operation that
 * sends several messages has requests of its own, each for as many as have room, up to a limit.
 *
 * A message that was sent cannot be taken back. So a send that is one case of a select only queries whether there is
 * room, and when there is, claims the wait, and sends. A message that may have been sent when its wait ends is reported
 * as that. One that is sent with an id, a time or a limit has a request of its own, which may be made twice. Floor 2.
 */
#include "engines/redis/queue_send.h"
#include "base/fork.h"
#include "engines/payloads.h"
#include "engines/redis/queue_job.h"
#include "engines/redis/queue_record.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>

static const int64_t UNKNOWN = 1 << 18; /* bytes of a batch while it is not known that there is no room for them */

static struct il_rq_sender *sender_of(struct il_redis_waiter *w)
{
	return il_container_of(w, struct il_rq_sender, waiter);
}

static bool in_select(const struct il_op *op)
{
	return op->wait->cases > 1;
}

/* Has it been one case of a select? */
static bool is_claimed(const struct il_op *op)
{
	return op->wait->cases == 0;
}

static bool is_many(const struct il_op *op)
{
	return op->type->attempt == il_rq_send_many_attempt;
}

/* How it is to be sent, if not as any other. */
static struct il_job *job_of(const struct il_op *op)
{
	return is_many(op) ? NULL : op->message.job;
}

static bool is_alone(const struct il_op *op)
{
	return is_many(op) || op->message.job;
}

static bool joins(struct il_redis_waiter *w, const struct il_op *op, int n)
{
	struct il_rq_sender *s = sender_of(w);
	if (n &&
		(n == IL_RQ_BATCH || s->query || is_alone(op) || is_alone(s->batch[0]) || in_select(op) ||
			op->once != s->batch[0]->once || (int64_t)(s->size + op->size) > s->room))
		return false;
	s->query = in_select(op);
	s->size = n ? s->size + op->size : op->size;
	s->batch[n] = (struct il_op *)op;
	s->count = n + 1;
	return true;
}

static void add_message(struct il_command *c, int64_t type, const struct il_job *job, const void *data, size_t size)
{
	il_rq_record_type(c, type);
	il_rq_record_command(c, job, data, size);
}

/* As many as there is room for, as far as is known; at least one. */
static void add_messages(struct il_command *c, const struct il_rq_sender *s, const struct il_op *op)
{
	size_t bytes = 0, most = s->room < IL_RQ_MOST_BYTES ? (size_t)s->room : IL_RQ_MOST_BYTES;
	size_t at = op->message.sent;
	for (int n = 0; n < IL_RQ_MOST && at < op->size; n++) {
		const struct il_payload *p = il_payload_at(op->data, at);
		bytes += p->size;
		if (n && bytes > most)
			return;
		add_message(c, p->type, NULL, il_payload_bytes(p), p->size);
		at += il_payload_space(p->size);
	}
}

/* Of a message with more: see queue_send_job.lua. Its number stays until the server has answered it. */
static void job_command(struct il_command *c, const struct il_op *op)
{
	const struct il_job *job = op->message.job;
	char number[24];
	snprintf(number, sizeof number, "%016lld", (long long)++il_redis_state()->numbers);
	il_command_text(c, number);
	il_command_number(c, il_rq_job_delay(job));
	il_command_bytes(c, job->id, job->id_size);
}

static int make_request(struct il_redis_waiter *w, void (*answered)(struct il_request *r))
{
	struct il_rq_sender *s = sender_of(w);
	struct il_op *first = s->batch[0];
	struct il_command c;
	bool job = !s->query && job_of(first);
	unsigned flags = (s->query || job ? IL_SAFE : IL_UNSAFE) | (first->once ? 0 : IL_PATIENT);
	il_rq_command(&c, il_rq_of(w->all),
		s->query      ? IL_SCRIPT_queue_room
			: job ? IL_SCRIPT_queue_send_job
			      : IL_SCRIPT_queue_send);
	if (!s->query)
		il_command_number(&c, il_fork.pid);
	il_command_text(&c, s->name + 2);
	il_command_text(&c, first->once ? "-" : s->place);
	if (s->query)
		il_command_number(&c, (int64_t)first->size);
	if (is_many(first))
		add_messages(&c, s, first);
	else
		for (int i = 0; i < s->count && !s->query; i++)
			add_message(&c, s->batch[i]->message.type, job_of(s->batch[i]), s->batch[i]->data,
				s->batch[i]->size);
	if (job)
		job_command(&c, first);
	int err = il_request_make(&c, (enum il_request_flags)flags, answered, w, &w->request);
	if (!err && !first->once)
		s->place[0] = 0;
	return err;
}

/* There is room for a case of a select, unless its wait is to end. */
static int claim(struct il_op *op)
{
	if (op && op->wait->late)
		il_op_unbusy(op);
	else if (op)
		il_op_commit(op);
	return 0;
}

/* So many more are sent, and those behind them, or none if there was no time to wait, are not. */
static void accept_many(struct il_redis_waiter *w, struct il_op *op, int accepted, int err)
{
	for (; accepted > 0 && op->message.sent < op->size; accepted--)
		op->message.sent += il_payload_space(il_payload_at(op->data, op->message.sent)->size);
	if (op->message.sent == op->size || (err == EAGAIN && op->once))
		il_redis_waiter_finish(w, op, 0);
	else if (op->wait->late)
		il_op_unbusy(op);
}

static void give_id(struct il_job *job, const struct il_request *r)
{
	if (job && !job->id_size)
		job->id_size = (uint8_t)snprintf(job->id, sizeof job->id, "#%lld", (long long)il_reply_number(r, 4));
}

static int answer(struct il_redis_waiter *w, struct il_request *r, int err)
{
	struct il_rq_sender *s = sender_of(w);
	bool known = !s->query && (!err || err == EAGAIN);
	int accepted = known ? (int)il_reply_number(r, 1) : 0;
	if (known && il_reply_number(r, 3))
		il_rq_sweep_later(il_rq_of(w->all));
	s->room = err == EAGAIN ? 0 : known ? il_reply_number(r, 2) : UNKNOWN;
	if (s->query && !err)
		return claim(s->batch[0]);
	if (accepted && s->batch[0])
		give_id(job_of(s->batch[0]), r);
	for (int i = 0; i < s->count; i++) {
		struct il_op *op = s->batch[i];
		if (op && is_many(op))
			accept_many(w, op, accepted, err);
		else if (op && (i < accepted || (err == EAGAIN && is_claimed(op))))
			il_redis_waiter_finish(w, op, i < accepted ? 0 : ENOBUFS);
	}
	return err;
}

/* Its message is not sent if it has not been. True: it may have been. */
static bool left(struct il_redis_waiter *w, struct il_op *op)
{
	struct il_rq_sender *s = sender_of(w);
	int i = 0;
	while (i < s->count && s->batch[i] != op)
		i++;
	w->again |= w->stands; /* those behind it may need less room */
	if (!w->request || i == s->count)
		return false;
	s->batch[i] = NULL;
	if (!w->request->sent) {
		il_request_free(w->request);
		w->request = NULL;
	} else if (!s->query) {
		op->begun = true;
		op->err = ETIMEDOUT;
	}
	return op->begun;
}

/* A process that leaves has perhaps been called just now: then the next one is. */
static void give_back(struct il_redis_waiter *w)
{
	struct il_command c;
	if (w->request)
		return;
	w->stands = false;
	il_rq_command(&c, il_rq_of(w->all), IL_SCRIPT_queue_room);
	il_command_text(&c, sender_of(w)->name + 2);
	il_command_text(&c, "-");
	il_request_make(&c, IL_SAFE | IL_PATIENT, NULL, NULL, NULL); /* or the others ask, later */
}

static void idle(struct il_redis_waiter *w)
{
	il_list_del(&w->node);
	w->once = false;
	sender_of(w)->count = 0;
	sender_of(w)->room = UNKNOWN;
	sender_of(w)->place[0] = 0;
}

static const struct il_redis_waiter_kind kind = { .joins = joins,
	.request = make_request,
	.answer = answer,
	.left = left,
	.give_back = give_back,
	.idle = idle };

int il_rq_send_start(struct il_op *op)
{
	struct il_rq *q = il_rq_of_op(op);
	struct il_redis_waiter *w = &q->sender.waiter;
	if (!il_fork_is_own(q->waits.object.server->generation))
		il_servers_after_fork();
	if (il_list_empty(&w->node))
		il_list_add(&q->waits.waiters, &w->node);
	il_redis_waiter_start(w, op);
	return 0;
}

/* Where nothing can wait it is sent if there is room, and the answer is thrown away. */
bool il_rq_send_attempt(struct il_op *op)
{
	struct il_rq *q = il_rq_of_op(op);
	struct il_command c;
	if (!op->last)
		return il_redis_object_attempt(op);
	il_rq_command(&c, q, IL_SCRIPT_queue_send);
	il_command_number(&c, il_fork.pid);
	il_command_text(&c, q->sender.name + 2);
	il_command_text(&c, "-");
	add_message(&c, op->message.type, NULL, op->data, op->size);
	op->err = il_request_make(&c, IL_UNSAFE, NULL, NULL, NULL);
	il_server_flush(q->waits.object.server);
	return true;
}

bool il_rq_send_many_attempt(struct il_op *op)
{
	return il_redis_object_attempt(op);
}

bool il_rq_send_many_cancel(struct il_op *op)
{
	if (il_redis_waiter_cancel(op))
		return true;
	op->err = 0;
	return op->wait->winner == IL_TIMEOUT;
}

void il_rq_send_called(struct il_rq *q, int64_t room, const char *place)
{
	struct il_rq_sender *s = &q->sender;
	snprintf(s->place, sizeof s->place, "%s", place);
	s->room = room;
	s->waiter.stands |=
		!s->waiter.request && !il_redis_waiter_first(&s->waiter); /* it leaves, and the next one is called */
	s->waiter.again = true;
	il_redis_waiter_due(&s->waiter);
}

void il_rq_send_init(struct il_rq *q)
{
	il_redis_waiter_init(&q->sender.waiter, &q->waits, &kind);
	il_rq_name(q, false, q->sender.name);
	q->sender.room = UNKNOWN;
}
