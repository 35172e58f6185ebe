/* SPDX-License-Identifier: MIT
 *
 * Semaphores and mutexes on a server, see lock.h: their life, and what is asked about them. Floor 2.
 */
#include "engines/redis/lock.h"
#include "base/fork.h"
#include "base/clock.h"
#include "engines/redis/object/lease.h"
#include "engines/redis/lock_request.h"
#include "engines/redis/redis.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

/* In a forked child: the requests are the parent's. */
static void forked(struct il_redis_object *f)
{
	struct il_redis_lock *h = il_container_of(f, struct il_redis_lock, waits.object);
	il_redis_waits_forked(&h->waits);
	il_list_drain(struct il_lock_request, lr, &h->held, waiter.node) {
		while (!il_list_empty(&lr->losses))
			il_list_del(lr->losses.next);
		il_lock_request_free(lr);
	}
	il_list_init(&h->beats);
	h->again = false;
	h->fence = h->until = 0;
}

const char *il_redis_lock_name(struct il_redis_lock *h)
{
	snprintf(h->name, sizeof h->name, "%s.%u", il_server_client(h->waits.object.server), h->index);
	return h->name;
}

void il_redis_lock_call(struct il_command *c, struct il_redis_lock *h, const char *verb)
{
	il_command_init(c, &h->waits.object, IL_SCRIPT_lock_change);
	il_command_text(c, h->id);
	il_command_text(c, verb);
	il_command_text(c, il_redis_lock_name(h));
	il_command_number(c, h->lease / MS);
	il_command_number(c, il_fork.pid);
	il_command_number(c, h->waits.object.listener.active);
}

/* Written with what comes next, and not at once: this may be called in the middle of the end of a wait. If there is no
 * memory to ask, it comes back when its lease ends. */
void il_redis_lock_return(struct il_redis_lock *h, int64_t number, const char *how)
{
	struct il_command c;
	il_redis_lock_call(&c, h, "release");
	il_command_number(&c, number);
	il_command_text(&c, how);
	il_request_make(&c, IL_SAFE | IL_PATIENT, NULL, NULL, NULL);
}

/* Life --------------------------------------------------------------------------------------------------- */

static int open_lock(const struct il_key *key, const char *noun, struct il_lock_options *o,
	const struct il_lock_ops *ops, struct il_lock **l)
{
	struct il_redis_lock *h = calloc(1, sizeof *h);
	int err = h ? il_redis_object_open(&h->waits.object, key, noun) : ENOMEM;
	if (err) {
		free(h);
		return err;
	}
	h->lock.ops = ops;
	h->lock.max = h->max = o->max;
	h->waits.object.shared = &h->lock.shared;
	h->waits.object.forked = forked;
	h->waits.object.existing = o->mode == IL_MODE_EXISTING;
	h->waits.published = il_lock_request_published;
	h->lease = o->lease ? o->lease : h->waits.object.lease;
	h->index = ++il_redis_state()->names;
	il_redis_waits_init(&h->waits);
	il_list_init(&h->held);
	il_lease_init(h);
	*l = &h->lock;
	return 0;
}

static struct il_redis_lock *of_op(const struct il_op *op)
{
	return il_redis_lock_of(op->source);
}

static int open_answer(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_lock *h = of_op(op);
	size_t size;
	if (err == EEXIST)
		h->lock.max = (int)il_reply_number(r, 1);
	if (err)
		return err;
	const char *id = il_reply_bytes(r, 1, &size);
	if (!*id || size >= sizeof h->id)
		return EPROTO;
	memcpy(h->id, id, size);
	return 0;
}

static int open_start(struct il_op *op)
{
	struct il_redis_lock *h = of_op(op);
	struct il_command c;
	char id[sizeof h->id];
	snprintf(id, sizeof id, "%s.%llx", il_server_client(h->waits.object.server), (unsigned long long)il_now());
	il_command_init(&c, &h->waits.object, IL_SCRIPT_lock_open);
	il_command_text(&c, h->waits.object.existing ? "" : id);
	il_command_number(&c, h->lock.max);
	il_command_number(&c, h->lock.ops->holder.attempt != NULL);
	return il_redis_object_request(&h->waits.object, op, &c, IL_SAFE, open_answer);
}

static void close_lock(struct il_lock *l)
{
	struct il_redis_lock *h = il_redis_lock_of(l);
	il_redis_waits_end(&h->waits, NULL, false, ECANCELED);
	il_list_drain(struct il_lock_request, lr, &h->held, waiter.node) {
		il_op_finish_all(&lr->losses, ECANCELED);
		if (!lr->lost)
			il_redis_lock_return(h, lr->number, l->unreported ? "died" : "given");
		il_lock_request_free(lr);
	}
	il_redis_waits_fini(&h->waits);
	il_lease_fini(h);
	il_server_flush(h->waits.object.server);
	il_redis_object_close(&h->waits.object);
	free(h);
}

/* Questions ------------------------------------------------------------------------------------------------ */

