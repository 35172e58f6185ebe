/* SPDX-License-Identifier: MIT
 *
 * Receiving from queues on a server. What is asked for between two looks of the loop goes into one request.
 *
 * 1. An operation asks when it starts, unless another one that wants the same has asked in vain and waits for a call.
 * 2. A request that gets less than it asks for puts this process into the server's line for what it wants.
 * 3. The server calls the first process in line for each message. A call makes two operations ask, if so many wait: so
 *    the process stands in line again at once.
 * 4. If all that was asked for came, the others that want the same ask.
 * 5. A call that is of no use is passed on to the next process. Floor 2.
 */
#include "engines/redis/queue.h"
#include "engines/redis/object/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct il_rq *rq_of(const struct il_op *op)
{
	return il_rq_handle(op->source)->rq;
}

static struct il_op *of_line(struct il_list *node)
{
	return il_container_of(node, struct il_op, link);
}

static struct il_rq_ask *of_asks(struct il_list *node)
{
	return il_container_of(node, struct il_rq_ask, node);
}

/* The first that wants the same, and only waits for a call if `idle`. NULL: there is none. */
static struct il_op *first(struct il_rq *q, int64_t wanted, bool idle)
{
	for (struct il_list *l = q->receivers.next; l != &q->receivers; l = l->next)
		if (of_line(l)->message.type == wanted && (!idle || !of_line(l)->data))
			return of_line(l);
	return NULL;
}

static void end(struct il_rq *q, struct il_op *op, int err)
{
	il_list_del(&op->link);
	op->data = NULL;
	il_rq_finish(q, op, err);
}

/* Asking ------------------------------------------------------------------------------------------------- */

static int ask(struct il_rq *q, struct il_op *op, int64_t type, const char *place)
{
	struct il_rq_ask *a = malloc(sizeof *a);
	if (!a)
		return ENOMEM;
	*a = (struct il_rq_ask){ .op = op, .wanted = op->message.type, .type = type };
	snprintf(a->place, sizeof a->place, "%s", place);
	il_list_init(&a->node);
	il_list_add(&q->asks, &a->node);
	op->data = a;
	il_rq_due(q);
	return 0;
}

static void ask_or_end(struct il_rq *q, struct il_op *op, int64_t type, const char *place)
{
	int err = ask(q, op, type, place);
	if (err)
		end(q, op, err);
}

/* Has it been asked for this since the loop looked last? */
static bool asks(const struct il_rq *q, int64_t wanted)
{
	for (struct il_list *l = q->asks.next; l != &q->asks; l = l->next)
		if (of_asks(l)->wanted == wanted)
			return true;
	return false;
}

/* So many of those that want this and wait for a call. False: there is none. */
static bool ask_idle(struct il_rq *q, int64_t wanted, int count, int64_t type, const char *place)
{
	struct il_op *op;
	bool any = false;
	for (; count && (op = first(q, wanted, true)); count--, type = 0, any = true)
		ask_or_end(q, op, type, place);
	return any;
}

/* What is asked already, and not answered, will be after the message came. */
void il_rq_receivers_called(struct il_rq *q, int64_t wanted, int64_t type, const char *place)
{
	if (!ask_idle(q, wanted, 2, type, place) && !first(q, wanted, false))
		il_rq_pass(q, type);
}

/* The operation that was called is gone. */
static void call_another(struct il_rq *q, const struct il_rq_ask *was)
{
	if (was->type && !ask_idle(q, was->wanted, 1, was->type, was->place))
		il_rq_pass(q, was->type);
}

/* It waits from now on, or that is over. */
static void wait_for_call(struct il_rq *q, struct il_op *op)
{
	op->data = NULL;
	if (op->once) {
		il_list_del(&op->link);
		op->busy = false;
		il_op_not_ready(op);
		return;
	}
	int err = q->removed ? EIDRM : il_rq_listen(q);
	if (err)
		end(q, op, err);
	else
		il_op_unbusy(op);
}

/* Answers ------------------------------------------------------------------------------------------------ */

/* The first operation in line gets the message. If another one has asked, that takes over the first one's request. */
static void deliver(struct il_rq *q, const struct il_rq_ask *was, struct il_request *r, size_t place)
{
	struct il_op *asker = was->op, *op = first(q, was->wanted, false);
	struct il_rq_ask *other = op == asker ? NULL : op->data;
	asker->data = other;
	if (other)
		other->op = asker;
	op->data = NULL;
	il_list_del(&op->link);
	int err = il_rq_message(r, place, op);
	if (op != asker && !other) {
		if (asker->once)
			ask_or_end(q, asker, 0, "");
		else
			wait_for_call(q, asker);
	}
	il_rq_finish(q, op, err);
}

static void without(struct il_rq *q, const struct il_rq_ask *was, int err)
{
	if (err == EAGAIN && was->again)
		ask_or_end(q, was->op, 0, was->place);
	else if (err == EAGAIN)
		wait_for_call(q, was->op);
	else
		end(q, was->op, err);
}

static int count(const struct il_list *asks)
{
	int n = 0;
	for (const struct il_list *l = asks->next; l != asks; l = l->next)
		n++;
	return n;
}

/* Code that runs when an operation is served may withdraw another question of the same slot: so each round begins at
 * the front. */
static void serve(struct il_rq *q, struct il_delivery *s, struct il_request *r, int err)
{
	int took = err ? 0 : (int)(il_reply_count(r) - 1) / 2, given = 0;
	int kept = count(&s->asks), got = took < kept ? took : kept;
	int64_t wanted = s->wanted;
	while (!il_list_empty(&s->asks)) {
		struct il_rq_ask *a = of_asks(s->asks.next), was = *a;
		il_list_del(&a->node);
		free(a);
		if (given < got)
			deliver(q, &was, r, (size_t)given++);
		else
			without(q, &was, err ? err : EAGAIN);
	}
	s->dirty = got > 0;
	bool all = kept && given == s->count;
	if (!err && il_reply_count(r) % 2 == 0)
		il_rq_recall(q, 0);
	if ((!r->err && given == took) || il_delivery_put_back(s, given))
		il_delivery_recycle(s);
	if (all)
		ask_idle(q, wanted, IL_RQ_BATCH, 0, "");
}

