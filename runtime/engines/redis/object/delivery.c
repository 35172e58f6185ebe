/* SPDX-License-Identifier: MIT
 *
 * The slots of a process, see queue_receive.lua: a request that takes messages can be made twice there, and taken back
 * by one that follows it at once. The server is told when a slot rests for a while: until then it keeps what was taken
 * last. Floor 2.
 */
#include "engines/redis/object/delivery.h"
#include "base/fork.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t REST = 1000000000; /* ns */

enum { NAME_SIZE = 40, AT_ONCE = 16 };

/* Of all requests of this process. */
static int64_t numbers;

static struct il_delivery *of_list(struct il_list *node)
{
	return il_container_of(node, struct il_delivery, node);
}

static void name(const struct il_delivery *s, char text[NAME_SIZE])
{
	snprintf(text, NAME_SIZE, "@%s:%d", il_server_client(s->queue->object.server), s->index);
}

struct il_delivery *il_delivery_get(struct il_rq *q)
{
	struct il_delivery *s;
	if (!il_fork_is_own(q->generation))
		il_servers_after_fork();
	if (!il_list_empty(&q->slots)) {
		s = of_list(q->slots.prev);
		il_list_del(&s->node);
		return s;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	il_list_init(&s->node);
	il_list_init(&s->asks);
	s->queue = q;
	s->index = q->slot_count++;
	return s;
}

void il_delivery_recycle(struct il_delivery *s)
{
	struct il_rq *q = s->queue;
	s->request = NULL;
	il_list_del(&s->node);
	il_list_add(&q->slots, &s->node);
	if (s->dirty && !q->idle.item.place) {
		il_timer_start(&q->idle, REST);
		il_timer_arm(&q->idle, false); /* no memory: the next one tries again */
	}
}

int il_delivery_ask(struct il_delivery *s, int64_t wanted, int count, const char *place, enum il_request_flags flags,
	void (*answered)(struct il_request *r))
{
	struct il_command c;
	char wants[IL_RQ_TYPE], text[NAME_SIZE], number[IL_RQ_TYPE];
	s->number = ++numbers;
	s->wanted = wanted;
	s->count = count;
	s->dirty = false;
	name(s, text);
	il_command_init(&c, &s->queue->object, IL_SCRIPT_queue_receive);
	il_command_text(&c, s->queue->id);
	il_command_number(&c, il_fork.pid);
	il_command_text(&c, text);
	snprintf(number, sizeof number, "%016lld", (long long)s->number);
	il_command_text(&c, number);
	il_command_number(&c, count);
	il_rq_want(&c, wanted, wants);
	il_command_text(&c, place);
	return il_request_make(&c, flags, answered, s, &s->request);
}

/* Putting back ------------------------------------------------------------------------------------------- */

static void is_back(struct il_request *r)
{
	struct il_delivery *s = r->owner;
	s->request = NULL;
	if (!r->err)
		il_delivery_recycle(s);
	il_request_free(r);
}

/* If it fails for good so does the request that took the messages, and then all are put back. Without memory for a
 * request it is tried again: when those messages come, or later. */
bool il_delivery_put_back(struct il_delivery *s, int keep)
{
	struct il_rq *q = s->queue;
	struct il_command c;
	char text[NAME_SIZE];
	name(s, text);
	il_command_init(&c, &q->object, IL_SCRIPT_queue_putback);
	il_command_text(&c, q->id);
	il_command_text(&c, text);
	il_command_number(&c, s->number);
	il_command_number(&c, keep);
	s->keep = keep;
	if (keep && (il_request_make(&c, IL_SAFE | IL_PATIENT, NULL, NULL, NULL) == 0 || s->request))
		return true;
	if (s->request)
		il_request_forget(s->request);
	s->request = NULL;
	s->dirty = keep > 0;
	il_list_del(&s->node);
	il_list_add(&q->owing, &s->node);
	if (keep || il_request_make(&c, IL_SAFE | IL_PATIENT, is_back, s, &s->request))
		s->request = NULL;
	return false;
}

void il_deliveries_retry(struct il_rq *q)
{
	struct il_list round;
	il_list_move(&q->owing, &round);
	while (!il_list_empty(&round)) {
		struct il_delivery *s = of_list(round.next);
		il_list_del(&s->node);
		il_list_add(&q->owing, &s->node);
		if (!s->request && il_delivery_put_back(s, s->keep))
			il_delivery_recycle(s);
	}
}

/* Resting ------------------------------------------------------------------------------------------------ */

static void tell_idle(struct il_rq *q)
{
	struct il_command c;
	char names[AT_ONCE][NAME_SIZE];
	int n = 0;
	il_command_init(&c, &q->object, IL_SCRIPT_queue_idle);
	il_command_text(&c, q->id);
	for (struct il_list *l = q->slots.next; l != &q->slots && n < AT_ONCE; l = l->next) {
		struct il_delivery *s = of_list(l);
		if (!s->dirty)
			continue;
		s->dirty = false;
		name(s, names[n]);
		il_command_text(&c, names[n++]);
		il_command_number(&c, s->number);
	}
	il_request_make(&c, IL_SAFE, NULL, NULL, NULL); /* or what a slot keeps is dropped two epochs later */
}

static bool any_dirty(const struct il_rq *q)
{
	for (struct il_list *l = q->slots.next; l != &q->slots; l = l->next)
		if (of_list(l)->dirty)
			return true;
	return false;
}

static void rested(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, idle);
	while (any_dirty(q))
		tell_idle(q);
}

void il_deliveries_init(struct il_rq *q)
{
	il_list_init(&q->slots);
	il_list_init(&q->owing);
	q->idle.expired = rested;
	q->generation = il_fork.generation;
}

void il_deliveries_opened(struct il_rq *q)
{
	tell_idle(q);
}

/* Requests are forgotten, not taken back; in a forked child they are gone. */
static void free_slots(struct il_list *slots, bool forked)
{
	while (!il_list_empty(slots)) {
		struct il_delivery *s = of_list(slots->next);
		il_list_del(&s->node);
		if (s->request && !forked)
			il_request_forget(s->request);
		free(s);
	}
}

void il_deliveries_fini(struct il_rq *q, bool forked)
{
	il_timer_disarm(&q->idle);
	if (!forked)
		rested(&q->idle);
	free_slots(&q->slots, forked);
	free_slots(&q->owing, forked);
	q->slot_count = 0;
	q->generation = il_fork.generation;
}
