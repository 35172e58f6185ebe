/* SPDX-License-Identifier: MIT
 *
 * Waiters, see waiter.h. An operation that finishes may take others of its wait out of their lists, of this waiter or
 * of others: so each step begins from the lists. Floor 2.
 */
#include "engines/redis/object/waiter.h"
#include "base/clock.h"
#include "engines/redis/client/server.h"
#include "engines/redis/state.h"
#include "loop/poller.h"

#include <errno.h>

static const int64_t RECHECK = 30 * IL_SECOND; /* until what stands asks again that has published nothing */

static struct il_redis_waits *waits_of(struct il_listener *l)
{
	return il_container_of(l, struct il_redis_waits, object.listener);
}

struct il_op *il_redis_waiter_first(const struct il_redis_waiter *w)
{
	struct il_op *op = il_list_first(struct il_op, &w->asked, link);
	return op ? op : il_list_first(struct il_op, &w->fresh, link);
}

void il_redis_waiter_finish(struct il_redis_waiter *w, struct il_op *op, int err)
{
	il_list_del(&op->link);
	op->busy = false;
	if (err)
		((struct il_shared *)op->source)->why = w->all->object.shared->why;
	il_op_finish(op, err);
}

static void finish_asked(struct il_redis_waiter *w, int err)
{
	while (!il_list_empty(&w->asked))
		il_redis_waiter_finish(w, il_list_first(struct il_op, &w->asked, link), err);
}

/* No operation waits for what the server would give it: it is told at once, before anything else is asked. */
static void leave(struct il_redis_waiter *w)
{
	if (!w->held && !il_redis_waiter_first(w) && (w->request || w->stands) && w->kind->give_back)
		w->kind->give_back(w);
}

/* Answers ------------------------------------------------------------------------------------------------ */

/* Those with timeout 0 have their answer: nothing. */
static void finish_not_ready(struct il_list *ops)
{
	struct il_list round;
	il_list_move(ops, &round);
	il_list_drain(struct il_op, op, &round, link) {
		if (op->once) {
			op->busy = false;
			il_op_not_ready(op);
		} else {
			il_list_add(ops, &op->link);
		}
	}
}

static int listen_to(struct il_redis_waits *all)
{
	if (all->object.shared->removed)
		return EIDRM;
	if (!all->up && !all->recheck.item.place) {
		il_timer_start(&all->recheck, RECHECK);
		il_timer_arm(&all->recheck, false); /* no memory: with the next one */
	}
	return il_redis_object_listen(&all->object, all->channel ? all->channel : il_server_client(all->object.server));
}

/* No reply is pending: a wait that was to end ends now. */
static void unbusy(struct il_redis_waiter *w)
{
	struct il_list round;
	il_list_move(&w->asked, &round);
	il_list_drain(struct il_op, op, &round, link) {
		il_list_add(&w->asked, &op->link);
		il_op_unbusy(op);
	}
}

static void stand(struct il_redis_waiter *w)
{
	finish_not_ready(&w->asked);
	if (il_list_empty(&w->asked))
		return;
	int err = listen_to(w->all);
	w->stands = !err;
	if (err)
		finish_asked(w, err);
	else
		unbusy(w);
}

static void answered(struct il_request *r)
{
	struct il_redis_waiter *w = r->owner;
	int err = il_request_status(r);
	w->request = NULL;
	w->stands = false;
	w->held = true;
	err = w->kind->answer(w, r, err);
	if (err == EAGAIN)
		stand(w);
	else if (err)
		finish_asked(w, err);
	w->held = false;
	leave(w);
	if (err == EIDRM)
		il_redis_waits_removed(w->all);
	il_request_free(r);
	il_redis_waiter_due(w);
}

/* Asking ------------------------------------------------------------------------------------------------- */

/* Those that were asked for before come first again. */
static void choose(struct il_redis_waiter *w)
{
	int n = 0;
	while (w->kind->joins && !il_list_empty(&w->asked)) {
		struct il_list *last = w->asked.prev;
		il_list_del(last);
		il_list_add(w->fresh.next, last);
	}
	for (struct il_op *op; (op = il_list_first(struct il_op, &w->fresh, link)); n++) {
		if (w->kind->joins && !w->kind->joins(w, op, n))
			return;
		il_list_del(&op->link);
		il_list_add(&w->asked, &op->link);
	}
}

static void make_request(struct il_redis_waiter *w)
{
	w->again = false;
	choose(w);
	int err = w->kind->request(w, answered);
	if (err)
		finish_asked(w, err);
	else
		il_list_each(struct il_op, op, &w->asked, link)
			op->busy = w->request->sent;
}

/* What comes up until the loop asks the kernel is asked at once. */
static void go_on(struct il_redis_waiter *w)
{
	if (w->request)
		return;
	if (!il_redis_waiter_first(w)) {
		leave(w);
		w->stands = false;
		w->kind->idle(w);
	} else if (!w->stands || w->again || (w->kind->alone && !il_list_empty(&w->fresh))) {
		make_request(w);
	} else if (w->once) {
		finish_not_ready(&w->fresh);
	}
}

/* What is asked of one server is written together. True: the loop must not block as it meant to, for a wait may have
 * ended, and something else may be due next. */
