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

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

/* In a forked child: the requests are the parent's. */
static void forked(struct il_redis_object *f)
{
	struct il_redis_lock *h = il_container_of(f, struct il_redis_lock, object);
	struct il_list *lists[] = { &h->line, &h->held };
	for (int i = 0; i < 2; i++) {
		while (!il_list_empty(lists[i])) {
			struct il_lock_request *lr = il_container_of(lists[i]->next, struct il_lock_request, node);
			lr->request = NULL;
			if (!il_list_empty(&lr->op))
				il_list_del(lr->op.next);
			while (!il_list_empty(&lr->losses))
				il_list_del(lr->losses.next);
			il_lock_request_free(lr);
		}
	}
	il_list_init(&h->beats);
	h->last_beat = NULL;
	h->again = false;
	h->fence = h->until = 0;
}

const char *il_redis_lock_name(struct il_redis_lock *h)
{
	snprintf(h->name, sizeof h->name, "%s.%d", il_server_client(h->object.server), h->index);
	return h->name;
}

void il_redis_lock_call(struct il_command *c, struct il_redis_lock *h, const char *verb)
{
	il_command_init(c, &h->object, IL_SCRIPT_lock_change);
	il_command_text(c, h->id);
	il_command_text(c, verb);
	il_command_text(c, il_redis_lock_name(h));
	il_command_number(c, h->lease / MS);
	il_command_number(c, il_fork.pid);
	il_command_number(c, h->object.listener.active);
}

static void nobody(struct il_request *r)
{
	il_request_free(r);
}

/* Written with what comes next, and not at once: this may be called in the middle of the end of a wait. If there is no
 * memory to ask, it comes back when its lease ends. */
void il_redis_lock_return(struct il_redis_lock *h, int64_t number, const char *how)
{
	struct il_command c;
	struct il_request *r;
	il_redis_lock_call(&c, h, "release");
	il_command_number(&c, number);
	il_command_text(&c, how);
	if (il_request_make(&c, IL_SAFE | IL_PATIENT, nobody, NULL, &r) == 0)
		il_request_forget(r);
}

/* Life --------------------------------------------------------------------------------------------------- */

static int begin(const struct il_key *key, const char *noun, const struct il_lock_options *o,
	const struct il_lock_ops *ops, struct il_redis_lock **result)
{
	static int handles;
	struct il_redis_lock *h = calloc(1, sizeof *h);
	if (!h)
		return ENOMEM;
	int err = il_redis_object_open(&h->object, key, noun);
	if (err) {
		free(h);
		return err;
	}
	h->lock.ops = ops;
	h->lock.lost = &il_lock_request_lost;
	h->lock.remote = &h->object.remote;
	h->object.forked = forked;
	h->object.listener.message = il_lock_requests_message;
	h->object.listener.up = il_lease_up;
	h->object.listener.down = il_lock_requests_down;
	h->lease = o->lease ? o->lease : h->object.lease;
	h->look_at = IL_NEVER;
	h->index = ++handles;
	h->max = o->max;
	h->timer.expired = il_lease_expired;
	il_list_init(&h->line);
	il_list_init(&h->held);
	il_list_init(&h->beats);
	*result = h;
	return 0;
}

static void end(struct il_redis_lock *h)
{
	il_timer_disarm(&h->timer);
	il_lease_forget(h);
	il_redis_object_close(&h->object);
	free(h);
}

static int ask_to_open(struct il_redis_lock *h, const struct il_lock_options *o)
{
	struct il_command c;
	char id[sizeof h->id];
	snprintf(id, sizeof id, "%s.%llx", il_server_client(h->object.server), (unsigned long long)il_now());
	il_command_init(&c, &h->object, IL_SCRIPT_lock_open);
	il_command_text(&c, id);
	il_command_number(&c, o->max);
	il_command_number(&c, h->lock.ops->holder != NULL);
	return il_redis_object_ask(&h->object, &c, IL_SAFE);
}

static int opened(struct il_redis_lock *h, struct il_lock_options *o, struct il_request *r)
{
	size_t size;
	int err = il_request_status(r);
	const char *id = err ? "" : il_reply_bytes(r, 1, &size);
	if (err == EEXIST)
		o->found = (int)il_reply_number(r, 1);
	if (!err && (!*id || size >= sizeof h->id))
		err = EPROTO;
	if (!err)
		memcpy(h->id, id, size);
	il_request_free(r);
	return err;
}

int il_redis_lock_open(const struct il_key *key, const char *noun, struct il_lock_options *o,
	const struct il_lock_ops *ops, struct il_lock **l)
{
	struct il_redis_lock *h = NULL;
	int err = *l ? 0 : begin(key, noun, o, ops, &h);
	if (err)
		return err;
	if (*l) {
		h = il_redis_lock_of(*l);
		struct il_request *r = il_redis_object_answer(&h->object);
		err = r ? opened(h, o, r) : ask_to_open(h, o);
	} else {
		*l = &h->lock;
		err = ask_to_open(h, o);
	}
	if (err && err != EINPROGRESS) {
		end(h);
		*l = NULL;
	}
	return err;
}

