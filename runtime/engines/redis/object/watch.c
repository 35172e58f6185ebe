/* SPDX-License-Identifier: MIT
 *
 * Watches, see watch.h. Floor 2.
 */
#include "engines/redis/object/watch.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A process that has waited once will wait again, and to subscribe takes time: so it stays subscribed for a while. */
enum { UNWANTED = 200 };

static struct il_watch *watch_of(struct il_redis_waiter *w)
{
	return il_container_of(w, struct il_watch, waiter);
}

static struct il_redis_watched *watched_of(struct il_redis_waits *all)
{
	return il_container_of(all, struct il_redis_watched, waits);
}

static struct il_list *bucket_of(struct il_redis_watched *o, const char *key, size_t size)
{
	uint32_t hash = 2166136261;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)key[i]) * 16777619;
	return &o->buckets[(hash ^ hash >> 16) % IL_WATCH_BUCKETS];
}

static bool is_of(const struct il_watch *w, const char *key, size_t size)
{
	return w->size == size && memcmp(w->key, key, size) == 0;
}

/* Queries ------------------------------------------------------------------------------------------------ */

static int query(struct il_redis_waiter *w, void (*answered)(struct il_request *r))
{
	struct il_command c;
	watched_of(w->all)->kind->query(watch_of(w), &c);
	return il_request_make(&c, w->once ? IL_SAFE : IL_SAFE | IL_PATIENT, answered, w, &w->request);
}

static void on_due(struct il_timer *t)
{
	il_redis_waiter_again(&il_container_of(t, struct il_watch, due)->waiter);
}

static int set_due(struct il_watch *w, int64_t left)
{
	il_timer_disarm(&w->due);
	if (!left)
		return 0;
	il_timer_start(&w->due, left);
	return il_timer_arm(&w->due, false);
}

/* The operations that are left wait for a change. */
static int on_answer(struct il_redis_waiter *w, struct il_request *r, int err)
{
	const struct il_redis_watched_kind *kind = watched_of(w->all)->kind;
	int64_t left = (!err || err == EAGAIN) && kind->left ? kind->left(r) : 0;
	if (!err)
		err = kind->answered(watch_of(w), r);
	err = err ? err : EAGAIN;
	int failed = set_due(watch_of(w), left);
	return err == EAGAIN && failed ? failed : err;
}

static void idle(struct il_redis_waiter *w)
{
	il_timer_disarm(&watch_of(w)->due);
	il_list_del(&w->node);
	il_list_del(&watch_of(w)->node);
	free(watch_of(w));
}

static const struct il_redis_waiter_kind waiter_kind = { .request = query,
	.answer = on_answer,
	.idle = idle,
	.alone = true };

/* Watches ------------------------------------------------------------------------------------------------ */

/* Operations with timeout 0 have one of their own, for they fail where others wait for the server. */
static struct il_watch *find(struct il_redis_watched *o, const char *key, size_t size, bool once)
{
	il_list_each(struct il_watch, w, bucket_of(o, key, size), node)
		if (w->waiter.once == once && is_of(w, key, size))
			return w;
	return NULL;
}

static struct il_watch *make(struct il_redis_watched *o, const char *key, size_t size)
{
	struct il_watch *w = calloc(1, sizeof *w + size + 1);
	if (!w)
		return NULL;
	il_redis_waiter_init(&w->waiter, &o->waits, &waiter_kind);
	w->due.expired = on_due;
	il_list_add(&o->waits.waiters, &w->waiter.node);
	w->size = size;
	memcpy(w->key, key, size);
	il_list_init(&w->node);
	il_list_add(bucket_of(o, key, size), &w->node);
	return w;
}

int il_watch_start(struct il_op *op, const char *key, size_t size)
{
	struct il_redis_watched *o = op->source;
	struct il_watch *w = find(o, key, size, op->once);
	if (!w)
		w = make(o, key, size);
	if (!w)
		return ENOMEM;
	o->unwanted = 0;
	il_redis_waiter_start(&w->waiter, op);
	return 0;
}

void il_watches_each(struct il_redis_watched *o, const char *key, size_t size,
	void (*call)(struct il_watch *w, const void *argument), const void *argument)
{
	il_list_each_safe(struct il_watch, w, bucket_of(o, key, size), node)
		if (is_of(w, key, size))
			call(w, argument);
}

static void serve_all(struct il_watch *w, struct il_list *ops, bool (*serve)(struct il_op *op, const void *argument),
	const void *argument)
{
	struct il_list round;
	il_list_move(ops, &round);
	il_list_drain(struct il_op, op, &round, link) {
		il_list_add(ops, &op->link);
		if (serve(op, argument))
			il_redis_waiter_finish(&w->waiter, op, op->err);
	}
}

void il_watch_serve(struct il_watch *w, bool all, bool (*serve)(struct il_op *op, const void *argument),
	const void *argument)
{
	serve_all(w, &w->waiter.asked, serve, argument);
	if (all)
		serve_all(w, &w->waiter.fresh, serve, argument);
	il_redis_waiter_due(&w->waiter);
}