static bool go_on_all(struct il_poller *p)
{
	struct il_list round;
	struct il_server *last = NULL;
	il_poller_del(p);
	il_list_move(&il_redis_state()->due, &round);
	bool any = !il_list_empty(&round);
	il_list_drain(struct il_redis_waiter, w, &round, due) {
		struct il_server *s = w->all->object.server;
		if (last && last != s)
			il_server_flush(last);
		last = s;
		go_on(w);
	}
	if (last)
		il_server_flush(last);
	return any;
}

void il_redis_waiter_due(struct il_redis_waiter *w)
{
	struct il_redis_state *state = il_redis_state();
	if (!state->poller.poll)
		il_poller_init(&state->poller, go_on_all, go_on_all);
	if (il_list_empty(&w->due))
		il_list_add(&state->due, &w->due);
	il_poller_add(&state->poller);
}

void il_redis_waiter_again(struct il_redis_waiter *w)
{
	w->again = true;
	if (w->stands && !w->request && il_redis_waiter_first(w))
		make_request(w);
}

void il_redis_waits_again(struct il_redis_waits *all)
{
	struct il_list round;
	il_list_move(&all->waiters, &round);
	il_list_drain(struct il_redis_waiter, w, &round, node) {
		il_list_add(&all->waiters, &w->node);
		il_redis_waiter_again(w);
	}
}

void il_redis_waiter_served(struct il_redis_waiter *w)
{
	if (w->request)
		il_request_forget(w->request);
	w->request = NULL;
	w->stands = false;
	il_redis_waiter_due(w);
}

/* Operations --------------------------------------------------------------------------------------------- */

void il_redis_waiter_start(struct il_redis_waiter *w, struct il_op *op)
{
	op->state = w;
	w->once |= op->once;
	il_list_add(&w->fresh, &op->link);
	if (w->kind->at_once)
		go_on(w);
	else
		il_redis_waiter_due(w);
}

bool il_redis_waiter_cancel(struct il_op *op)
{
	struct il_redis_waiter *w = op->state;
	if (il_list_empty(&op->link)) /* in a forked child */
		return false;
	il_list_del(&op->link);
	op->busy = false;
	bool unknown = w->kind->left && w->kind->left(w, op);
	leave(w);
	il_redis_waiter_due(w);
	return unknown;
}

static struct il_op *find(const struct il_list *ops, const void *source)
{
	il_list_each(struct il_op, op, ops, link)
		if (!source || op->source == source)
			return op;
	return NULL;
}

void il_redis_waits_end(struct il_redis_waits *all, const void *source, bool standing, int err)
{
	struct il_list round;
	il_list_move(&all->waiters, &round);
	il_list_drain(struct il_redis_waiter, w, &round, node) {
		struct il_op *op;
		il_list_add(&all->waiters, &w->node);
		while ((!standing || (w->stands && !w->request)) &&
			((op = find(&w->asked, source)) || (op = find(&w->fresh, source)))) {
			bool unknown = il_redis_waiter_cancel(op);
			il_redis_waiter_finish(w, op, unknown ? ETIMEDOUT : err);
		}
	}
}

void il_redis_waits_removed(struct il_redis_waits *all)
{
	all->object.shared->removed = true;
	il_redis_waits_end(all, NULL, true, EIDRM);
}

/* The channel -------------------------------------------------------------------------------------------- */

static void published(struct il_listener *l, const char *data, size_t size)
{
	waits_of(l)->published(waits_of(l), data, size);
}

/* From now on all is published; what came before was not. */
static void up(struct il_listener *l)
{
	struct il_redis_waits *all = waits_of(l);
	if (all->up)
		all->up(all);
	else
		il_redis_waits_again(all);
}

static void down(struct il_listener *l, int err)
{
	il_redis_object_explain(&waits_of(l)->object);
	il_redis_waits_end(waits_of(l), NULL, true, err);
}

static void recheck_expired(struct il_timer *t)
{
	struct il_redis_waits *all = il_container_of(t, struct il_redis_waits, recheck);
	if (il_list_empty(&all->waiters))
		return;
	il_redis_waits_again(all);
	il_timer_start(&all->recheck, RECHECK);
	il_timer_arm(&all->recheck, false);
}

/* Life --------------------------------------------------------------------------------------------------- */

void il_redis_waits_init(struct il_redis_waits *all)
{
	il_list_init(&all->waiters);
	all->recheck.expired = recheck_expired;
	all->object.listener.message = published;
	all->object.listener.up = up;
	all->object.listener.down = down;
}

void il_redis_waiter_init(struct il_redis_waiter *w, struct il_redis_waits *all,
	const struct il_redis_waiter_kind *kind)
{
	w->all = all;
	w->kind = kind;
	il_list_init(&w->node);
	il_list_init(&w->due);
	il_list_init(&w->asked);
	il_list_init(&w->fresh);
}

void il_redis_waits_forked(struct il_redis_waits *all)
{
	il_timer_disarm(&all->recheck);
	il_list_drain(struct il_redis_waiter, w, &all->waiters, node) {
		w->request = NULL;
		w->stands = w->again = false;
		il_list_del(&w->due);
		while (!il_list_empty(&w->asked))
			il_list_del(w->asked.next);
		while (!il_list_empty(&w->fresh))
			il_list_del(w->fresh.next);
		w->kind->idle(w);
	}
}

void il_redis_waits_fini(struct il_redis_waits *all)
{
	il_timer_disarm(&all->recheck);
	il_list_drain(struct il_redis_waiter, w, &all->waiters, node) {
		il_list_del(&w->due);
		if (w->request)
			il_request_forget(w->request);
		w->request = NULL;
		w->kind->idle(w);
	}
}
