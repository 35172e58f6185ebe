/* SPDX-License-Identifier: MIT
 *
 * The kinds of calls, see queue_kinds.h. Floor 2.
 */
#include "engines/disk/queue_kinds.h"
#include "base/clock.h"
#include "engines/disk/queue_dead.h"
#include "engines/disk/room.h"
#include "engines/payloads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AT_ONCE = 1 << 20 }; /* bytes of many messages that are sent in one transaction */

static const uint64_t USUAL_CAPACITY = 8 << 20;

static struct il_dq *queue_of(const struct il_dq_call *c)
{
	return il_container_of(c->change.object, struct il_dq, object);
}

static void announce(const struct il_dq_call *c, struct il_disk_records *r, int side)
{
	il_disk_announce(r->t, queue_of(c)->waits->lines[side].key);
}

/* Opening and removing -------------------------------------------------------------------------------------- */

static int open_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_disk_object *o = c->change.object;
	bool made;
	int rc = il_disk_object_make(o, r->t, c->count, USUAL_CAPACITY, &made);
	if (rc || made)
		return rc ? rc : il_disk_records_make(r->t, r->table, o->size);
	struct il_disk_records head; /* one that is damaged can be opened, and removed */
	return il_disk_records_begin(&head, r->t, r->table) == EPROTO ? EPROTO : 0;
}

/* After EEXIST, too. */
static void open_answer(struct il_dq_call *c, struct il_op *op)
{
	struct il_dq *q = queue_of(c);
	if (q->object.size)
		q->queue.max_message = q->object.size;
	(void)op;
}

static int remove_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	announce(c, r, IL_DQ_RECEIVERS);
	announce(c, r, IL_DQ_SENDERS);
	return il_disk_object_remove(c->change.object, r->t);
}

static void remove_answer(struct il_dq_call *c, struct il_op *op)
{
	(void)op;
	queue_of(c)->queue.shared.removed = true;
}

/* Sending -------------------------------------------------------------------------------------------------- */

/* The result of a send. One that found no room is not overtaken by those that came after it, until something has
 * changed. */
static int in_turn(struct il_dq_call *c, int rc)
{
	struct il_dq_line *line = &queue_of(c)->waits->lines[IL_DQ_SENDERS];
	if (rc == EAGAIN) {
		line->failed = true;
		line->failed_at = c->change.seen;
	} else if (!rc && c->first) {
		line->failed = false;
	}
	return rc;
}

static bool may_try(const struct il_dq_call *c)
{
	const struct il_dq_line *line = &queue_of(c)->waits->lines[IL_DQ_SENDERS];
	return c->first || !line->failed || line->failed_at != c->change.seen;
}

static int send_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	c->result = c->job;
	if (!may_try(c))
		return EAGAIN;
	int rc = il_disk_make_room(r->t, c->size);
	if (!rc)
		rc = il_disk_records_send(r, c->type, c->bytes, c->size, c->given ? &c->result : NULL, il_wall_now());
	if (!rc)
		announce(c, r, IL_DQ_RECEIVERS);
	return in_turn(c, rc);
}

static void send_answer(struct il_dq_call *c, struct il_op *op)
{
	if (c->given)
		*op->message.job = c->result;
}

static int claim_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	return !may_try(c) ? EAGAIN : in_turn(c, il_disk_records_may_send(r, c->size, c->given ? &c->job : NULL));
}

/* Unless the wait is to end. */
static void claim_answer(struct il_dq_call *c, struct il_op *op)
{
	c->change.then = op->wait->late ? IL_DISK_KEPT : IL_DISK_AGAIN;
	if (op->wait->late)
		return;
	il_op_commit(op);
	c->kind = &il_dq_send;
	c->claimed = c->first = true;
}

/* Not all at once, if that would take the disk a long time. */
static int send_many_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	int64_t now = il_wall_now();
	int rc = may_try(c) ? 0 : EAGAIN;
	for (c->answer = c->sent; !rc && c->answer < c->size && c->answer - c->sent < MOST_AT_ONCE;) {
		const struct il_payload *p = il_payload_at(c->bytes, c->answer);
		rc = il_disk_make_room(r->t, p->size);
		if (!rc)
			rc = il_disk_records_send(r, p->type, il_payload_bytes(p), p->size, NULL, now);
		if (!rc)
			c->answer += il_payload_space(p->size);
	}
	c->more = !rc && c->answer < c->size;
	if (c->answer > c->sent)
		announce(c, r, IL_DQ_RECEIVERS);
	return in_turn(c, rc);
}

static void send_many_answer(struct il_dq_call *c, struct il_op *op)
{
	op->message.sent = c->answer;
}

