/* SPDX-License-Identifier: MIT
 *
 * Watches, see watch.h. An operation that finishes may take others of its wait out of their lines, of this watch or of
 * others, so each step begins from the lists. Floor 2.
 */
#include "engines/redis/object/watch.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A process that has waited once will wait again, and to subscribe takes time: so it stays subscribed for a while. */
enum { UNHEARD = 200 };

static const int64_t LOOK = 30 * IL_SECOND; /* until an operation looks that has heard nothing */

static void look(struct il_watch *w);

static struct il_op *op_at(struct il_list *l)
{
	return il_container_of(l, struct il_op, link);
}

static struct il_watch *watch_at(struct il_list *l)
{
	return il_container_of(l, struct il_watch, node);
}

static struct il_watches *watches_of(struct il_listener *l)
{
	return il_container_of(l, struct il_watches, object.listener);
}

static size_t bucket_of(const char *key, size_t size)
{
	uint32_t hash = 2166136261;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)key[i]) * 16777619;
	return (hash ^ hash >> 16) % IL_WATCH_BUCKETS;
}

/* Watches ----------------------------------------------------------------------------------------------- */

struct il_watch *il_watch_find(const struct il_watches *all, const char *key, size_t size)
{
	const struct il_list *bucket = &all->buckets[bucket_of(key, size)];
	for (struct il_list *l = bucket->next; l != bucket; l = l->next) {
		struct il_watch *w = watch_at(l);
		if (w->size == size && memcmp(w->key, key, size) == 0)
			return w;
	}
	return NULL;
}

static struct il_watch *add(struct il_watches *all, const char *key, size_t size)
{
	struct il_watch *w = calloc(1, sizeof *w + size + 1);
	if (!w)
		return NULL;
	w->all = all;
	w->size = size;
	memcpy(w->key, key, size);
	il_list_init(&w->fresh);
	il_list_init(&w->ops);
	il_list_add(&all->buckets[bucket_of(key, size)], &w->node);
	return w;
}

void il_watch_hold(struct il_watch *w)
{
	w->held++;
}

/* Of a round through a bucket: the next one, which is in the bucket again. */
static struct il_watch *next_of(struct il_list *round, struct il_list *bucket)
{
	struct il_watch *w = watch_at(round->next);
	il_list_del(&w->node);
	il_list_add(bucket, &w->node);
	return w;
}

/* A watch without operations goes. */
void il_watch_let_go(struct il_watch *w)
{
	if (--w->held || !il_list_empty(&w->fresh) || !il_list_empty(&w->ops))
		return;
	if (w->look)
		il_request_forget(w->look);
	il_list_del(&w->node);
	free(w);
}

static void finish_op(struct il_op *op, int err)
{
	il_list_del(&op->link);
	il_op_finish(op, err);
}

/* If a wait has several operations here, the first of them. */
static struct il_op *first_of(struct il_op *op)
{
	struct il_wait *w = op->wait;
	for (uint32_t i = 0; i < w->count; i++)
		if (w->ops[i].source == op->source && w->ops[i].type == op->type && !il_list_empty(&w->ops[i].link))
			return &w->ops[i];
	return op;
}

static void finish(struct il_watch *w, int err)
{
	il_watch_hold(w);
	while (!il_list_empty(&w->ops))
		finish_op(first_of(op_at(w->ops.next)), err);
	while (!il_list_empty(&w->fresh))
		finish_op(first_of(op_at(w->fresh.next)), err);
	il_watch_let_go(w);
}

void il_watches_finish(struct il_watches *all, int err)
{
	all->object.shared->removed |= err == EIDRM;
	for (int i = 0; i < IL_WATCH_BUCKETS; i++) {
		struct il_list round;
		il_list_move(&all->buckets[i], &round);
		while (!il_list_empty(&round))
			finish(next_of(&round, &all->buckets[i]), err);
	}
}

/* Looking ----------------------------------------------------------------------------------------------- */

/* Operations with timeout 0 have their answer: not available. */
static void decline(struct il_watch *w)
{
	struct il_list rest;
	il_list_move(&w->ops, &rest);
	while (!il_list_empty(&rest)) {
		struct il_op *op = op_at(rest.next);
		il_list_del(&op->link);
		if (op->once)
			il_op_not_ready(op);
		else
			il_list_add(&w->ops, &op->link);
	}
}

/* There is no answer. There may be one when the connection is back, for operations that wait. */
static void fail_once(struct il_watch *w, int err)
{
	struct il_list rest;
	il_list_move(&w->ops, &rest);
	while (!il_list_empty(&rest)) {
		struct il_op *op = op_at(rest.next);
		il_list_del(&op->link);
		if (op->once)
			il_op_finish(op, err);
		else
			il_list_add(&w->fresh, &op->link);
	}
}

static void answered(struct il_request *r)
{
	struct il_watch *w = r->owner;
	int err = il_request_status(r);
	w->look = NULL;
	il_watch_hold(w);
	if (!err)
		err = w->all->told(w, r);
	if (!err || err == EAGAIN)
		decline(w);
	else if (r->err && !w->patient)
		fail_once(w, err);
	else
		finish(w, err);
	il_request_free(r);
	if (w->again || !il_list_empty(&w->fresh))
		look(w);
	il_watch_let_go(w);
}

/* One query at a time: changes that are heard of meanwhile, and operations that start, are for the next. 0 or errno. */
static int ask(struct il_watch *w)
{
	struct il_command c;
	if (w->look) {
		w->again = true;
		return 0;
	}
	w->again = false;
	w->patient = true;
	while (!il_list_empty(&w->fresh)) {
		struct il_list *op = w->fresh.next;
		il_list_del(op);
		il_list_add(&w->ops, op);
		w->patient &= !op_at(op)->once;
	}
	if (il_list_empty(&w->ops))
		return 0;
	w->all->ask(w, &c);
	return il_request_make(&c, w->patient ? IL_SAFE | IL_PATIENT : IL_SAFE, answered, w, &w->look);
}