/* Once it has been sent again, "not held any more" may be what the first time has brought about. And if there was no
 * answer for longer than the lease, it has ended as far as is known here; the server may have kept it, since beats came
 * there, so it is given back once more. What the server refuses is held as before. */
static int release_answer(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_lock *h = of_op(op);
	struct il_lock_request *c = il_lock_request_find(&h->held, op->lock.grant);
	bool ended = !c || il_now() > c->until, unknown = r->err, again = r->resent || (c && c->tried);
	if (err == ESTALE && again && !ended)
		err = 0;
	else if (unknown && ended)
		err = ESTALE;
	if (unknown && ended)
		il_redis_lock_return(h, op->lock.grant, op->lock.abandoned ? "died" : "given");
	if (!c || !err || err == ESTALE || err == EIDRM) {
		op->lock.grant = 0;
		if (c)
			il_lock_request_free(c);
		return err;
	}
	c->releasing = false;
	c->tried |= unknown;
	il_lease_compare(h);
	return err;
}

static void release_command(struct il_op *op, struct il_command *c)
{
	il_redis_lock_call(c, of_op(op), "release");
	il_command_number(c, op->lock.grant);
	il_command_text(c, op->lock.abandoned ? "died" : "given");
}

static int release_start(struct il_op *op)
{
	struct il_redis_lock *h = of_op(op);
	struct il_command command;
	release_command(op, &command);
	int err = il_redis_object_request(&h->waits.object, op, &command, IL_SAFE, release_answer);
	if (err)
		return err;
	il_lock_request_find(&h->held, op->lock.grant)->releasing = true;
	il_op_commit(op);
	return 0;
}

/* What is not held any more has expired. */
static bool release(struct il_op *op)
{
	struct il_redis_lock *h = of_op(op);
	struct il_lock_request *c = il_lock_request_find(&h->held, op->lock.grant);
	bool held = c && !c->lost;
	if (held && !op->last)
		return il_redis_object_attempt(op);
	if (held) {
		struct il_command command;
		release_command(op, &command);
		il_redis_object_tell(&h->waits.object, &command);
	}
	if (c)
		il_lock_request_free(c);
	op->lock.grant = 0;
	op->err = held ? 0 : ESTALE;
	return true;
}

static int verb_start(struct il_op *op, const char *verb,
	int (*answer)(struct il_op *op, struct il_request *r, int err))
{
	struct il_command c;
	il_redis_lock_call(&c, of_op(op), verb);
	return il_redis_object_request(&of_op(op)->waits.object, op, &c, IL_SAFE, answer);
}

static int state_answer(struct il_op *op, struct il_request *r, int err)
{
	op->lock.permits = err ? 0 : (int)il_reply_number(r, 1);
	op->lock.pid = err ? 0 : (int)il_reply_number(r, 2);
	return err;
}

static int state_start(struct il_op *op)
{
	return verb_start(op, "state", state_answer);
}

static int remove_answer(struct il_op *op, struct il_request *r, int err)
{
	(void)op;
	return err == EIDRM && r->resent ? 0 : err;
}

static int remove_start(struct il_op *op)
{
	return verb_start(op, "remove", remove_answer);
}

static bool remove_lock(struct il_op *op)
{
	struct il_command c;
	if (!op->last)
		return il_redis_object_attempt(op);
	il_redis_lock_call(&c, of_op(op), "remove");
	il_redis_object_tell(&of_op(op)->waits.object, &c);
	return true;
}

static int token_of(struct il_lock *l, int64_t grant, int64_t *token)
{
	struct il_redis_lock *h = il_redis_lock_of(l);
	const struct il_lock_request *c = il_lock_request_find(&h->held, grant);
	*token = c ? c->fence : h->fence;
	return 0;
}

/* Mutexes and semaphores --------------------------------------------------------------------------------------- */

#define COMMON(noun)                                                                                            \
	.open = { noun, il_redis_object_attempt, open_start, il_redis_object_cancel },                          \
	.acquire = { noun " acquire", il_redis_object_attempt, il_lock_request_start, il_redis_waiter_cancel }, \
	.release = { noun " release", release, release_start, il_redis_object_cancel },                         \
	.lost = { "lock lost", il_lock_request_lost_attempt, il_lock_request_lost_start,                        \
		il_lock_request_lost_cancel },                                                                  \
	.value = { noun " value", il_redis_object_attempt, state_start, il_redis_object_cancel },               \
	.remove = { noun " remove", remove_lock, remove_start, il_redis_object_cancel }, .close = close_lock

int il_redis_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	static const struct il_lock_ops ops = {
		COMMON("mutex"),
		.holder = { "mutex holder", il_redis_object_attempt, state_start, il_redis_object_cancel },
		.token = token_of,
	};
	o->max = 1;
	return open_lock(key, "mutex", o, &ops, l);
}

int il_redis_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	static const struct il_lock_ops ops = { COMMON("semaphore") };
	return open_lock(key, "semaphore", o, &ops, l);
}