/* Receiving --------------------------------------------------------------------------------------------------- */

/* What it takes to give it back. */
static int remember(struct il_dq_call *c, const struct il_disk_message *m)
{
	struct il_dq_message *all = realloc(c->messages, (c->answer + 1) * sizeof *all);
	if (!all)
		return ENOMEM;
	c->messages = all;
	all[c->answer].record = m->record;
	if (m->record.id_size)
		memcpy(all[c->answer].id, m->id, m->record.id_size);
	c->answer++;
	return 0;
}

static int copy_out(struct il_dq_call *c, const struct il_disk_message *m)
{
	c->answer = m->record.size;
	c->change.data = c->answer ? malloc(c->answer) : NULL;
	if (c->answer && !c->change.data)
		return ENOMEM;
	if (c->answer)
		memcpy(c->change.data, m->data, c->answer);
	c->found = m->record.type;
	il_disk_records_describe(m, &c->result);
	return 0;
}

static void bytes_answer(struct il_dq_call *c, struct il_op *op)
{
	op->message.type = c->found;
	op->data = c->change.data;
	op->size = c->answer;
	op->owned = true;
	c->change.data = NULL;
}

static int receive_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_disk_message m;
	int rc = il_disk_records_first(r, c->type, &m);
	c->answer = 0;
	if (!rc)
		rc = remember(c, &m);
	if (!rc)
		rc = copy_out(c, &m);
	return rc ? rc : il_disk_records_receive(r, &m);
}

static int restore_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_disk_message m = { .record = c->messages->record, .id = c->messages->id, .data = c->change.data };
	announce(c, r, IL_DQ_RECEIVERS);
	return il_disk_records_restore(r, &m);
}

/* One more, if there is one, and memory for it. */
static int receive_one(struct il_dq_call *c, struct il_disk_records *r, struct il_payloads **all)
{
	struct il_disk_message m;
	int rc = il_disk_records_first(r, c->type, &m);
	void *place = rc ? NULL : il_payloads_add(all, m.record.type, m.record.size, c->count - c->answer);
	if (rc)
		return rc;
	rc = place ? remember(c, &m) : ENOMEM;
	if (rc && place)
		il_payloads_remove_last(*all, m.record.size);
	if (rc)
		return rc;
	memcpy(place, m.data, m.record.size);
	return il_disk_records_receive(r, &m);
}

static int receive_many_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_payloads *all = NULL;
	int rc = 0;
	for (c->answer = 0; !rc && c->answer < c->count;)
		rc = receive_one(c, r, &all);
	c->change.data = all;
	return c->answer && (rc == EAGAIN || rc == ENOMEM) ? 0 : rc;
}

static int restore_many_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_payloads *all = c->change.data;
	size_t at = 0;
	int rc = 0;
	announce(c, r, IL_DQ_RECEIVERS);
	for (size_t i = 0; !rc && i < c->answer; i++) {
		const struct il_payload *p = il_payloads_at(all, at);
		struct il_disk_message m = { .record = c->messages[i].record,
			.id = c->messages[i].id,
			.data = il_payload_bytes(p) };
		at += il_payload_space(p->size);
		rc = il_disk_records_restore(r, &m);
	}
	return rc;
}

static void receive_many_answer(struct il_dq_call *c, struct il_op *op)
{
	struct il_payloads *all = c->change.data;
	op->data = all;
	op->size = all->size;
	op->owned = true;
	c->change.data = NULL;
}

static int peek_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_disk_message m;
	int rc = il_disk_records_first(r, c->type, &m);
	return rc ? (rc == EAGAIN ? ENOMSG : rc) : copy_out(c, &m);
}

static int stat_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	return il_disk_records_stat(r, &c->stat);
}

static void stat_answer(struct il_dq_call *c, struct il_op *op)
{
	struct il_dq *q = queue_of(c);
	(void)op;
	q->queue.stat = c->stat;
	q->queue.stat.senders = il_list_count(&q->waits->lines[IL_DQ_SENDERS].calls);
	q->queue.stat.receivers = il_list_count(&q->waits->lines[IL_DQ_RECEIVERS].calls);
}

/* Jobs ---------------------------------------------------------------------------------------------------------- */

/* The first of a process is announced, so that those that wait watch it. */
static int take_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_disk_message m;
	bool first;
	int rc = il_disk_records_take(r, c->type, &c->holder, &c->limits, &m, &first);
	if (first)
		announce(c, r, IL_DQ_RECEIVERS);
	return rc ? rc : copy_out(c, &m);
}

