/* SPDX-License-Identifier: MIT
 *
 * Sending to queues on a server. As long as there is room, all who send ask at once. Of those who find none, the first looks
 * again when there is news of room, and nobody overtakes it: see queue_send.lua about batches.
 *
 * A message that was sent cannot be taken back. So a send that is one case of a select only looks for room, and when there
 * is, claims the wait, and sends. A message that may have been sent when its wait ends is told as that.
 * Floor 2.
 */
#include "engines/redis/queue.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A request for an operation. */
struct flight {
	struct il_list node;
	struct il_rq *queue;
	struct il_op *op;
	struct il_request *request;
	int64_t batch;
	uint64_t rooms; /* news of room when it was made */
	bool look;      /* only whether there is room */
	bool claimed;   /* it was one case of a select */
};

static void pump(struct il_rq *q);

static struct il_rq *rq_of(const struct il_op *op)
{
	return il_rq_handle(op->source)->rq;
}

static struct il_op *of_line(struct il_list *node)
{
	return il_container_of(node, struct il_op, line);
}

static bool is_first(const struct il_rq *q, const struct il_op *op)
{
	return q->senders.next == &op->line;
}

static bool in_select(const struct il_op *op)
{
	return op->wait->cases > 1;
}

static struct flight *flight_of(struct il_rq *q, const struct il_op *op)
{
	for (struct il_list *l = q->flights.next; l != &q->flights; l = l->next)
		if (il_container_of(l, struct flight, node)->op == op)
			return il_container_of(l, struct flight, node);
	return NULL;
}

/* Leaves the line; it has no flight any more. */
static void leave(struct il_rq *q, struct il_op *op)
{
	if (!op->begun)
		q->waiting--;
	il_list_del(&op->line);
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
	struct il_op *op = f->op;
	char batch[40], type[IL_RQ_BOUND];
	struct il_call c;
	if (q->pid != il_loop.pid)
		il_servers_after_fork();
	il_call_init(&c, &q->face, f->look ? IL_SCRIPT_queue_room : IL_SCRIPT_queue_send);
	il_call_text(&c, q->id);
	if (f->look) {
		il_call_number(&c, (int64_t)op->size);
		return il_request_make(&c, op->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered, f, &f->request);
	}
	snprintf(batch, sizeof batch, "%s:%lld", il_server_client(q->face.server), (long long)q->batch);
	snprintf(type, sizeof type, "%019lld", (long long)op->arg);
	il_call_text(&c, type);
	il_call_bytes(&c, op->data, op->size);
	il_call_number(&c, il_loop.pid);
	il_call_text(&c, batch);
	return il_request_make(&c, op->once ? IL_UNSAFE : IL_UNSAFE | IL_PATIENT, answered, f, &f->request);
}

/* Asks; the operation is not busy, and in the line if it has been started. */
static int fly(struct il_rq *q, struct il_op *op, bool look, bool claimed)
{
	struct flight *f = malloc(sizeof *f);
	if (!f)
		return ENOMEM;
	*f = (struct flight){
		.queue = q, .op = op, .batch = q->batch, .rooms = q->rooms, .look = look, .claimed = claimed,
	};
	il_list_init(&f->node);
	int err = request(f);
	if (err) {
		free(f);
		return err;
	}
	il_list_add(&q->flights, &f->node);
	q->looks += look;
	op->begun = true;
	op->busy = f->request->sent;
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

/* Whoever is first asks, and those behind it for whom there is room, as far as is known. */
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
			il_op_decline(op);
		pump(q);
		return;
	}
	bool news = f->rooms != q->rooms || (!really && is_first(q, op));
	int err = q->removed ? EIDRM : il_rq_listen(q);
	q->full = !news;
	if (err)
		end(q, op, err);
	else
		il_op_rest(op);
	if (news || err)
		pump(q);
}

/* Unless it was to be over meanwhile. */
static void there_is_room(struct il_rq *q, struct il_op *op)
{
	bool late = op->wait->late, behind = op->once && !is_first(q, op);
	bool claim = !behind && in_select(op);
	if (claim)
		il_op_claim(op);
	q->waiting++;
	op->begun = op->busy = false;
	if (late) {
		il_op_rest(op);
	} else if (behind) {
		leave(q, op);
		il_op_decline(op);
	} else {
		fly_or_end(q, op, false, claim);
	}
	pump(q);
}

static void answered(struct il_request *r)
{
	struct flight *f = r->owner, was = *f;
	struct il_rq *q = f->queue;
	int err = il_request_status(r);
	landed(f);
	if (err == EAGAIN && !was.look && was.batch == q->batch)
		q->batch++;
	if (err == EAGAIN) {
		refused(q, was.op, &was, was.look || il_reply_number(r, 1) >= 0);
	} else if (!err && was.look) {
		there_is_room(q, was.op);
	} else {
		end(q, was.op, err);
		pump(q);
	}
	if (err == EIDRM)
		il_rq_removed(q);
	il_request_free(r);
}

/* Operations --------------------------------------------------------------------------------------------- */

bool il_rq_send_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

/* Behind those who wait it waits; if it does not want to, it looks, for that takes some time, and they may be gone then. */
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
		il_list_add(&q->senders, &op->line);
	return err;
}

bool il_rq_send_cancel(struct il_op *op)
{
	struct il_rq *q = rq_of(op);
	struct flight *f = op->begun ? flight_of(q, op) : NULL;
	bool unknown = false;
	if (il_list_empty(&op->line)) /* in a forked child */
		return false;
	leave(q, op);
	op->begun = op->busy = false;
	if (f) {
		unknown = f->request->sent && !f->look;
		if (f->request->sent)
			il_request_forget(f->request);
		else
			il_request_free(f->request);
		landed(f);
	}
	pump(q);
	if (unknown)
		op->err = EINPROGRESS;
	return unknown;
}

/* Room, so many bytes. */
void il_rq_senders_heard(struct il_rq *q, int64_t room)
{
	q->rooms++;
	q->full = false;
	q->room = room;
	pump(q);
}

/* From now on all is heard; what came before was not. */
void il_rq_senders_up(struct il_rq *q)
{
	il_rq_senders_heard(q, 0);
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
		il_rq_finish(q, op, il_rq_send_cancel(op) ? EINPROGRESS : err);
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
		landed(il_container_of(q->flights.next, struct flight, node));
	q->looks = q->waiting = 0;
	q->full = false;
}