static void answered(struct il_request *r)
{
	struct il_delivery *s = r->owner;
	struct il_rq *q = s->queue;
	int err = il_request_status(r);
	s->request = NULL;
	serve(q, s, r, err);
	if (err == EIDRM)
		il_rq_removed(q);
	il_request_free(r);
}

/* Making requests ---------------------------------------------------------------------------------------- */

static void refuse(struct il_rq *q, struct il_delivery *s, int err)
{
	while (!il_list_empty(&s->asks)) {
		struct il_rq_ask *a = of_asks(s->asks.next);
		struct il_op *op = a->op;
		il_list_del(&a->node);
		free(a);
		end(q, op, err);
	}
	il_delivery_recycle(s);
}

/* One request for the first and those behind it that want the same. */
static int make_one(struct il_rq *q)
{
	struct il_delivery *s = il_delivery_get(q);
	struct il_rq_ask *head = of_asks(q->asks.next);
	int64_t wanted = head->wanted;
	bool once = head->op->once;
	int n = 0;
	if (!s)
		return ENOMEM;
	for (struct il_list *next, *l = q->asks.next; l != &q->asks && n < IL_RQ_BATCH; l = next) {
		struct il_rq_ask *a = of_asks(l);
		next = l->next;
		if (a->wanted != wanted || a->op->once != once)
			break;
		il_list_del(&a->node);
		il_list_add(&s->asks, &a->node);
		a->slot = s;
		n++;
	}
	int err = il_delivery_ask(s, wanted, n, once ? "-" : of_asks(s->asks.next)->place,
		once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered);
	if (err)
		refuse(q, s, err);
	for (struct il_list *l = s->asks.next; !err && l != &s->asks; l = l->next)
		of_asks(l)->op->busy = s->request->sent;
	return 0;
}

void il_rq_asks_due(struct il_rq *q)
{
	il_deliveries_retry(q);
	while (!il_list_empty(&q->asks))
		if (make_one(q)) {
			struct il_rq_ask *a = of_asks(q->asks.next);
			struct il_op *op = a->op;
			il_list_del(&a->node);
			free(a);
			end(q, op, ENOMEM);
		}
}

/* Operations --------------------------------------------------------------------------------------------- */

bool il_rq_receive_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

/* Behind one that found nothing there is nothing to be found. */
int il_rq_receive_start(struct il_op *op)
{
	struct il_rq *q = rq_of(op);
	if (op->once || !first(q, op->message.type, true)) {
		int err = ask(q, op, 0, "");
		if (err)
			return err;
	}
	il_list_add(&q->receivers, &op->link);
	return 0;
}

/* The operation has given up, and may have been given something: then the last of what its request took goes back. Also
 * if the request is not on its way: it may have been, on a connection that was lost. */
static void withdraw(struct il_rq *q, struct il_rq_ask *a)
{
	struct il_rq_ask was = *a;
	il_list_del(&a->node);
	free(a);
	if (was.slot && was.slot->request)
		il_delivery_put_back(was.slot, count(&was.slot->asks));
	call_another(q, &was);
}

bool il_rq_receive_cancel(struct il_op *op)
{
	struct il_rq_ask *a = op->data;
	if (il_list_empty(&op->link)) /* in a forked child */
		return false;
	il_list_del(&op->link);
	op->data = NULL;
	if (a)
		withdraw(rq_of(op), a);
	return false;
}

/* From now on all is heard; what came before was not. */
void il_rq_receivers_up(struct il_rq *q)
{
	struct il_list round;
	il_deliveries_retry(q);
	il_list_move(&q->receivers, &round);
	while (!il_list_empty(&round)) {
		struct il_op *op = of_line(round.next);
		struct il_rq_ask *a = op->data;
		bool asked = a || asks(q, op->message.type);
		il_list_del(&op->link);
		il_list_add(&q->receivers, &op->link);
		if (a)
			a->again = true;
		else if (!asked)
			ask_or_end(q, op, 0, "");
	}
}

static struct il_op *next_to_end(struct il_rq *q, const struct il_queue *which, bool idle_only)
{
	for (struct il_list *l = q->receivers.next; l != &q->receivers; l = l->next)
		if ((!which || of_line(l)->source == which) && (!idle_only || !of_line(l)->data))
			return of_line(l);
	return NULL;
}

void il_rq_receivers_end(struct il_rq *q, const struct il_queue *which, bool idle_only, int err)
{
	struct il_op *op;
	while ((op = next_to_end(q, which, idle_only))) {
		il_rq_receive_cancel(op);
		il_rq_finish(q, op, err);
	}
}

void il_rq_receivers_init(struct il_rq *q)
{
	il_list_init(&q->receivers);
	il_list_init(&q->asks);
	il_deliveries_init(q);
}

/* The waits are the parent's, and so is what was taken. */
void il_rq_receivers_forked(struct il_rq *q)
{
	while (!il_list_empty(&q->receivers)) {
		struct il_op *op = of_line(q->receivers.next);
		struct il_rq_ask *a = op->data;
		il_list_del(&op->link);
		op->data = NULL;
		if (a) {
			struct il_delivery *s = a->slot;
			il_list_del(&a->node);
			free(a);
			if (s && il_list_empty(&s->asks))
				free(s);
		}
	}
	il_deliveries_fini(q, true);
}