struct il_redis_watched *il_redis_watched_of(const struct il_watch *w)
{
	return watched_of(w->waiter.all);
}

int il_redis_watched_waiters(const struct il_redis_watched *o)
{
	int n = 0;
	il_list_each(const struct il_redis_waiter, w, &o->waits.waiters, node)
		n += il_list_count(&w->asked) + il_list_count(&w->fresh);
	return n;
}

/* The channel -------------------------------------------------------------------------------------------- */

static void requery(struct il_watch *w, const void *argument)
{
	(void)argument;
	il_redis_waiter_again(&w->waiter);
}

static void note_change(struct il_redis_watched *o, const char *key, size_t size)
{
	if (o->kind->changed)
		o->kind->changed(o, key, size);
}

/* "id:key"; without a key the object was removed. "id*": any key may have changed. Another object's id: it has taken
 * the place of ours. */
static void on_message(struct il_redis_waits *all, const char *data, size_t size)
{
	struct il_redis_watched *o = watched_of(all);
	struct il_listener *l = &all->object.listener;
	if (size <= IL_ID || memcmp(data, o->id, IL_ID) != 0) {
		l->up(l);
		return;
	}
	const char *key = data + IL_ID + 1;
	size -= IL_ID + 1;
	if (data[IL_ID] == '*') {
		note_change(o, NULL, 0);
		il_redis_waits_again(all);
		return;
	}
	if (!size) {
		il_redis_waits_removed(all);
		return;
	}
	note_change(o, key, size);
	o->unwanted++;
	il_watches_each(o, key, size, requery, NULL);
	if (find(o, key, size, false))
		o->unwanted = 0;
	else if (o->unwanted > UNWANTED && il_list_empty(&all->waiters))
		il_unsubscribe(l);
}

/* Objects ------------------------------------------------------------------------------------------------ */

/* The queries are the parent's, and so are the operations: they are about to be dropped. */
static void forked(struct il_redis_object *f)
{
	il_redis_waits_forked(il_container_of(f, struct il_redis_waits, object));
}

int il_redis_watched_new(const struct il_redis_watched_kind *kind, const struct il_key *key, unsigned mode, size_t size,
	struct il_redis_watched **result)
{
	struct il_redis_watched *o = calloc(1, size);
	int err = o ? il_redis_object_open(&o->waits.object, key, kind->noun) : ENOMEM;
	if (err) {
		free(o);
		return err;
	}
	il_redis_waits_init(&o->waits);
	for (int i = 0; i < IL_WATCH_BUCKETS; i++)
		il_list_init(&o->buckets[i]);
	o->kind = kind;
	o->waits.channel = "changed";
	o->waits.published = on_message;
	o->waits.object.shared = &o->shared;
	o->waits.object.forked = forked;
	if (mode != IL_MODE_EXISTING)
		snprintf(o->id, sizeof o->id, "%.16s%08x", il_server_client(o->waits.object.server),
			++il_redis_state()->made);
	*result = o;
	return 0;
}

void il_redis_watched_close(struct il_redis_watched *o)
{
	il_redis_waits_end(&o->waits, NULL, false, ECANCELED);
	il_redis_waits_fini(&o->waits);
	il_redis_object_close(&o->waits.object);
	free(o);
}

void il_redis_watched_command(const struct il_op *op, struct il_command *c, enum il_script script)
{
	struct il_redis_watched *o = op->source;
	il_command_init(c, &o->waits.object, script);
	il_command_bytes(c, o->id, o->id[0] ? IL_ID : 0);
}

int il_redis_watched_request(struct il_op *op, const struct il_command *c, enum il_request_flags flags,
	int (*answer)(struct il_op *op, struct il_request *r, int err))
{
	struct il_redis_watched *o = op->source;
	return il_redis_object_request(&o->waits.object, op, c, flags, answer);
}

void il_redis_watched_opened(struct il_redis_watched *o, const struct il_request *r)
{
	size_t size;
	const char *id = il_reply_bytes(r, 1, &size);
	memcpy(o->id, id, size < IL_ID ? size : IL_ID);
}

static void command_remove(const struct il_op *op, struct il_command *c)
{
	const struct il_redis_watched *o = op->source;
	il_redis_watched_command(op, c, o->kind->remove);
}

bool il_redis_watched_remove_attempt(struct il_op *op)
{
	struct il_redis_watched *o = op->source;
	struct il_command c;
	if (!op->last)
		return il_redis_object_attempt(op);
	command_remove(op, &c);
	il_redis_object_tell(&o->waits.object, &c);
	return true;
}

static int removed(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_watched *o = op->source;
	(void)r;
	if (!err)
		il_redis_waits_removed(&o->waits);
	return err;
}

int il_redis_watched_remove_start(struct il_op *op)
{
	struct il_command c;
	command_remove(op, &c);
	return il_redis_watched_request(op, &c, IL_SAFE, removed);
}
