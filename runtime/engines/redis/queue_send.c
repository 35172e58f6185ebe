/* SPDX-License-Identifier: MIT
 *
 * Sending to queues on a server. As long as there is room, every operation asks at once. When there is none, the first
 * asks again when the server calls this process for room, and no other overtakes it: see queue_send.lua about batches.
 *
 * A message that was sent cannot be taken back. So a send that is one case of a select only looks for room, and when
 * there is, claims the wait, and sends. A message that may have been sent when its wait ends is told as that. Floor 2.
 */
#include "engines/redis/queue.h"
#include "base/fork.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A request, for one operation or a batch; or what will be one when the loop looks next. */
struct flight {
	struct il_list node;
	struct il_rq *queue;
	struct il_request *request;
	int count;
	struct il_op *ops[IL_RQ_BATCH]; /* NULL: it has given up */
	int64_t batch;
	uint64_t rooms; /* news of room when it was made */
	bool look; /* only whether there is room */
	bool claimed; /* it was one case of a select */
	bool once;
};

static void pump(struct il_rq *q);

static struct il_rq *rq_of(const struct il_op *op)
{
	return il_rq_handle(op->source)->rq;
}

static struct il_op *of_line(struct il_list *node)
{
	return il_container_of(node, struct il_op, link);
}

static bool is_first(const struct il_rq *q, const struct il_op *op)
{
	return q->senders.next == &op->link;
}

static bool in_select(const struct il_op *op)
{
	return op->wait->cases > 1;
}

static struct flight *of_node(struct il_list *node)
{
	return il_container_of(node, struct flight, node);
}

static struct flight *flight_of(struct il_rq *q, const struct il_op *op, int *place)
{
	for (struct il_list *l = q->flights.next; l != &q->flights; l = l->next)
		for (*place = 0; *place < of_node(l)->count; ++*place)
			if (of_node(l)->ops[*place] == op)
				return of_node(l);
	return NULL;
}

/* Leaves the line; it has no flight any more. */
static void leave(struct il_rq *q, struct il_op *op)
{
	if (!op->begun)
		q->waiting--;
	il_list_del(&op->link);
}

static void end(struct il_rq *q, struct il_op *op, int err)
{
	leave(q, op);
	il_rq_finish(q, op, err);
}

static void landed(struct flight *f)
{
	il_list_del(&f->node);
	f->queue->looks -= f->look;
	free(f);
}

static void answered(struct il_request *r);

static int request(struct flight *f)
{
	struct il_rq *q = f->queue;
	char batch[40], types[IL_RQ_BATCH][IL_RQ_TYPE];
	struct il_command c;
	unsigned flags = f->look ? IL_SAFE : IL_UNSAFE;
	if (!il_fork_is_own(q->generation))
		il_servers_after_fork();
	f->batch = q->batch;
	f->rooms = q->rooms;
	snprintf(batch, sizeof batch, "%s:%lld", il_server_client(q->object.server), (long long)q->batch);
	il_command_init(&c, &q->object, f->look ? IL_SCRIPT_queue_room : IL_SCRIPT_queue_send);
	il_command_text(&c, q->id);
	if (f->look) {
		il_command_number(&c, (int64_t)f->ops[0]->size);
		il_command_text(&c, il_server_client(q->object.server));
	} else {
		il_command_number(&c, il_fork.pid);
		il_command_text(&c, batch);
	}
	il_command_text(&c, f->once ? "-" : q->place);
	for (int i = 0; i < f->count && !f->look; i++) {
		il_rq_type(f->ops[i]->message.type, types[i]);
		il_command_text(&c, types[i]);
		il_command_bytes(&c, f->ops[i]->data, f->ops[i]->size);
	}
	if (!f->once)
		flags |= IL_PATIENT;
	int err = il_request_make(&c, (enum il_request_flags)flags, answered, f, &f->request);
	if (!err && !f->once)
		q->place[0] = 0;
	return err;
}

/* All that are not requests yet. */
void il_rq_flights_due(struct il_rq *q)
{
	for (struct il_list *l = q->flights.next; l != &q->flights; l = l->next) {
		struct flight *f = of_node(l), was = *f;
		if (f->request)
			continue;
		int err = request(f);
		for (int i = 0; i < f->count && !err; i++)
			f->ops[i]->busy = f->request->sent;
		if (!err)
			continue;
		landed(f);
		for (int i = 0; i < was.count; i++)
			end(q, was.ops[i], err);
		pump(q);
		l = &q->flights;
	}
}

