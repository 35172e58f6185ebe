/* SPDX-License-Identifier: MIT
 *
 * Receiving from queues on a server. A message that is taken is kept there until its slot is used again (queue_receive.lua),
 * so a request can be made twice, and taken back by one that follows it at once.
 *
 * Who finds nothing waits for news. One message's news wakes one operation, which asks for whoever is first in this process
 * and wants the same. If it came while nobody who wants it waits, but somebody asks, whose question may have been too early,
 * that one asks again. If what it gets is a message of another type, the news is for the next.
 * Floor 2.
 */
#include "engines/redis/queue.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long a slot rests before the server is told that what was taken there has come, ns. */
static const int64_t REST = 1000000000;

enum { NAME_SIZE = 40, AT_ONCE = 10 };

struct slot {
	struct il_list node; /* in slots, or in owing */
	struct il_rq *queue;
	struct il_op *op;    /* for which it asks, NULL: it puts back */
	struct il_request *request;
	int index;
	int64_t number;      /* of the last request */
	int64_t wanted;
	int64_t news;        /* the type of the message because of which it asks; or 0 */
	bool again;          /* what it asks for may have come since, */
	int64_t mark;        /* and that is of this type; or 0 */
	bool sweeps;         /* and there may be more than one */
	bool dirty;          /* the server keeps the message that was taken */
};

/* Of all requests of this process. */
static int64_t numbers;

static void pass_on(struct il_rq *q, const struct slot *was, int64_t got);

static struct il_rq *rq_of(const struct il_op *op)
{
	return il_rq_handle(op->source)->rq;
}

static struct il_op *of_line(struct il_list *node)
{
	return il_container_of(node, struct il_op, line);
}

static bool wants(int64_t wanted, int64_t type)
{
	return wanted == 0 || wanted == type || (wanted < 0 && type <= -wanted);
}

/* Slots ------------------------------------------------------------------------------------------------ */

static void name(const struct slot *s, char text[NAME_SIZE])
{
	snprintf(text, NAME_SIZE, "@%s:%d", il_server_client(s->queue->face.server), s->index);
}

static struct slot *get_slot(struct il_rq *q)
{
	struct slot *s;
	if (q->pid != il_loop.pid)
		il_servers_after_fork();
	if (!il_list_empty(&q->slots)) {
		s = il_container_of(q->slots.prev, struct slot, node);
		il_list_del(&s->node);
		return s;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	il_list_init(&s->node);
	s->queue = q;
	s->index = q->slot_count++;
	return s;
}

static void rest(struct slot *s)
{
	struct il_rq *q = s->queue;
	s->op = NULL;
	s->request = NULL;
	il_list_del(&s->node);
	il_list_add(&q->slots, &s->node);
	if (s->dirty && !q->idle.item.place) {
		il_timer_start(&q->idle, REST);
		il_timer_arm(&q->idle, false); /* no memory: the next one tries again */
	}
}

/* Tells the server about some slots that rest. */
static void tell_idle(struct il_rq *q)
{
	struct il_call c;
	char names[AT_ONCE][NAME_SIZE];
	int n = 0;
	il_call_init(&c, &q->face, IL_SCRIPT_queue_idle);
	il_call_text(&c, q->id);
	for (struct il_list *l = q->slots.next; l != &q->slots && n < AT_ONCE; l = l->next) {
		struct slot *s = il_container_of(l, struct slot, node);
		if (!s->dirty)
			continue;
		s->dirty = false;
		name(s, names[n]);
		il_call_text(&c, names[n++]);
		il_call_number(&c, s->number);
	}
	il_request_make(&c, IL_SAFE, NULL, NULL, NULL); /* or what a slot keeps is dropped two epochs later */
}

static bool any_dirty(const struct il_rq *q)
{
	for (const struct il_list *l = q->slots.next; l != &q->slots; l = l->next)
		if (il_container_of(l, const struct slot, node)->dirty)
			return true;
	return false;
}

static void rested(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, idle);
	while (any_dirty(q))
		tell_idle(q);
}

/* Putting back ------------------------------------------------------------------------------------------- */

/* If that fails it is tried again when the server is there again; a slot that owes has no request. */
static void is_back(struct il_request *r)
{
	struct slot *s = r->owner;
	s->request = NULL;
	if (!r->err)
		rest(s);
	il_request_free(r);
}

