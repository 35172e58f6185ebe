/* SPDX-License-Identifier: MIT
 *
 * Subscriptions, see subscription.h. Each listener sends a SUBSCRIBE of its own, whose answer, a push, activates it;
 * the last one of a channel sends UNSUBSCRIBE. Floor 2.
 */
#include "engines/redis/client/subscription.h"
#include "base/clock.h"
#include "engines/redis/client/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void call(struct il_listener *l, const struct il_reply *r);

enum { SUBSCRIBE, UNSUBSCRIBE };

static struct il_list *bucket_of(struct il_server *s, const char *channel)
{
	uint32_t hash = 2166136261;
	for (; *channel; channel++)
		hash = (hash ^ (unsigned char)*channel) * 16777619;
	return &s->buckets[(hash ^ hash >> 16) % IL_SUBSCRIPTION_BUCKETS];
}

/* Calls the listeners of a channel, or all of the bucket. They may leave and come meanwhile, and the bucket is whole at
 * any time: those that were called stand at its end. */
static void call_bucket(struct il_server *s, struct il_list *bucket, const char *channel, call *fn,
	const struct il_reply *r)
{
	uint32_t round = ++s->round;
	struct il_listener *l;
	for (int left = il_list_count(bucket); left && (l = il_list_first(struct il_listener, bucket, node)); left--) {
		il_list_del(&l->node);
		il_list_add(bucket, &l->node);
		bool matches = !channel || strcmp(l->channel, channel) == 0;
		if (!matches || l->round == round)
			continue;
		l->round = round;
		fn(l, r);
	}
}

static void call_all(struct il_server *s, call *fn)
{
	for (int i = 0; i < IL_SUBSCRIPTION_BUCKETS; i++)
		call_bucket(s, &s->buckets[i], NULL, fn, NULL);
}

static void deliver(struct il_listener *l, const struct il_reply *r)
{
	if (l->active)
		l->message(l, il_reply_text(r, 2), il_reply_at(r, 2)->len);
}

static void query(struct il_listener *l, const struct il_reply *r)
{
	(void)r;
	l->up(l);
}

static void take_out(struct il_listener *l)
{
	il_list_del(&l->node);
	if (l->request)
		l->request->owner = NULL;
	free(l->channel);
	l->channel = NULL;
	l->request = NULL;
	l->active = false;
	l->server->listeners--;
}

/* An error: the server refuses for lack of rights; or at the moment, then another connection is made. */
static void answered(struct il_request *r)
{
	struct il_listener *l = r->owner;
	char text[200];
	if (l)
		l->request = NULL;
	if (r->reply->type == IL_REPLY_PUSH) {
		if (l && !l->active) {
			l->active = true;
			l->up(l);
		}
		return;
	}
	bool passes;
	int err = il_error_of(r->reply, text, sizeof text, &passes);
	if (passes) {
		il_server_fault(r->server, err, text);
	} else if (l) {
		il_server_explain(r->server, err, text);
		take_out(l);
		l->down(l, err);
	}
}

static int command(struct il_server *s, int what, const char *channel, struct il_listener *l)
{
	const char *argv[] = { what == SUBSCRIBE ? "SUBSCRIBE" : "UNSUBSCRIBE", channel };
	struct il_request *r;
	int err = il_request_control(s, 2, argv, answered, l, &r);
	if (err)
		return err;
	r->pushed = true;
	r->tag = what;
	if (l)
		l->request = r;
	return 0;
}

static void subscribe(struct il_listener *l, const struct il_reply *r)
{
	(void)r;
	if (!l->server->subscribing || l->active || l->request)
		return;
	if (command(l->server, SUBSCRIBE, l->channel, l))
		il_server_fault(l->server, ENOMEM, strerror(ENOMEM));
}

int il_subscribe(struct il_server *s, struct il_listener *l, const char *base, const char *word)
{
	if (l->channel)
		return 0;
	l->active = false;
	l->server = s;
	if (asprintf(&l->channel, "%s:%s", base, word) < 0) {
		l->channel = NULL;
		return ENOMEM;
	}
	il_list_add(bucket_of(s, l->channel), &l->node);
	s->listeners++;
	if (s->subscribing ? command(s, SUBSCRIBE, l->channel, l)
			   : il_server_watch(s, il_time_add(il_now(), il_server_timeout(s)))) {
		take_out(l);
		return ENOMEM;
	}
	il_server_connect(s);
	return 0;
}

/* Without memory for UNSUBSCRIBE the messages are dropped here. */
void il_unsubscribe(struct il_listener *l)
{
	char *channel = l->channel;
	il_list_del(&l->node);
	if (!channel)
		return;
	struct il_list *bucket = bucket_of(l->server, channel);
	bool sent = l->active || l->request, shared = false;
	l->channel = NULL;
	take_out(l);
	il_list_each(const struct il_listener, other, bucket, node)
		shared |= strcmp(other->channel, channel) == 0;
	if (sent && !shared)
		command(l->server, UNSUBSCRIBE, channel, NULL);
	free(channel);
}

static void queried(struct il_request *r)
{
	r->server->subscribing = true;
	call_all(r->server, subscribe);
}

/* The queries are answered before a SUBSCRIBE is sent: so each wait has queried the server, whatever becomes of the
 * connection when that is answered, or not. */
void il_subscriptions_up(struct il_server *s)
{
	static const char *const argv[] = { "PING" };
	s->subscribing = !s->listeners;
	if (!s->listeners)
		return;
	call_all(s, query);
	if (s->up && il_request_control(s, 1, argv, queried, NULL, NULL))
		il_server_fault(s, ENOMEM, strerror(ENOMEM));
}

static void deactivate(struct il_listener *l, const struct il_reply *r)
{
	(void)r;
	l->active = false;
	l->request = NULL;
}

void il_subscriptions_lost(struct il_server *s)
{
	s->subscribing = false;
	call_all(s, deactivate);
}

/* A listener may be gone when others are called. */
void il_subscriptions_end(struct il_server *s, int err)
{
	struct il_list round;
	il_list_init(&round);
	for (int i = 0; i < IL_SUBSCRIPTION_BUCKETS; i++)
		il_list_drain(struct il_listener, l, &s->buckets[i], node) {
			take_out(l);
			il_list_add(&round, &l->node);
		}
	il_list_drain(struct il_listener, l, &round, node)
		if (err)
			l->down(l, err);
}

/* An "invalidate" without keys says that all data is lost. A message may come late, for a channel that was left. */
bool il_subscriptions_push(struct il_server *s, const struct il_reply *r, struct il_request *first)
{
	const char *kind = il_reply_text(r, 0), *channel = il_reply_text(r, 1);
	if (kind && strcmp(kind, "invalidate") == 0 && r->elements == 2) {
		if (il_reply_at(r, 1)->type == IL_REPLY_NIL)
			call_all(s, query);
		return true;
	}
	if (!kind || !channel || r->elements != 3)
		return false;
	if (strcmp(kind, "message") == 0 && il_reply_text(r, 2)) {
		call_bucket(s, bucket_of(s, channel), channel, deliver, r);
		return true;
	}
	if (!first || !first->pushed || strcmp(kind, first->tag == SUBSCRIBE ? "subscribe" : "unsubscribe") != 0)
		return false;
	il_request_finish(first, r);
	return true;
}
