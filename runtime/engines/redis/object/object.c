/* SPDX-License-Identifier: MIT
 *
 * What every object of this engine has, see object.h. Floor 2.
 */
#include "engines/redis/object/object.h"
#include "base/fork.h"
#include "engines/redis/client/subscription.h"
#include "engines/redis/client/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void forked(struct il_server_object *o)
{
	struct il_redis_object *f = il_container_of(o, struct il_redis_object, on_server);
	if (f->forked)
		f->forked(f);
}

int il_redis_object_open(struct il_redis_object *f, const struct il_key *key, const char *noun)
{
	struct il_url *u;
	const char *why;
	int err = il_url_parse(key->name, &u, &why);
	if (err)
		return err;
	*f = (struct il_redis_object){ .on_server = { .timeout = u->timeout, .forked = forked }, .lease = u->lease };
	il_list_init(&f->requests);
	il_list_init(&f->on_server.node);
	il_list_init(&f->listener.node);
	int size = asprintf(&f->base, "%s:{%s}:%s", u->prefix, u->name, noun);
	f->base_size = (size_t)size;
	err = size < 0 ? ENOMEM : il_server_get(u, &f->on_server, &f->server);
	if (err && size >= 0)
		free(f->base);
	il_url_drop(u);
	return err;
}

static const char evicts[] = "the server removes keys when memory is short (maxmemory-policy is not noeviction)";

static void answered(struct il_request *r)
{
	struct il_op *op = r->op;
	r->object->shared->warning = r->server->evicts ? evicts : NULL;
	op->state = NULL;
	int err = r->finish(op, r, il_request_status(r));
	il_request_free(r);
	if (!op->state || err)
		il_op_finish(op, err);
}

int il_redis_object_request(struct il_redis_object *f, struct il_op *op, const struct il_command *c,
	enum il_request_flags flags, int (*finish)(struct il_op *op, struct il_request *r, int err))
{
	struct il_request *r;
	int err = il_request_make(c, flags, answered, NULL, &r);
	if (err)
		return err;
	r->op = op;
	r->finish = finish;
	op->state = r;
	il_list_add(&f->requests, &r->mine);
	return 0;
}

bool il_redis_object_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

bool il_redis_object_cancel(struct il_op *op)
{
	if (op->state)
		il_request_forget(op->state);
	op->state = NULL;
	return false;
}

void il_redis_object_tell(struct il_redis_object *f, const struct il_command *c)
{
	il_request_make(c, IL_SAFE | IL_PATIENT, NULL, NULL, NULL);
	il_server_flush(f->server);
}

void il_redis_object_close(struct il_redis_object *f)
{
	il_list_drain(struct il_request, r, &f->requests, mine) {
		struct il_op *op = r->op;
		il_request_forget(r);
		if (op)
			il_op_finish(op, ECANCELED);
	}
	il_unsubscribe(&f->listener);
	il_server_put(f->server, &f->on_server);
	free(f->base);
}

void il_redis_object_explain(struct il_redis_object *f)
{
	f->shared->why = f->server->why;
}

int il_redis_object_listen(struct il_redis_object *f, const char *word)
{
	if (!il_fork_is_own(f->server->generation))
		il_servers_after_fork();
	return il_subscribe(f->server, &f->listener, f->base, word);
}
