/* SPDX-License-Identifier: MIT
 *
 * Deliveries, see queue_delivery.h: their requests, and what becomes of those that have none. Floor 2.
 */
#include "engines/redis/queue_delivery.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/redis/queue_lease.h"
#include "engines/redis/queue_record.h"
#include "engines/redis/state.h"

#include <stdio.h>
#include <stdlib.h>

enum { MS = 1000000 };

static const int64_t IDLE = IL_SECOND; /* until an idle delivery says what has arrived */

static void number_text(char *text, int64_t number)
{
	snprintf(text, IL_RQ_NUMBER + 8, "%0*lld", IL_RQ_NUMBER, (long long)number);
}

/* A request for so many messages. stands: if there is none. */
static void receive_command(struct il_command *c, const struct il_rq_delivery *s, int count, bool stands)
{
	char text[48];
	il_command_number(c, count);
	il_rq_record_type(c, s->wanted);
	snprintf(text, sizeof text, "%d %u %u %u", stands, s->limits.attempts, s->limits.deaths, s->limits.keep);
	il_command_text(c, text);
	number_text(text, s->answered);
	il_command_text(c, text);
	il_command_number(c, s->arrived);
}

static void take_command(struct il_command *c, const struct il_rq_delivery *s, int count, bool stands)
{
	char text[64];
	il_rq_record_type(c, s->wanted);
	snprintf(text, sizeof text, "%0*lld:%d", IL_RQ_NUMBER, (long long)s->answered, s->arrived);
	il_command_text(c, text);
	il_rq_lease_time(c, il_rq_delivery_queue(s));
	il_command_number(c, count);
	snprintf(text, sizeof text, "%d %lld %u %u %u", stands, (long long)(s->waiter.all->object.lease / MS),
		s->limits.attempts, s->limits.deaths, s->limits.keep);
	il_command_text(c, text);
}

int il_rq_delivery_request(struct il_rq_delivery *s, int count, bool stands, enum il_request_flags flags,
	void (*answered)(struct il_request *r))
{
	struct il_command c;
	char number[24];
	il_rq_command(&c, il_rq_delivery_queue(s), s->takes ? IL_SCRIPT_queue_take : IL_SCRIPT_queue_receive);
	il_command_number(&c, il_fork.pid);
	il_command_text(&c, s->name + 1);
	number_text(number, s->number);
	il_command_text(&c, number);
	(s->takes ? take_command : receive_command)(&c, s, count, stands);
	return il_request_make(&c, flags, answered, s, answered ? &s->waiter.request : NULL);
}

void il_rq_delivery_acknowledge(struct il_rq_delivery *s)
{
	s->number = ++il_redis_state()->numbers;
	s->dirty = false;
	il_rq_delivery_request(s, 0, false, IL_SAFE | IL_PATIENT, NULL);
}

void il_rq_delivery_forget_bytes(struct il_rq_delivery *s)
{
	free(s->bytes);
	s->bytes = NULL;
}

void il_rq_delivery_idle(struct il_redis_waiter *w)
{
	struct il_rq_delivery *s = il_rq_delivery_of(w);
	struct il_rq *q = il_rq_delivery_queue(s);
	il_rq_delivery_forget_bytes(s);
	il_list_del(&w->node);
	il_list_add(q->idle.next, &w->node); /* it is the first */
	if (s->dirty && !q->idle_timer.item.place) {
		il_timer_start(&q->idle_timer, IDLE);
		il_timer_arm(&q->idle_timer, false); /* no memory: the next one tries again */
	}
}

static void idle_expired(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, idle_timer);
	il_list_each(struct il_rq_delivery, s, &q->idle, waiter.node)
		if (s->dirty)
			il_rq_delivery_acknowledge(s);
}

void il_rq_deliveries_init(struct il_rq *q)
{
	il_list_init(&q->idle);
	q->idle_timer.expired = idle_expired;
}

void il_rq_deliveries_fini(struct il_rq *q, bool forked)
{
	il_timer_disarm(&q->idle_timer);
	if (!forked)
		idle_expired(&q->idle_timer);
	il_list_drain(struct il_rq_delivery, s, &q->idle, waiter.node) {
		il_list_del(&s->waiter.due); /* it may be to be served again */
		free(s);
	}
}
