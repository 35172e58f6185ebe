/* SPDX-License-Identifier: MIT
 *
 * Lock requests, see lock_request.h. The server has the line. A grant to a wait that is over goes back by a command
 * behind the one that asked. Floor 2.
 */
#include "engines/redis/lock_request.h"
#include "base/clock.h"
#include "engines/redis/object/lease.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct il_lock_request *of_waiter(struct il_redis_waiter *w)
{
	return il_container_of(w, struct il_lock_request, waiter);
}

static struct il_redis_lock *lock_of(const struct il_lock_request *lr)
{
	return il_container_of(lr->waiter.all, struct il_redis_lock, waits);
}

struct il_lock_request *il_lock_request_find(struct il_list *requests, int64_t number)
{
	il_list_each(struct il_lock_request, lr, requests, waiter.node)
		if (lr->number == number)
			return lr;
	return NULL;
}

void il_lock_request_free(struct il_lock_request *lr)
{
	il_op_finish_all(&lr->losses, 0);
	if (lr->waiter.request)
		il_request_forget(lr->waiter.request);
	il_list_del(&lr->waiter.due);
	il_list_del(&lr->waiter.node);
	free(lr);
}

/* If the answer came so late that its lease is over, it may be another's by then: it goes back, and is asked for under
 * another number. */
void il_lock_request_grant(struct il_lock_request *lr, bool abandoned, int64_t fence)
{
	struct il_redis_lock *h = lock_of(lr);
	struct il_op *op = il_redis_waiter_first(&lr->waiter);
	il_redis_waiter_served(&lr->waiter);
	if (h->until <= il_now()) {
		il_redis_lock_return(h, lr->number, "undone");
		lr->number = ++il_redis_state()->numbers;
		return;
	}
	il_list_del(&lr->waiter.node);
	il_list_add(&h->held, &lr->waiter.node);
	lr->held = true;
	lr->until = h->until;
	lr->fence = h->fence = fence;
	op->lock.grant = lr->number;
	op->lock.abandoned = h->lock.unreported = abandoned;
	il_redis_waiter_finish(&lr->waiter, op, 0);
}

/* The waiter --------------------------------------------------------------------------------------------- */

static int make_request(struct il_redis_waiter *w, void (*answered)(struct il_request *r))
{
	struct il_lock_request *lr = of_waiter(w);
	struct il_command c;
	il_redis_lock_call(&c, lock_of(lr), "acquire");
	il_command_number(&c, lr->number);
	il_command_number(&c, !w->once);
	int err = il_request_make(&c, w->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered, w, &w->request);
	if (!err)
		w->request->tag = w->all->object.listener.active;
	return err;
}

/* If it stands in line, its process hears of it when its turn comes; once it listens. */
static int answer(struct il_redis_waiter *w, struct il_request *r, int err)
{
	struct il_lock_request *lr = of_waiter(w);
	struct il_redis_lock *h = lock_of(lr);
	if (!err || err == EAGAIN)
		il_lease_kept(h, r, il_reply_number(r, 1));
	if (!err)
		il_lock_request_grant(lr, il_reply_number(r, 2), il_reply_number(r, 3));
	else if (err == EAGAIN && !w->once)
		il_lease_check(h, il_reply_number(r, 2), w->all->object.listener.active && !r->tag);
	else if (r->err && (r->sent || r->resent)) /* it is not known what the server has done */
		il_redis_lock_return(h, lr->number, "undone");
	return err;
}

static void give_back(struct il_redis_waiter *w)
{
	il_redis_waiter_served(w);
	if (!w->all->object.shared->removed)
		il_redis_lock_return(lock_of(of_waiter(w)), of_waiter(w)->number, "undone");
}

static void idle(struct il_redis_waiter *w)
{
	if (!of_waiter(w)->held)
		il_lock_request_free(of_waiter(w));
}

static const struct il_redis_waiter_kind kind = { .at_once = true,
	.request = make_request,
	.answer = answer,
	.give_back = give_back,
	.idle = idle };

int il_lock_request_start(struct il_op *op)
{
	struct il_redis_lock *h = il_redis_lock_of(op->source);
	struct il_lock_request *lr = calloc(1, sizeof *lr);
	if (!lr)
		return ENOMEM;
	il_redis_waiter_init(&lr->waiter, &h->waits, &kind);
	il_list_init(&lr->losses);
	lr->number = ++il_redis_state()->numbers;
	if (il_list_empty(&h->waits.waiters) && il_list_empty(&h->held))
		h->beat_at = il_now();
	il_list_add(&h->waits.waiters, &lr->waiter.node);
	int err = il_lease_arm(h);
	if (err)
		il_lock_request_free(lr);
	else
		il_redis_waiter_start(&lr->waiter, op);
	return err;
}

void il_lock_request_published(struct il_redis_waits *all, const char *data, size_t size)
{
	struct il_redis_lock *h = il_container_of(all, struct il_redis_lock, waits);
	char text[120] = "";
	long long number, fence;
	int abandoned;
	if (size >= sizeof text)
		return;
	memcpy(text, data, size);
	if (strncmp(text, "removed ", 8) == 0 && strcmp(text + 8, h->id) == 0)
		il_redis_waits_removed(all);
	if (sscanf(text, "%lld %d %lld", &number, &abandoned, &fence) != 3)
		return;
	struct il_lock_request *lr = il_lock_request_find(&all->waiters, number);
	if (lr && il_redis_waiter_first(&lr->waiter))
		il_lock_request_grant(lr, abandoned, fence);
}

/* Losses ------------------------------------------------------------------------------------------------- */

bool il_lock_request_lost_attempt(struct il_op *op)
{
	const struct il_lock_request *lr = il_lock_request_find(&il_redis_lock_of(op->source)->held, op->lock.grant);
	return !lr || lr->lost || il_now() > lr->until; /* as far as can be known here */
}

int il_lock_request_lost_start(struct il_op *op)
{
	struct il_redis_lock *h = il_redis_lock_of(op->source);
	il_list_add(&il_lock_request_find(&h->held, op->lock.grant)->losses, &op->link);
	h->losses = true;
	return il_lease_arm(h);
}

bool il_lock_request_lost_cancel(struct il_op *op)
{
	il_list_del(&op->link);
	return false;
}
