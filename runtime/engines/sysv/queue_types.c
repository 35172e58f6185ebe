/* SPDX-License-Identifier: MIT
 *
 * Receivers by their types, see queue_types.h: a hash table of chains. Without operations one stays, since the next
 * operation is likely to ask for the same type; when there are many, those that are empty go before the table grows.
 * Floor 2.
 */
#include "engines/sysv/queue_types.h"

#include <stdlib.h>

enum { MANY = 16 };

void il_msg_types_init(struct il_msg_object *o)
{
	il_list_init(&o->receivers);
	il_list_init(&o->wide);
}

static void free_waiters(struct il_msg_object *o, struct il_msg_waiters *w)
{
	il_table_del(&o->types, &w->item);
	il_poller_del(&w->waits.poller);
	il_list_del(&w->node);
	il_list_del(&w->wide);
	il_list_del(&w->crowd);
	free(w->message);
	free(w);
}

static void free_empty(struct il_msg_object *o)
{
	il_list_each_safe(struct il_msg_waiters, w, &o->receivers, node)
		if (il_list_empty(&w->waits.ops) && !w->waits.working)
			free_waiters(o, w);
}

struct il_msg_waiters *il_msg_of_type(const struct il_msg_object *o, long type)
{
	struct il_table_item *item = il_table_find(&o->types, (uint64_t)type);
	return item ? il_container_of(item, struct il_msg_waiters, item) : NULL;
}

struct il_msg_waiters *il_msg_make_type(struct il_msg_object *o, long type, const struct il_blocking_queue_type *waits)
{
	struct il_msg_waiters *w = il_msg_of_type(o, type);
	if (w)
		return w;
	if (o->types.count >= MANY && o->types.count == o->types.size)
		free_empty(o);
	w = calloc(1, sizeof *w);
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
	il_table_add(&o->types, &w->item, (uint64_t)type);
	return w;
}

void il_msg_types_fini(struct il_msg_object *o)
{
	il_list_each_safe(struct il_msg_waiters, w, &o->receivers, node)
		free_waiters(o, w);
	il_table_fini(&o->types);
}