/* The flight that is about to be made and takes one more, or a new one. NULL: no memory. */
static struct flight *next_flight(struct il_rq *q, const struct il_op *op, bool look, bool claimed)
{
	struct flight *f = il_list_empty(&q->flights) ? NULL : of_node(q->flights.prev);
	if (f && !f->request && f->count < IL_RQ_BATCH && !f->look && !look && !f->claimed && !claimed &&
		f->once == op->once)
		return f;
	f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->queue = q;
	f->look = look;
	f->claimed = claimed;
	f->once = op->once;
	il_list_init(&f->node);
	il_list_add(&q->flights, &f->node);
	q->looks += look;
	return f;
}

/* Asks when the loop looks next; the operation has no flight, and is in the line if it has been started. */
static int fly(struct il_rq *q, struct il_op *op, bool look, bool claimed)
{
	struct flight *f = next_flight(q, op, look, claimed);
	if (!f)
		return ENOMEM;
	f->ops[f->count++] = op;
	op->begun = true;
	il_rq_due(q);
	return 0;
}

static void fly_or_end(struct il_rq *q, struct il_op *op, bool look, bool claimed)
{
	int err = fly(q, op, look, claimed);
	if (err)
		end(q, op, err);
	else
		q->waiting--;
}

/* The first operation asks, and those behind it for which there is room, as far as is known. */
static void pump(struct il_rq *q)
{
	for (struct il_list *next, *l = q->senders.next; l != &q->senders && !q->looks && q->waiting; l = next) {
		struct il_op *op = of_line(l);
		next = l->next;
		if (op->begun)
			continue;
		bool fits = (int64_t)op->size <= q->room && !in_select(op);
		if (!fits && !is_first(q, op))
			return;
		q->room -= fits ? (int64_t)op->size : 0;
		fly_or_end(q, op, !fits, false);
	}
}

/* There was no room for it. */
static void refused(struct il_rq *q, struct il_op *op, const struct flight *f, bool really)
{
	q->waiting++;
	op->begun = op->busy = false;
	if (op->once || f->claimed) {
		leave(q, op);
		if (f->claimed)
			il_rq_finish(q, op, ENOBUFS);
		else
			il_op_not_ready(op);
		pump(q);
		return;
	}
	bool news = f->rooms != q->rooms || (!really && is_first(q, op));
	int err = q->removed ? EIDRM : il_rq_listen(q);
	q->full = !news;
	if (err)
		end(q, op, err);
	else
		il_op_unbusy(op);
	if (news || err)
		pump(q);
}

/* Unless it was to be over meanwhile. */
static void there_is_room(struct il_rq *q, struct il_op *op)
{
	bool late = op->wait->late, behind = op->once && !is_first(q, op);
	bool claim = !behind && in_select(op);
	if (claim)
		il_op_commit(op);
	q->waiting++;
	op->begun = op->busy = false;
	if (late) {
		il_op_unbusy(op);
	} else if (behind) {
		leave(q, op);
		il_op_not_ready(op);
	} else {
		fly_or_end(q, op, false, claim);
	}
	pump(q);
}

/* A call that no operation follows is for the next process. */
static void follow(struct il_rq *q)
{
	if (!q->called || !il_list_empty(&q->flights))
		return;
	q->called = false;
	il_rq_pass(q, 0);
}

/* So many of a batch were accepted, the others were not. */
static void batch_answered(struct il_rq *q, const struct flight *f, struct il_request *r, int err)
{
	int accepted = err && err != EAGAIN ? 0 : (int)il_reply_number(r, 1);
	bool really = err == EAGAIN && il_reply_number(r, 2);
	if ((!err || err == EAGAIN) && il_reply_number(r, 4))
		il_rq_recall(q, 0);
	if (err == EAGAIN && f->batch == q->batch)
		q->batch++;
	for (int i = 0; i < f->count; i++) {
		if (!f->ops[i])
			continue;
		if (i < accepted && il_reply_number(r, 3))
			il_rq_recall(q, f->ops[i]->message.type);
		if (err == EAGAIN && i >= accepted) {
			refused(q, f->ops[i], f, really && i == accepted);
		} else {
			end(q, f->ops[i], i < accepted ? 0 : err);
			pump(q);
		}
	}
}

