/* SPDX-License-Identifier: MIT
 *
 * What is published: channels of the server, each with those of this process who listen. Floor 2.
 */
#include "engines/redis/server_private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct il_topic {
	struct il_list node;
	struct il_list listeners;
	struct il_server *server;
	bool active;  /* the server has confirmed it */
	bool leaving; /* the server has been asked to say no more of it, and hiredis still knows it */
	char channel[];
};

static void heard(redisAsyncContext *c, void *data, void *topic);

static int say(struct il_topic *t, const char *verb)
{
	char *command;
	int size = redisFormatCommand(&command, "%s %s", verb, t->channel);
	if (size < 0)
		return ENOMEM;
	int err = il_link_say(&t->server->lines[IL_TOPICS].link, command, (size_t)size, heard, t);
	redisFreeCommand(command);
	return err;
}

static struct il_topic *find(struct il_server *s, const char *channel)
{
	for (struct il_list *l = s->topics.next; l != &s->topics; l = l->next) {
		struct il_topic *t = il_container_of(l, struct il_topic, node);
		if (strcmp(t->channel, channel) == 0)
			return t;
	}
	return NULL;
}

static void free_topic(struct il_topic *t)
{
	il_list_del(&t->node);
	free(t);
}

/* A listener may leave, and others may come, while they are told: each round works off a list of its own. */
static void confirmed(struct il_topic *t)
{
	struct il_list round;
	t->active = true;
	il_list_move(&t->listeners, &round);
	while (!il_list_empty(&round)) {
		struct il_listener *l = il_container_of(round.next, struct il_listener, node);
		il_list_del(&l->node);
		il_list_add(&t->listeners, &l->node);
		l->active = true;
		l->up(l);
	}
}

static void message(struct il_topic *t, const char *data, size_t size)
{
	struct il_list round;
	il_list_move(&t->listeners, &round);
	while (!il_list_empty(&round)) {
		struct il_listener *l = il_container_of(round.next, struct il_listener, node);
		il_list_del(&l->node);
		il_list_add(&t->listeners, &l->node);
		l->message(l, data, size);
	}
}

static void left(struct il_topic *t)
{
	t->leaving = t->active = false;
	if (il_list_empty(&t->listeners))
		free_topic(t);
	else
		say(t, "SUBSCRIBE");
}

static void heard(redisAsyncContext *c, void *data, void *topic)
{
	const redisReply *reply = data;
	struct il_link *link = c->data;
	if (!reply || link->context != c || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
	    reply->element[0]->type != REDIS_REPLY_STRING)
		return;
	const char *kind = reply->element[0]->str;
	if (strcasecmp(kind, "message") == 0 && reply->element[2]->type == REDIS_REPLY_STRING)
		message(topic, reply->element[2]->str, reply->element[2]->len);
	else if (strcasecmp(kind, "subscribe") == 0)
		confirmed(topic);
	else if (strcasecmp(kind, "unsubscribe") == 0)
		left(topic);
}

int il_server_listen(struct il_server *s, struct il_listener *l, const char *channel)
{
	if (l->topic)
		return 0;
	if (il_server_watch(s, il_time_add(il_now(), s->url->timeout)))
		return ENOMEM;
	struct il_link *link = &s->lines[IL_TOPICS].link;
	struct il_topic *t = find(s, channel);
	if (!t) {
		t = malloc(sizeof *t + strlen(channel) + 1);
		if (!t)
			return ENOMEM;
		*t = (struct il_topic){ .server = s };
		strcpy(t->channel, channel);
		il_list_init(&t->listeners);
		il_list_add(&s->topics, &t->node);
		int err = link->up ? say(t, "SUBSCRIBE") : 0;
		if (err) {
			free_topic(t);
			return err;
		}
	} else if (t->active && !t->leaving) {
		/* to be told of it on the loop, not here: the server says it once more */
		int err = say(t, "SUBSCRIBE");
		if (err)
			return err;
	}
	l->topic = t;
	l->active = false;
	il_list_add(&t->listeners, &l->node);
	il_server_connect(s, IL_TOPICS);
	return 0;
}

void il_server_unlisten(struct il_server *s, struct il_listener *l)
{
	struct il_topic *t = l->topic;
	if (!t)
		return;
	l->topic = NULL;
	l->active = false;
	il_list_del(&l->node);
	if (!il_list_empty(&t->listeners) || t->leaving)
		return;
	if (s->lines[IL_TOPICS].link.up && say(t, "UNSUBSCRIBE") == 0)
		t->leaving = true;
	else if (!s->lines[IL_TOPICS].link.up)
		free_topic(t);
}

bool il_topics_wanted(const struct il_server *s)
{
	for (struct il_list *l = s->topics.next; l != &s->topics; l = l->next)
		if (!il_list_empty(&il_container_of(l, struct il_topic, node)->listeners))
			return true;
	return false;
}

void il_topics_opened(struct il_server *s)
{
	for (struct il_list *l = s->topics.next; l != &s->topics; l = l->next)
		say(il_container_of(l, struct il_topic, node), "SUBSCRIBE");
}

/* The connection is gone, and hiredis has forgotten its channels. */
void il_topics_lost(struct il_server *s)
{
	for (struct il_list *next, *l = s->topics.next; l != &s->topics; l = next) {
		struct il_topic *t = il_container_of(l, struct il_topic, node);
		next = l->next;
		t->active = t->leaving = false;
		for (struct il_list *m = t->listeners.next; m != &t->listeners; m = m->next)
			il_container_of(m, struct il_listener, node)->active = false;
		if (il_list_empty(&t->listeners))
			free_topic(t);
	}
}

static void take_out(struct il_listener *l)
{
	il_list_del(&l->node);
	l->topic = NULL;
	l->active = false;
}

void il_topics_down(struct il_server *s, int err)
{
	struct il_list round;
	il_list_init(&round);
	for (struct il_list *l = s->topics.next; l != &s->topics; l = l->next) {
		struct il_topic *t = il_container_of(l, struct il_topic, node);
		while (!il_list_empty(&t->listeners)) {
			struct il_listener *m = il_container_of(t->listeners.next, struct il_listener, node);
			take_out(m);
			il_list_add(&round, &m->node);
		}
	}
	while (!il_list_empty(&s->topics))
		free_topic(il_container_of(s->topics.next, struct il_topic, node));
	while (!il_list_empty(&round)) {
		struct il_listener *m = il_container_of(round.next, struct il_listener, node);
		il_list_del(&m->node);
		m->down(m, err);
	}
}

void il_topics_drop(struct il_server *s)
{
	while (!il_list_empty(&s->topics)) {
		struct il_topic *t = il_container_of(s->topics.next, struct il_topic, node);
		while (!il_list_empty(&t->listeners))
			take_out(il_container_of(t->listeners.next, struct il_listener, node));
		free_topic(t);
	}
}
