/* SPDX-License-Identifier: MIT
 *
 * Receivers by their types, see queue_types.h: a hash table of chains. Without operations one stays, since the next
 * operation is likely to ask for the same type; when there are many, those that are empty go before the table grows.
 * Floor 2.
 */
#include "engines/sysv/queue_types.h"

#include <stdlib.h>

enum { FIRST_SIZE = 16 };

void il_msg_types_init(struct il_msg_object *o)
{
	il_list_init(&o->receivers);
	il_list_init(&o->wide);
}

static struct il_msg_waiters **bucket(struct il_msg_waiters **buckets, size_t size, long type)
{
	uint64_t hash = (uint64_t)type * 0x9E3779B97F4A7C15u;
	return &buckets[(hash >> 32) & (size - 1)];
}

static void put(struct il_msg_waiters **buckets, size_t size, struct il_msg_waiters *w)
{
	struct il_msg_waiters **first = bucket(buckets, size, w->type);
	w->next = *first;
	*first = w;
}

static void free_waiters(struct il_msg_object *o, struct il_msg_waiters *w)
{
	struct il_msg_waiters **at = bucket(o->buckets, o->size, w->type);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	il_poller_del(&w->waits.poller);
	il_list_del(&w->node);
	il_list_del(&w->wide);
	il_list_del(&w->crowd);
	free(w->message);
	free(w);
	o->count--;
}

static void free_empty(struct il_msg_object *o)
{
	il_list_each_safe(struct il_msg_waiters, w, &o->receivers, node)
		if (il_list_empty(&w->waits.ops) && !w->waits.working)
			free_waiters(o, w);
}

/* Without memory for a larger table the chains grow. */
static bool grow(struct il_msg_object *o)
{
	size_t size = o->size ? 2 * o->size : FIRST_SIZE;
	struct il_msg_waiters **buckets = calloc(size, sizeof *buckets);
	if (!buckets)
		return o->size;
	il_list_each(struct il_msg_waiters, w, &o->receivers, node)
		put(buckets, size, w);
	free(o->buckets);
	o->buckets = buckets;
	o->size = size;
	return true;
}

static bool make_room(struct il_msg_object *o)
{
	if (o->count < o->size)
		return true;
	free_empty(o);
	return o->count < o->size / 2 || grow(o);
}

struct il_msg_waiters *il_msg_of_type(const struct il_msg_object *o, long type)
{
	struct il_msg_waiters *w = o->size ? *bucket(o->buckets, o->size, type) : NULL;
	while (w && w->type != type)
		w = w->next;
	return w;
}

struct il_msg_waiters *il_msg_make_type(struct il_msg_object *o, long type, const struct il_blocking_queue_type *waits)
{
	struct il_msg_waiters *w = il_msg_of_type(o, type);
	if (w)
		return w;
	w = make_room(o) ? calloc(1, sizeof *w) : NULL;
	if (!w)
		return NULL;
	w->object = o;
	w->type = type;
	il_blocking_queue_init(&w->waits, waits);
	w->waits.threads = &o->threads;
	il_list_init(&w->wide);
	il_list_init(&w->crowd);
	il_list_add(&o->receivers, &w->node);
	if (type <= 0)
		il_list_add(&o->wide, &w->wide);
	put(o->buckets, o->size, w);
	o->count++;
	return w;
}

void il_msg_types_fini(struct il_msg_object *o)
{
	il_list_each_safe(struct il_msg_waiters, w, &o->receivers, node)
		free_waiters(o, w);
	free(o->buckets);
}
