/* SPDX-License-Identifier: MIT
 *
 * Lock requests, see lock_request.h. The server has the line; the list h->line has the requests of this handle that are
 * not granted, as far as is known. A grant to a wait that is over goes back by a command behind the one that asked.
 * Floor 2.
 */
#include "engines/redis/lock_request.h"
#include "base/clock.h"
#include "engines/redis/object/lease.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t numbers; /* no two requests of a process have the same */

static struct il_redis_lock *lock_of(struct il_listener *l)
{
	return il_container_of(l, struct il_redis_lock, object.listener);
}

struct il_lock_request *il_lock_request_find(struct il_list *requests, int64_t number)
{
	for (struct il_list *l = requests->next; l != requests; l = l->next) {
		struct il_lock_request *lr = il_container_of(l, struct il_lock_request, node);
		if (lr->number == number)
			return lr;
	}
	return NULL;
}

void il_lock_request_lose(struct il_lock_request *lr, int err)
{
	il_op_finish_all(&lr->losses, err);
}

void il_lock_request_free(struct il_lock_request *lr)
{
	il_lock_request_lose(lr, 0);
	if (lr->request)
		il_request_forget(lr->request);
	il_list_del(&lr->node);
	free(lr);
}

static struct il_op *take_op(struct il_lock_request *lr)
{
	struct il_op *op = il_container_of(lr->op.next, struct il_op, link);
	il_list_del(&op->link);
	return op;
}

static void fail(struct il_lock_request *lr, int err)
{
	struct il_op *op = take_op(lr);
	il_lock_request_free(lr);
	il_op_finish(op, err);
}

/* The server is told, in case it is there: it may have granted it. */
static void give_up(struct il_lock_request *lr, int err)
{
	il_redis_lock_return(lr->lock, lr->number, "undone");
	fail(lr, err);
}

void il_lock_requests_fail(struct il_redis_lock *h, int err)
{
	struct il_list round;
	il_list_move(&h->line, &round);
	while (!il_list_empty(&round)) {
		struct il_lock_request *lr = il_container_of(round.next, struct il_lock_request, node);
		if (err == EIDRM)
			fail(lr, err);
		else
			give_up(lr, err);
	}
}

/* The answer came so late that its lease is over: by then it may be another's. It goes back, and is asked for under
 * another number. */
static void ask_again(struct il_lock_request *lr)
{
	il_redis_lock_return(lr->lock, lr->number, "undone");
	if (lr->request)
		il_request_forget(lr->request);
	lr->request = NULL;
	lr->number = ++numbers;
	int err = il_lock_request_send(lr);
	if (err)
		fail(lr, err);
}

void il_lock_request_grant(struct il_lock_request *lr, bool abandoned, int64_t fence)
{
	if (lr->lock->until <= il_now()) {
		ask_again(lr);
		return;
	}
	struct il_op *op = take_op(lr);
	il_list_del(&lr->node);
	il_list_add(&lr->lock->held, &lr->node);
	lr->until = lr->lock->until;
	lr->fence = lr->lock->fence = fence;
	op->lock.grant = lr->number;
	lr->lock->lock.unreported = abandoned;
	op->lock.abandoned = abandoned;
	il_op_finish(op, 0);
}

/* Asking --------------------------------------------------------------------------------------------------- */

/* It is in the line, and hears of it when its turn comes; once this process listens. */
static void stands(struct il_lock_request *lr, const struct il_request *r)
{
	struct il_redis_lock *h = lr->lock;
	if (lr->once) {
		struct il_op *op = take_op(lr);
		il_lock_request_free(lr);
		il_op_not_ready(op);
		return;
	}
	if (il_reply_number(r, 2) >= 0)
		il_lease_look(h, il_reply_number(r, 2));
	int err = il_redis_object_listen(&h->object, il_server_client(h->object.server));
	if (err)
		give_up(lr, err);
	else if (h->object.listener.active && !r->tag)
		il_lease_look_soon(h);
}

static void answered(struct il_request *r)
{
	struct il_lock_request *lr = r->owner;
	int err = il_request_status(r);
	lr->request = NULL;
	if (!err || err == EAGAIN)
		il_lease_kept(lr->lock, r, il_reply_number(r, 1));
	if (!il_list_empty(&lr->op)) { /* else it has heard already */
		if (err == EAGAIN)
			stands(lr, r);
		else if (r->err && (r->sent || r->resent))
			give_up(lr, err); /* it is not known what the server has done */
		else if (err)
			fail(lr, err);
		else
			il_lock_request_grant(lr, il_reply_number(r, 2), il_reply_number(r, 3));
	}
	il_request_free(r);
}

int il_lock_request_send(struct il_lock_request *lr)
{
	struct il_command call;
	il_redis_lock_call(&call, lr->lock, "acquire");
	il_command_number(&call, lr->number);
	il_command_number(&call, !lr->once);
	int err = il_request_make(&call, lr->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered, lr, &lr->request);
	if (!err)
		lr->request->tag = lr->lock->object.listener.active;
	return err;
}

/* Operations ----------------------------------------------------------------------------------------------- */

bool il_lock_request_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

int il_lock_request_start(struct il_op *op)
{
	struct il_redis_lock *h = il_redis_lock_of(op->source);
	struct il_lock_request *lr = calloc(1, sizeof *lr);
	if (!lr)
		return ENOMEM;
	lr->lock = h;
	lr->once = op->once;
	lr->number = ++numbers;
	il_list_init(&lr->op);
	il_list_init(&lr->losses);
	if (il_list_empty(&h->line) && il_list_empty(&h->held))
		h->beat_at = il_now();
	il_list_init(&lr->node);
	il_list_add(&h->line, &lr->node);
	il_list_add(&lr->op, &op->link);
	int err = il_lease_arm(h);
	if (!err)
		err = il_lock_request_send(lr);
	if (err) {
		il_list_del(&op->link);
		il_lock_request_free(lr);
	}
	return err;
}

bool il_lock_request_cancel(struct il_op *op)
{
	if (il_list_empty(&op->link))
		return false;
	struct il_lock_request *lr = il_container_of(op->link.next, struct il_lock_request, op);
	take_op(lr);
	il_redis_lock_return(lr->lock, lr->number, "undone");
	il_lock_request_free(lr);
	return false;
}

/* It is over, as far as can be known here. */
static bool is_lost(const struct il_lock_request *lr)
{
	return !lr || lr->lost || il_now() > lr->until;
}

bool il_lock_request_lost_attempt(struct il_op *op)
{
	return is_lost(il_lock_request_find(&il_redis_lock_of(op->source)->held, op->lock.grant));
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

/* Hearing ---------------------------------------------------------------------------------------------------- */

/* "number abandoned fence" or "removed id". */
void il_lock_requests_message(struct il_listener *l, const char *data, size_t size)
{
	struct il_redis_lock *h = lock_of(l);
	char text[120] = "";
	long long number, fence;
	int abandoned;
	if (size >= sizeof text)
		return;
	memcpy(text, data, size);
	if (strncmp(text, "removed ", 8) == 0) {
		if (strcmp(text + 8, h->id) == 0)
			il_lock_requests_fail(h, EIDRM);
		return;
	}
	if (sscanf(text, "%lld %d %lld", &number, &abandoned, &fence) != 3)
		return;
	struct il_lock_request *lr = il_lock_request_find(&h->line, number);
	if (lr)
		il_lock_request_grant(lr, abandoned, fence);
}

void il_lock_requests_down(struct il_listener *l, int err)
{
	il_redis_object_explain(&lock_of(l)->object);
	il_lock_requests_fail(lock_of(l), err);
}
