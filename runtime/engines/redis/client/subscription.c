/* SPDX-License-Identifier: MIT
 *
 * Subscriptions, see subscription.h: channels of the server, each with the listeners of this process. One command about
 * a channel is in flight at a time: SUBSCRIBE or UNSUBSCRIBE, which a push answers, or an error. Floor 2.
 */
#include "engines/redis/client/subscription.h"
#include "base/clock.h"
#include "engines/redis/client/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum asked { NOTHING, SUBSCRIBE, UNSUBSCRIBE };

struct il_subscription {
	struct il_list node, bucket;
	struct il_list listeners;
	struct il_server *server;
	struct il_expected expected;
	enum asked asked;
	bool held; /* its listeners are being called: it stays, and no command is sent */
	bool active; /* the server has confirmed it */
	bool fresh; /* a listener has come since: SUBSCRIBE is sent once more, and its answer activates the listener */
	char channel[];
};

static struct il_subscription *of_node(struct il_list *l)
{
	return il_container_of(l, struct il_subscription, node);
}

static struct il_listener *listener_at(struct il_list *l)
{
	return il_container_of(l, struct il_listener, node);
}

static struct il_list *bucket_of(struct il_server *s, const char *channel)
{
	uint32_t hash = 2166136261;
	for (; *channel; channel++)
		hash = (hash ^ (unsigned char)*channel) * 16777619;
	return &s->buckets[(hash ^ hash >> 16) % IL_SUBSCRIPTION_BUCKETS];
}

static struct il_subscription *find(struct il_server *s, const char *channel)
{
	const struct il_list *bucket = bucket_of(s, channel);
	for (struct il_list *l = bucket->next; l != bucket; l = l->next) {
		struct il_subscription *t = il_container_of(l, struct il_subscription, bucket);
		if (strcmp(t->channel, channel) == 0)
			return t;
	}
	return NULL;
}

static void free_subscription(struct il_subscription *t)
{
	il_list_del(&t->expected.node);
	il_list_del(&t->node);
	il_list_del(&t->bucket);
	free(t);
}

static void take_out(struct il_listener *l)
{
	il_list_del(&l->node);
	l->subscription = NULL;
	l->active = false;
}

/* Sends the next command, if one is needed, or frees the subscription. 0 or errno. */
static int go_on(struct il_subscription *t)
{
	struct il_server *s = t->server;
	bool wanted = !il_list_empty(&t->listeners);
	enum asked what = wanted && (!t->active || t->fresh) ? SUBSCRIBE : !wanted && t->active ? UNSUBSCRIBE : NOTHING;
	if (t->asked || t->held)
		return 0;
	if (!wanted && !t->active) {
		free_subscription(t);
		return 0;
	}
	if (what == NOTHING || !s->subscribing)
		return 0;
	const char *argv[] = { what == SUBSCRIBE ? "SUBSCRIBE" : "UNSUBSCRIBE", t->channel };
	int err = il_server_send_words(s, &t->expected, 2, argv);
	if (!err)
		t->asked = what;
	return err;
}

/* Calls every listener. Listeners may leave and come meanwhile, so the round has a list of its own. */
static void call_each(struct il_subscription *t, void (*call)(struct il_listener *l, const struct il_reply *r),
	const struct il_reply *r)
{
	struct il_list round;
	t->held = true;
	il_list_move(&t->listeners, &round);
	while (!il_list_empty(&round)) {
		struct il_listener *l = listener_at(round.next);
		il_list_del(&l->node);
		il_list_add(&t->listeners, &l->node);
		call(l, r);
	}
	t->held = false;
	go_on(t);
}

static void activate(struct il_listener *l, const struct il_reply *r)
{
	(void)r;
	if (l->active)
		return;
	l->active = true;
	l->up(l);
}

static void deliver(struct il_listener *l, const struct il_reply *r)
{
	l->message(l, r->element[2]->str, r->element[2]->len);
}

static void query(struct il_listener *l, const struct il_reply *r)
{
	(void)r;
	l->up(l);
}

/* The server refuses: for lack of rights; or at the moment, then another connection is made. */
static void answered(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	struct il_subscription *t = il_container_of(e, struct il_subscription, expected);
	char text[200];
	if (!r)
		return; /* lost() is called, too */
	int err = il_error_of(r, text, sizeof text);
	bool passes = il_error_passes(r);
	il_reply_free(r);
	if (passes) {
		il_server_fault(s, err, text);
		return;
	}
	il_server_explain(s, err, text);
	t->asked = NOTHING;
	t->active = false;
	t->held = true;
	while (!il_list_empty(&t->listeners)) {
		struct il_listener *l = listener_at(t->listeners.next);
		take_out(l);
		l->down(l, err);
	}
	t->held = false;
	go_on(t);
}

/* All listeners query the server. */
static void query_all(struct il_server *s)
{
	struct il_list round;
	il_list_move(&s->subscriptions, &round);
	while (!il_list_empty(&round)) {
		struct il_subscription *t = of_node(round.next);
		il_list_del(&t->node);
		il_list_add(&s->subscriptions, &t->node);
		call_each(t, query, NULL);
	}
}

/* Is this the answer that the server owes next? Then nothing is asked any more. */
static bool is_due(struct il_server *s, struct il_subscription *t, enum asked what)
{
	if (!t || t->asked != what || s->expected.next != &t->expected.node)
		return false;
	il_list_del(&t->expected.node);
	t->asked = NOTHING;
	t->active = what == SUBSCRIBE;
	return true;
}

static const char *text_at(const struct il_reply *r, size_t i)
{
	return i < r->elements && r->element[i]->type == IL_REPLY_STRING ? r->element[i]->str : NULL;
}