static void put_back(struct slot *s)
{
	struct il_call c;
	char text[NAME_SIZE];
	name(s, text);
	s->op = NULL;
	s->dirty = false;
	il_list_del(&s->node);
	il_list_add(&s->queue->owing, &s->node);
	il_call_init(&c, &s->queue->face, IL_SCRIPT_queue_putback);
	il_call_text(&c, s->queue->id);
	il_call_text(&c, text);
	il_call_number(&c, s->number);
	if (il_request_make(&c, IL_SAFE | IL_PATIENT, is_back, s, &s->request))
		s->request = NULL;
}

static void put_back_owed(struct il_rq *q)
{
	struct il_list round;
	il_list_move(&q->owing, &round);
	while (!il_list_empty(&round)) {
		struct slot *s = il_container_of(round.next, struct slot, node);
		il_list_del(&s->node);
		il_list_add(&q->owing, &s->node);
		if (!s->request)
			put_back(s);
	}
}

/* The operation has given up, and may have been given something. */
static void withdraw(struct slot *s)
{
	struct slot was = *s;
	struct il_rq *q = s->queue;
	if (s->request->sent) {
		il_request_forget(s->request);
		put_back(s);
	} else {
		il_request_free(s->request);
		rest(s);
	}
	pass_on(q, &was, 0);
}

/* Asking ------------------------------------------------------------------------------------------------- */

static void answered(struct il_request *r);

static int ask(struct il_rq *q, struct il_op *op, int64_t news, bool sweeps)
{
	struct il_call c;
	char lowest[IL_RQ_BOUND], highest[IL_RQ_BOUND], text[NAME_SIZE];
	if (!il_list_empty(&q->owing))
		put_back_owed(q);
	struct slot *s = get_slot(q);
	if (!s)
		return ENOMEM;
	s->number = ++numbers;
	s->wanted = op->arg;
	s->news = news;
	s->sweeps = sweeps;
	s->again = false;
	s->mark = 0;
	name(s, text);
	il_rq_bounds(op->arg, lowest, highest);
	il_call_init(&c, &q->face, IL_SCRIPT_queue_receive);
	il_call_text(&c, q->id);
	il_call_text(&c, lowest);
	il_call_text(&c, highest);
	il_call_text(&c, text);
	il_call_number(&c, s->number);
	il_call_number(&c, il_loop.pid);
	int err = il_request_make(&c, op->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered, s, &s->request);
	if (err) {
		rest(s);
		return err;
	}
	s->op = op;
	op->data = s;
	op->busy = s->request->sent;
	return 0;
}

static void end(struct il_rq *q, struct il_op *op, int err)
{
	il_list_del(&op->line);
	op->data = NULL;
	il_rq_finish(q, op, err);
}

static void ask_or_end(struct il_rq *q, struct il_op *op, int64_t news, bool sweeps)
{
	int err = ask(q, op, news, sweeps);
	if (err)
		end(q, op, err);
}

/* The first that wants the same, and only waits for news if `idle`. NULL: there is none. */
static struct il_op *first(struct il_rq *q, int64_t wanted, bool idle)
{
	for (struct il_list *l = q->receivers.next; l != &q->receivers; l = l->next)
		if (of_line(l)->arg == wanted && (!idle || !of_line(l)->data))
			return of_line(l);
	return NULL;
}

static struct il_op *first_idle_that_wants(struct il_rq *q, int64_t type)
{
	for (struct il_list *l = q->receivers.next; l != &q->receivers; l = l->next)
		if (!of_line(l)->data && wants(of_line(l)->arg, type))
			return of_line(l);
	return NULL;
}

/* A message came. */
static void hear(struct il_rq *q, int64_t type)
{
	struct il_op *op = first_idle_that_wants(q, type);
	if (op) {
		ask_or_end(q, op, type, false);
		return;
	}
	for (struct il_list *l = q->receivers.next; l != &q->receivers; l = l->next) {
		struct slot *s = of_line(l)->data;
		if (s && !s->again && wants(s->wanted, type)) {
			s->again = true;
			s->mark = type;
			return;
		}
	}
}

/* It waits from now on, or that is over. */
static void wait_for_news(struct il_rq *q, struct il_op *op)
{
	op->data = NULL;
	if (op->once) {
		il_list_del(&op->line);
		op->busy = false;
		il_op_decline(op);
		return;
	}
	int err = q->removed ? EIDRM : il_rq_listen(q);
	if (err)
		end(q, op, err);
	else
		il_op_rest(op);
}