static void take_answer(struct il_dq_call *c, struct il_op *op)
{
	queue_of(c)->took = true;
	*op->message.job = c->result;
	bytes_answer(c, op);
}

static int finish(struct il_dq_call *c, struct il_disk_records *r, struct il_job *job)
{
	if (job->outcome != IL_JOB_DONE || c->next)
		announce(c, r, IL_DQ_RECEIVERS);
	return il_disk_records_finish(r, job, &c->holder, &c->limits, c->next, c->bytes, c->size, il_wall_now());
}

static int finish_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	int rc = c->next ? il_disk_make_room(r->t, c->size) : 0;
	c->result = c->job;
	return rc ? rc : finish(c, r, &c->result);
}

static void finish_answer(struct il_dq_call *c, struct il_op *op)
{
	op->message.job->dead = c->result.dead;
}

/* What was taken for an operation that is over. */
static int give_back_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_job job = c->result;
	job.outcome = IL_JOB_RELEASE;
	return finish(c, r, &job);
}

static int release_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	announce(c, r, IL_DQ_RECEIVERS);
	return il_disk_records_release(r, &c->holder);
}

/* That is done first, with every call. */
static int bereave_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	(void)c;
	(void)r;
	return 0;
}

/* Dead letters ---------------------------------------------------------------------------------------------------- */

static int dead_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	struct il_disk_message m;
	int rc = il_disk_dead_next(r, c->job.place, &m);
	return rc ? (rc == ENOENT ? ENOMSG : rc) : copy_out(c, &m);
}

static void dead_answer(struct il_dq_call *c, struct il_op *op)
{
	*op->message.job = c->result;
	bytes_answer(c, op);
}

/* The bytes are an id. */
static int revive_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	announce(c, r, IL_DQ_RECEIVERS);
	return il_disk_dead_revive(r, c->given ? c->bytes : NULL, c->size, &c->number);
}

static int drop_apply(struct il_dq_call *c, struct il_disk_records *r)
{
	return il_disk_dead_drop(r, c->given ? c->bytes : NULL, c->size, &c->number);
}

static void number_answer(struct il_dq_call *c, struct il_op *op)
{
	op->arg = c->number;
}

/* Kinds -------------------------------------------------------------------------------------------------------------
 */

#define RECEIVES .side = IL_DQ_RECEIVERS, .tidies = true
#define SENDS .side = IL_DQ_SENDERS
#define ENDS .side = IL_DQ_NEITHER

static const struct il_dq_kind restore = { ENDS, .undoes = true, .apply = restore_apply };
static const struct il_dq_kind restore_many = { ENDS, .undoes = true, .apply = restore_many_apply };
static const struct il_dq_kind give_back = { ENDS, .undoes = true, .apply = give_back_apply };

const struct il_dq_kind il_dq_open = { ENDS, .opens = true, .apply = open_apply, .answer = open_answer };
const struct il_dq_kind il_dq_remove = { ENDS, .removes = true, .apply = remove_apply, .answer = remove_answer };
const struct il_dq_kind il_dq_send = { SENDS, .apply = send_apply, .answer = send_answer };
const struct il_dq_kind il_dq_claim = { SENDS, .apply = claim_apply, .answer = claim_answer };
const struct il_dq_kind il_dq_send_many = { SENDS, .partly = true, .apply = send_many_apply,
	.answer = send_many_answer };
const struct il_dq_kind il_dq_receive = { RECEIVES, .apply = receive_apply, .answer = bytes_answer, .undo = &restore };
const struct il_dq_kind il_dq_receive_many = { RECEIVES, .apply = receive_many_apply, .answer = receive_many_answer,
	.undo = &restore_many };
const struct il_dq_kind il_dq_take = { RECEIVES, .apply = take_apply, .answer = take_answer, .undo = &give_back };
const struct il_dq_kind il_dq_peek = { ENDS, .tidies = true, .apply = peek_apply, .answer = bytes_answer };
const struct il_dq_kind il_dq_stat = { ENDS, .tidies = true, .apply = stat_apply, .answer = stat_answer };
const struct il_dq_kind il_dq_finish = { ENDS, .apply = finish_apply, .answer = finish_answer };
const struct il_dq_kind il_dq_dead = { ENDS, .apply = dead_apply, .answer = dead_answer };
const struct il_dq_kind il_dq_revive = { ENDS, .apply = revive_apply, .answer = number_answer };
const struct il_dq_kind il_dq_drop = { ENDS, .apply = drop_apply, .answer = number_answer };
const struct il_dq_kind il_dq_release = { ENDS, .apply = release_apply };
const struct il_dq_kind il_dq_bereave = { ENDS, .tidies = true, .apply = bereave_apply };