static void look(struct il_watch *w)
{
	int err = ask(w);
	if (err)
		finish(w, err);
}

/* A look may end a watch only if there is no memory: then all that is left is looked for again. */
static void look_everywhere(struct il_watches *all)
{
	for (int i = 0; i < IL_WATCH_BUCKETS; i++) {
		struct il_list round;
		il_list_move(&all->buckets[i], &round);
		while (!il_list_empty(&round)) {
			struct il_watch *w = next_of(&round, &all->buckets[i]);
			il_watch_hold(w);
			look(w);
			il_watch_let_go(w);
		}
	}
}

/* Listening --------------------------------------------------------------------------------------------- */

static void up(struct il_listener *l)
{
	look_everywhere(watches_of(l));
}

/* Without memory for the timer the next operation tries again. */
static void look_later(struct il_watches *all)
{
	if (all->look.item.place)
		return;
	il_timer_start(&all->look, LOOK);
	il_timer_arm(&all->look, false);
}

static void looked(struct il_timer *t)
{
	struct il_watches *all = il_container_of(t, struct il_watches, look);
	if (!il_watches_count(all))
		return;
	look_everywhere(all);
	look_later(all);
}

static void down(struct il_listener *l, int err)
{
	il_redis_object_explain(&watches_of(l)->object);
	il_watches_finish(watches_of(l), err);
}

/* "id:key"; without a key the object was removed. Another object's id: it has taken the place of ours. */
static void message(struct il_listener *l, const char *data, size_t size)
{
	struct il_watches *all = watches_of(l);
	if (size <= IL_ID || memcmp(data, all->id, IL_ID) != 0) {
		look_everywhere(all);
		return;
	}
	const char *key = data + IL_ID + 1;
	size -= IL_ID + 1;
	if (!size) {
		il_watches_finish(all, EIDRM);
		return;
	}
	if (all->heard)
		all->heard(all, key, size);
	struct il_watch *w = il_watch_find(all, key, size);
	if (w) {
		il_watch_hold(w);
		look(w);
		il_watch_let_go(w);
		all->unheard = 0;
	} else if (++all->unheard > UNHEARD && !il_watches_count(all)) {
		il_unsubscribe(l);
	}
}

/* Operations -------------------------------------------------------------------------------------------- */

/* It is looked at right now, too, and not only when the server has confirmed that changes will be heard of. */
int il_watch_start(struct il_watches *all, struct il_op *op, const char *key, size_t size)
{
	int err = op->once ? 0 : il_redis_object_listen(&all->object, "changed");
	if (err)
		return err;
	struct il_watch *w = il_watch_find(all, key, size);
	if (!w)
		w = add(all, key, size);
	if (!w)
		return ENOMEM;
	all->unheard = 0;
	if (!op->once)
		look_later(all);
	il_list_add(&w->fresh, &op->link);
	il_watch_hold(w);
	if (w->look && op->once && w->patient) {
		il_request_forget(w->look); /* its answer may be long in coming */
		w->look = NULL;
	}
	if (!w->look)
		err = ask(w);
	if (err)
		il_list_del(&op->link);
	il_watch_let_go(w);
	return err;
}

void il_watch_cancel(struct il_watches *all, struct il_op *op, const char *key, size_t size)
{
	struct il_watch *w = il_watch_find(all, key, size);
	il_list_del(&op->link);
	if (!w)
		return;
	il_watch_hold(w);
	il_watch_let_go(w);
}

int il_watches_count(const struct il_watches *all)
{
	int n = 0;
	for (int i = 0; i < IL_WATCH_BUCKETS; i++)
		for (const struct il_list *l = all->buckets[i].next; l != &all->buckets[i]; l = l->next) {
			const struct il_watch *w = il_container_of(l, const struct il_watch, node);
			for (const struct il_list *op = w->ops.next; op != &w->ops; op = op->next)
				n++;
			for (const struct il_list *op = w->fresh.next; op != &w->fresh; op = op->next)
				n++;
		}
	return n;
}

/* The queries are the parent's, and so are the operations: they are about to be dropped. */
static void forked(struct il_redis_object *f)
{
	struct il_watches *all = il_container_of(f, struct il_watches, object);
	il_timer_disarm(&all->look);
	for (int i = 0; i < IL_WATCH_BUCKETS; i++)
		for (struct il_list *l = all->buckets[i].next; l != &all->buckets[i]; l = l->next)
			watch_at(l)->look = NULL;
}

int il_watches_open(struct il_watches *all, const struct il_key *key, const char *noun)
{
	int err = il_redis_object_open(&all->object, key, noun);
	if (err)
		return err;
	for (int i = 0; i < IL_WATCH_BUCKETS; i++)
		il_list_init(&all->buckets[i]);
	all->look.expired = looked;
	all->object.forked = forked;
	all->object.listener.up = up;
	all->object.listener.down = down;
	all->object.listener.message = message;
	return 0;
}

void il_watches_close(struct il_watches *all)
{
	il_timer_disarm(&all->look);
	il_watches_finish(all, ECANCELED);
	il_redis_object_close(&all->object);
}

void il_watches_call(struct il_watches *all, struct il_command *c, enum il_script script)
{
	il_command_init(c, &all->object, script);
	il_command_bytes(c, all->id, IL_ID);
}

void il_watches_name(struct il_watches *all, char id[IL_ID + 1])
{
	static uint32_t made;
	snprintf(id, IL_ID + 1, "%.16s%08x", il_server_client(all->object.server), ++made);
}
