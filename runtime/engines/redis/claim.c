/* SPDX-License-Identifier: MIT
 *
 * Claims, see lock.h: what is asked for, in line, and granted. The line itself is the server's; here stand those of
 * this handle that it has not granted yet, as far as is known. What a wait that is over was granted meanwhile goes back
 * by a request that follows the first one. Floor 2.
 */
#include "engines/redis/lease.h"
#include "engines/redis/lock.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t numbers; /* no two claims of a process have the same */

static struct il_redis_lock *lock_of(struct il_listener *l)
{
	return il_container_of(l, struct il_redis_lock, face.listener);
}

struct il_claim *il_claim_find(struct il_list *claims, int64_t number)
{
	for (struct il_list *l = claims->next; l != claims; l = l->next) {
		struct il_claim *c = il_container_of(l, struct il_claim, node);
		if (c->number == number)
			return c;
	}
	return NULL;
}

void il_claim_free(struct il_claim *c)
{
	if (c->request)
		il_request_forget(c->request);
	il_list_del(&c->node);
	free(c);
}

static struct il_op *take_op(struct il_claim *c)
{
	struct il_op *op = il_container_of(c->op.next, struct il_op, link);
	il_list_del(&op->link);
	return op;
}

static void fail(struct il_claim *c, int err)
{
	struct il_op *op = take_op(c);
	il_claim_free(c);
	il_op_finish(op, err);
}

/* The server is told, in case it is there: it may have granted it. */
static void give_up(struct il_claim *c, int err)
{
	il_redis_lock_return(c->lock, c->number, "undone");
	fail(c, err);
}

void il_claims_fail(struct il_redis_lock *h, int err)
{
	struct il_list round;
	il_list_move(&h->line, &round);
	while (!il_list_empty(&round)) {
		struct il_claim *c = il_container_of(round.next, struct il_claim, node);
		if (err == EIDRM)
			fail(c, err);
		else
			give_up(c, err);
	}
}

/* The answer came so late that its lease is over: by then it may be another's. It goes back, and is asked for under
 * another number. */
static void ask_again(struct il_claim *c)
{
	il_redis_lock_return(c->lock, c->number, "undone");
	if (c->request)
		il_request_forget(c->request);
	c->request = NULL;
	c->number = ++numbers;
	int err = il_claim_ask(c);
	if (err)
		fail(c, err);
}

void il_claim_grant(struct il_claim *c, bool abandoned, int64_t fence)
{
	if (c->lock->until <= il_now()) {
		ask_again(c);
		return;
	}
	struct il_op *op = take_op(c);
	il_list_del(&c->node);
	il_list_add(&c->lock->held, &c->node);
	c->until = c->lock->until;
	c->fence = c->lock->fence = fence;
	op->arg = c->number;
	c->lock->lock.untold = abandoned;
	op->size = abandoned ? IL_ABANDONED : 0;
	il_op_finish(op, 0);
}

/* Asking --------------------------------------------------------------------------------------------------- */

/* It is in the line, and hears of it when its turn comes; once this process listens. */
static void stands(struct il_claim *c, const struct il_request *r)
{
	struct il_redis_lock *h = c->lock;
	if (c->once) {
		struct il_op *op = take_op(c);
		il_claim_free(c);
		il_op_not_ready(op);
		return;
	}
	if (il_reply_number(r, 2) >= 0)
		il_lease_look(h, il_reply_number(r, 2));
	int err = il_face_listen(&h->face, il_server_client(h->face.server));
	if (err)
		give_up(c, err);
	else if (h->face.listener.active && !r->tag)
		il_lease_look_soon(h);
}

static void answered(struct il_request *r)
{
	struct il_claim *c = r->owner;
	int err = il_request_status(r);
	c->request = NULL;
	if (!err || err == EAGAIN)
		il_lease_kept(c->lock, r, il_reply_number(r, 1));
	if (!il_list_empty(&c->op)) { /* else it has heard already */
		if (err == EAGAIN)
			stands(c, r);
		else if (r->err && (r->sent || r->again))
			give_up(c, err); /* it is not known what the server has done */
		else if (err)
			fail(c, err);
		else
			il_claim_grant(c, il_reply_number(r, 2), il_reply_number(r, 3));
	}
	il_request_free(r);
}

int il_claim_ask(struct il_claim *c)
{
	struct il_command call;
	il_redis_lock_call(&call, c->lock, "acquire");
	il_command_number(&call, c->number);
	il_command_number(&call, !c->once);
	int err = il_request_make(&call, c->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered, c, &c->request);
	if (!err)
		c->request->tag = c->lock->face.listener.active;
	return err;
}

/* Operations ----------------------------------------------------------------------------------------------- */

bool il_redis_lock_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

int il_redis_lock_start(struct il_op *op)
{
	struct il_redis_lock *h = il_redis_lock_of(op->source);
	struct il_claim *c = calloc(1, sizeof *c);
	if (!c)
		return ENOMEM;
	c->lock = h;
	c->once = op->once;
	c->number = ++numbers;
	il_list_init(&c->op);
	if (il_list_empty(&h->line) && il_list_empty(&h->held))
		h->beat_at = il_now();
	il_list_init(&c->node);
	il_list_add(&h->line, &c->node);
	il_list_add(&c->op, &op->link);
	int err = il_lease_arm(h);
	if (!err)
		err = il_claim_ask(c);
	if (err) {
		il_list_del(&op->link);
		il_claim_free(c);
	}
	return err;
}

bool il_redis_lock_cancel(struct il_op *op)
{
	if (il_list_empty(&op->link))
		return false;
	struct il_claim *c = il_container_of(op->link.next, struct il_claim, op);
	take_op(c);
	il_redis_lock_return(c->lock, c->number, "undone");
	il_claim_free(c);
	return false;
}

/* Hearing ---------------------------------------------------------------------------------------------------- */

/* "number abandoned fence" or "removed id". */
void il_claims_message(struct il_listener *l, const char *data, size_t size)
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
			il_claims_fail(h, EIDRM);
		return;
	}
	if (sscanf(text, "%lld %d %lld", &number, &abandoned, &fence) != 3)
		return;
	struct il_claim *c = il_claim_find(&h->line, number);
	if (c)
		il_claim_grant(c, abandoned, fence);
}

void il_claims_down(struct il_listener *l, int err)
{
	il_face_explain(&lock_of(l)->face);
	il_claims_fail(lock_of(l), err);
}