static void answered(struct il_request *r)
{
	struct flight *f = r->owner, was = *f;
	struct il_rq *q = f->queue;
	int err = il_request_status(r);
	landed(f);
	if (err == EAGAIN || (!err && !was.look))
		q->called = false; /* it stands in line again, or the server has called the next itself */
	if (!was.look) {
		batch_answered(q, &was, r, err);
	} else if (err == EAGAIN) {
		refused(q, was.ops[0], &was, true);
	} else if (!err) {
		there_is_room(q, was.ops[0]);
	} else {
		end(q, was.ops[0], err);
		pump(q);
	}
	if (err == EIDRM)
		il_rq_removed(q);
	il_request_free(r);
	follow(q);
}

/* Operations --------------------------------------------------------------------------------------------- */

bool il_rq_send_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

/* Behind others that wait it waits, too. With timeout 0 it queries whether there is room, since that takes some time,
 * and the others may be gone then. */
int il_rq_send_start(struct il_op *op)
{
	struct il_rq *q = rq_of(op);
	bool ahead = q->full || q->waiting || q->looks;
	int err = 0;
	if (!ahead || op->once)
		err = fly(q, op, in_select(op) || (ahead && !il_list_empty(&q->senders)), false);
	else
		q->waiting++;
	if (!err)
		il_list_add(&q->senders, &op->link);
	return err;
}

/* Its message is not sent if it has not been; else true: it may have been. */
static bool leave_flight(struct il_rq *q, const struct il_op *op)
{
	int place = 0, others = 0;
	struct flight *f = flight_of(q, op, &place);
	bool sent = f->request && f->request->sent;
	if (f->request && !sent) {
		il_request_free(f->request);
		f->request = NULL;
		il_rq_due(q);
	}
	f->ops[place] = NULL;
	if (!f->request) {
		f->count--;
		for (int i = place; i < f->count; i++)
			f->ops[i] = f->ops[i + 1];
	}
	for (int i = 0; i < f->count; i++)
		others += f->ops[i] != NULL;
	bool unknown = sent && !f->look;
	if (!others) {
		if (f->request)
			il_request_forget(f->request);
		landed(f);
	}
	return unknown;
}

bool il_rq_send_cancel(struct il_op *op)
{
	struct il_rq *q = rq_of(op);
	if (il_list_empty(&op->link)) /* in a forked child */
		return false;
	bool unknown = op->begun && leave_flight(q, op);
	leave(q, op);
	op->begun = op->busy = false;
	pump(q);
	follow(q);
	if (unknown) {
		op->begun = true;
		op->err = ETIMEDOUT;
	}
	return unknown;
}

static void heard(struct il_rq *q, int64_t room)
{
	q->rooms++;
	q->full = false;
	q->room = room;
	pump(q);
}

/* Room, so many bytes. */
void il_rq_senders_called(struct il_rq *q, int64_t room, const char *place)
{
	snprintf(q->place, sizeof q->place, "%s", place);
	q->called = true;
	heard(q, room);
	follow(q);
}

/* From now on all is heard; what came before was not. */
void il_rq_senders_up(struct il_rq *q)
{
	heard(q, 0);
}

static struct il_op *next_to_end(struct il_rq *q, const struct il_queue *which, bool idle_only)
{
	for (struct il_list *l = q->senders.next; l != &q->senders; l = l->next)
		if ((!which || of_line(l)->source == which) && (!idle_only || !of_line(l)->begun))
			return of_line(l);
	return NULL;
}

void il_rq_senders_end(struct il_rq *q, const struct il_queue *which, bool idle_only, int err)
{
	struct il_op *op;
	while ((op = next_to_end(q, which, idle_only)))
		il_rq_finish(q, op, il_rq_send_cancel(op) ? ETIMEDOUT : err);
}

void il_rq_senders_init(struct il_rq *q)
{
	il_list_init(&q->senders);
	il_list_init(&q->flights);
}

void il_rq_senders_forked(struct il_rq *q)
{
	while (!il_list_empty(&q->senders)) {
		of_line(q->senders.next)->begun = false;
		il_list_del(q->senders.next);
	}
	while (!il_list_empty(&q->flights))
		landed(of_node(q->flights.next));
	q->looks = q->waiting = 0;
	q->full = false;
}