void il_redis_lock_close(struct il_lock *l)
{
	struct il_redis_lock *h = il_redis_lock_of(l);
	il_lock_requests_fail(h, ECANCELED);
	while (!il_list_empty(&h->held)) {
		struct il_lock_request *lr = il_container_of(h->held.next, struct il_lock_request, node);
		il_lock_request_lose(lr, ECANCELED);
		if (!lr->lost)
			il_redis_lock_return(h, lr->number, l->untold ? "died" : "given");
		il_lock_request_free(lr);
	}
	il_server_flush(h->object.server);
	end(h);
}

/* Questions ------------------------------------------------------------------------------------------------ */

/* Once it has been sent again, "not held any more" may be what the first time has brought about. And if there was no
 * answer for longer than the lease, it has ended, whatever has become of the server. What the server refuses is held as
 * before. */
static int released(struct il_redis_lock *h, struct il_request *r)
{
	struct il_lock_request *lr = il_lock_request_find(&h->held, r->tag);
	int err = il_request_status(r);
	bool ended = !lr || il_now() > lr->until, unknown = r->err, again = r->again || (lr && lr->tried);
	if (err == ESTALE && again && !ended)
		err = 0;
	else if (unknown && ended)
		err = ESTALE;
	il_request_free(r);
	h->lock.grant = 0;
	if (!lr)
		return err;
	if (!err || err == ESTALE || err == EIDRM) {
		il_lock_request_free(lr);
		return err;
	}
	h->lock.grant = lr->number;
	lr->releasing = false;
	lr->tried |= unknown;
	il_lease_look_soon(h);
	return err;
}

static int ask_to_release(struct il_redis_lock *h, struct il_lock_request *lr, bool abandoned)
{
	bool unheard = h->object.remote.unheard;
	struct il_command call;
	il_redis_lock_call(&call, h, "release");
	il_command_number(&call, lr->number);
	il_command_text(&call, abandoned ? "died" : "given");
	int err = il_redis_object_ask(&h->object, &call, unheard ? IL_SAFE | IL_PATIENT : IL_SAFE);
	if (unheard) {
		il_lock_request_free(lr);
	} else if (err == EINPROGRESS) {
		lr->releasing = true;
		h->object.remote.request->tag = lr->number;
	} else {
		h->lock.grant = lr->number;
	}
	return err;
}

int il_redis_lock_release(struct il_lock *l, bool abandoned)
{
	struct il_redis_lock *h = il_redis_lock_of(l);
	struct il_request *r = il_redis_object_answer(&h->object);
	if (r)
		return released(h, r);
	struct il_lock_request *lr = il_lock_request_find(&h->held, l->grant);
	l->grant = 0;
	if (!lr)
		return EPERM;
	if (!lr->lost)
		return ask_to_release(h, lr, abandoned);
	il_lock_request_free(lr);
	return ESTALE;
}

static int look(struct il_redis_lock *h, size_t element, int64_t *number)
{
	struct il_command c;
	struct il_request *r = il_redis_object_answer(&h->object);
	if (!r) {
		il_redis_lock_call(&c, h, "look");
		return il_redis_object_ask(&h->object, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	*number = err ? 0 : il_reply_number(r, element);
	il_request_free(r);
	return err;
}

int il_redis_lock_value(struct il_lock *l, int *permits)
{
	int64_t number = 0;
	int err = look(il_redis_lock_of(l), 1, &number);
	*permits = (int)number;
	return err;
}

int il_redis_lock_holder(struct il_lock *l, pid_t *pid)
{
	int64_t number = 0;
	int err = look(il_redis_lock_of(l), 2, &number);
	*pid = (pid_t)number;
	return err;
}

int il_redis_lock_remove(struct il_lock *l)
{
	struct il_redis_lock *h = il_redis_lock_of(l);
	struct il_command c;
	struct il_request *r = il_redis_object_answer(&h->object);
	if (!r) {
		il_command_init(&c, &h->object, IL_SCRIPT_lock_remove);
		il_command_text(&c, h->id);
		return il_redis_object_ask(&h->object, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (err == EIDRM && r->again)
		err = 0;
	il_request_free(r);
	return err;
}

int il_redis_lock_token(struct il_lock *l, int64_t *token)
{
	struct il_redis_lock *h = il_redis_lock_of(l);
	const struct il_lock_request *lr = il_lock_request_find(&h->held, l->grant);
	*token = lr ? lr->fence : h->fence;
	return 0;
}