/* What a slot was to look for is for others, but for one message of a type, if it got that. */
static void pass_on(struct il_rq *q, const struct slot *was, int64_t got)
{
	struct il_op *op = was->sweeps ? first(q, was->wanted, true) : NULL;
	bool news_got = was->news == got;
	if (op)
		ask_or_end(q, op, 0, true);
	if (was->news && !news_got)
		hear(q, was->news);
	if (was->mark && (news_got ? was->news : was->mark != got))
		hear(q, was->mark);
}

/* The first in line gets it, whoever asked; who asked, if it is another one, has that one's question now. */
static void deliver(struct il_rq *q, struct slot *s, struct il_request *r)
{
	struct slot was = *s;
	struct il_op *asker = s->op, *op = first(q, s->wanted, false);
	asker->data = op->data;
	if (asker->data)
		((struct slot *)asker->data)->op = asker;
	asker->busy = op->busy;
	op->data = NULL;
	il_list_del(&op->line);
	int err = il_rq_message(r, op);
	int64_t type = op->arg;
	s->dirty = true;
	rest(s);
	if (op != asker && !asker->data) {
		if (asker->once)
			ask_or_end(q, asker, 0, false);
		else
			wait_for_news(q, asker);
	}
	il_rq_finish(q, op, err);
	pass_on(q, &was, type);
}

static void answered(struct il_request *r)
{
	struct slot *s = r->owner, was = *s;
	struct il_rq *q = s->queue;
	int err = il_request_status(r);
	s->request = NULL;
	if (!err) {
		deliver(q, s, r);
	} else if (r->err) {
		put_back(s);
		end(q, was.op, err);
		pass_on(q, &was, 0);
	} else {
		s->dirty = false;
		rest(s);
		if (err == EAGAIN && was.again)
			ask_or_end(q, was.op, was.mark, !was.mark);
		else if (err == EAGAIN)
			wait_for_news(q, was.op);
		else
			end(q, was.op, err);
		if (err == EIDRM)
			il_rq_removed(q);
		else if (err != EAGAIN)
			pass_on(q, &was, 0);
	}
	il_request_free(r);
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
	if (op->once || !first(q, op->arg, true)) {
		int err = ask(q, op, 0, false);
		if (err)
			return err;
	}
	il_list_add(&q->receivers, &op->line);
	return 0;
}

bool il_rq_receive_cancel(struct il_op *op)
{
	struct slot *s = op->data;
	if (il_list_empty(&op->line)) /* in a forked child */
		return false;
	il_list_del(&op->line);
	op->data = NULL;
	if (s)
		withdraw(s);
	return false;
}

/* From now on all is heard; what came before was not. */
void il_rq_receivers_up(struct il_rq *q)
{
	struct il_list round;
	bool asked = false;
	int64_t wanted = 0;
	put_back_owed(q);
	il_list_move(&q->receivers, &round);
	while (!il_list_empty(&round)) {
		struct il_op *op = of_line(round.next);
		struct slot *s = op->data;
		il_list_del(&op->line);
		il_list_add(&q->receivers, &op->line);
		if (s) {
			s->again = true;
			s->mark = 0;
		} else if (!asked || wanted != op->arg) {
			asked = true;
			wanted = op->arg;
			ask_or_end(q, op, 0, true);
		}
	}
}

void il_rq_receivers_heard(struct il_rq *q, int64_t type)
{
	hear(q, type);
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
	il_list_init(&q->slots);
	il_list_init(&q->owing);
	q->idle.expired = rested;
	q->pid = il_loop.pid;
	tell_idle(q); /* and others, who are no more, are noticed */
}

/* Requests are forgotten, not taken back; in a forked child they are gone. */
static void free_slots(struct il_list *slots, bool forked)
{
	while (!il_list_empty(slots)) {
		struct slot *s = il_container_of(slots->next, struct slot, node);
		il_list_del(&s->node);
		if (s->request && !forked)
			il_request_forget(s->request);
		free(s);
	}
}

/* The waits are the parent's, and so is what was taken. */
void il_rq_receivers_forked(struct il_rq *q)
{
	while (!il_list_empty(&q->receivers)) {
		struct il_op *op = of_line(q->receivers.next);
		il_list_del(&op->line);
		free(op->data);
		op->data = NULL;
	}
	free_slots(&q->slots, true);
	free_slots(&q->owing, true);
	q->slot_count = 0;
	q->pid = il_loop.pid;
	il_timer_disarm(&q->idle);
}

void il_rq_receivers_fini(struct il_rq *q)
{
	il_timer_disarm(&q->idle);
	rested(&q->idle);
	free_slots(&q->slots, false);
	free_slots(&q->owing, false);
}