/* A message may come late, for a channel that was left. An "invalidate" without keys says that all data is lost. */
static bool pushed(struct il_server *s, struct il_reply *r)
{
	const char *kind = text_at(r, 0), *channel = text_at(r, 1);
	if (kind && strcmp(kind, "invalidate") == 0 && r->elements == 2) {
		if (r->element[1]->type == IL_REPLY_NIL)
			query_all(s);
		return true;
	}
	if (!kind || !channel || r->elements != 3)
		return false;
	struct il_subscription *t = find(s, channel);
	if (strcmp(kind, "message") == 0 && text_at(r, 2)) {
		if (t && t->active)
			call_each(t, deliver, r);
		return t != NULL;
	}
	if (strcmp(kind, "subscribe") == 0 && is_due(s, t, SUBSCRIBE)) {
		t->fresh = false;
		call_each(t, activate, NULL);
		return true;
	}
	if (strcmp(kind, "unsubscribe") == 0 && is_due(s, t, UNSUBSCRIBE)) {
		go_on(t);
		return true;
	}
	return false;
}

static struct il_subscription *make(struct il_server *s, const char *channel)
{
	struct il_subscription *t = calloc(1, sizeof *t + strlen(channel) + 1);
	if (!t)
		return NULL;
	t->server = s;
	t->expected.answered = answered;
	t->expected.pushed = true;
	il_list_init(&t->expected.node);
	strcpy(t->channel, channel);
	il_list_init(&t->listeners);
	il_list_init(&t->node);
	il_list_add(&s->subscriptions, &t->node);
	il_list_init(&t->bucket);
	il_list_add(bucket_of(s, channel), &t->bucket);
	return t;
}

int il_subscribe(struct il_server *s, struct il_listener *l, const char *channel)
{
	if (l->subscription)
		return 0;
	if (il_server_watch(s, il_time_add(il_now(), s->timeout)))
		return ENOMEM;
	struct il_subscription *t = find(s, channel);
	if (!t)
		t = make(s, channel);
	if (!t)
		return ENOMEM;
	t->fresh = true;
	l->subscription = t;
	l->active = false;
	il_list_add(&t->listeners, &l->node);
	int err = go_on(t);
	if (err) {
		take_out(l);
		go_on(t);
		return err;
	}
	il_server_connect(s);
	return 0;
}

void il_unsubscribe(struct il_listener *l)
{
	struct il_subscription *t = l->subscription;
	if (!t)
		return;
	take_out(l);
	go_on(t); /* without memory for UNSUBSCRIBE its messages are dropped here */
}

static bool wanted(const struct il_server *s)
{
	for (struct il_list *l = s->subscriptions.next; l != &s->subscriptions; l = l->next)
		if (!il_list_empty(&of_node(l)->listeners))
			return true;
	return false;
}

/* The queries of all listeners were sent before, and are answered now: so each wait has queried the server before a
 * refused SUBSCRIBE can end this connection. */
static void subscribe_all(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	il_reply_free(r);
	if (!r)
		return;
	s->subscribing = true;
	for (struct il_list *next, *l = s->subscriptions.next; l != &s->subscriptions; l = next) {
		next = l->next;
		if (go_on(of_node(l))) {
			il_server_fault(s, ENOMEM, strerror(ENOMEM));
			return;
		}
	}
}

static void opened(struct il_server *s)
{
	static const char *const argv[] = { "PING" };
	if (il_list_empty(&s->subscriptions)) {
		s->subscribing = true;
		return;
	}
	query_all(s);
	s->before_subscriptions.answered = subscribe_all;
	if (s->up && il_server_send_words(s, &s->before_subscriptions, 1, argv))
		il_server_fault(s, ENOMEM, strerror(ENOMEM));
}

/* The connection is gone, with the commands that were in flight. */
static void lost(struct il_server *s)
{
	s->subscribing = false;
	for (struct il_list *next, *l = s->subscriptions.next; l != &s->subscriptions; l = next) {
		struct il_subscription *t = of_node(l);
		next = l->next;
		t->active = false;
		t->asked = NOTHING;
		for (struct il_list *m = t->listeners.next; m != &t->listeners; m = m->next)
			listener_at(m)->active = false;
		if (il_list_empty(&t->listeners) && !t->held)
			free_subscription(t);
	}
}

static void without(struct il_server *s, int err, bool patient)
{
	struct il_list round;
	if (patient)
		return;
	il_list_init(&round);
	for (struct il_list *l = s->subscriptions.next; l != &s->subscriptions; l = l->next) {
		struct il_subscription *t = of_node(l);
		while (!il_list_empty(&t->listeners)) {
			struct il_listener *m = listener_at(t->listeners.next);
			take_out(m);
			il_list_add(&round, &m->node);
		}
	}
	while (!il_list_empty(&s->subscriptions))
		free_subscription(of_node(s->subscriptions.next));
	while (!il_list_empty(&round)) {
		struct il_listener *m = listener_at(round.next);
		il_list_del(&m->node);
		m->down(m, err);
	}
}

static void drop(struct il_server *s)
{
	while (!il_list_empty(&s->subscriptions)) {
		struct il_subscription *t = of_node(s->subscriptions.next);
		while (!il_list_empty(&t->listeners))
			take_out(listener_at(t->listeners.next));
		free_subscription(t);
	}
}

const struct il_server_part il_subscriptions = {
	.wanted = wanted,
	.opened = opened,
	.lost = lost,
	.without = without,
	.pushed = pushed,
	.drop = drop,
};
