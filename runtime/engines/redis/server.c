/* SPDX-License-Identifier: MIT
 *
 * A server, see server.h: its two connections, when they are made, and when they are given up. Requests stand in one list, in
 * their order: first those that were sent, then those that wait for a connection. Floor 2.
 */
#include "engines/redis/server_private.h"
#include "base/clock.h"
#include "engines/engine.h"
#include "engines/redis/face.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ns: between attempts to connect, and how long waits go on without a server. */
static const int64_t FIRST_PAUSE = 50000000, LONGEST_PAUSE = IL_SECOND, PATIENCE = 10 * IL_SECOND;

static struct il_list servers = IL_LIST_INIT(servers);

static void name_client(struct il_server *s)
{
	uint64_t random = (uint64_t)il_now() ^ (uint64_t)il_loop.pid << 32;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random *= UINT64_C(0x9e3779b97f4a7c15);
	snprintf(s->client, sizeof s->client, "%016llx", (unsigned long long)random);
}

void il_server_explain(struct il_server *s, const char *why)
{
	const struct il_url *u = s->url;
	if (u->local)
		snprintf(s->why, sizeof s->why, "redis server %s: %s", u->host, why);
	else
		snprintf(s->why, sizeof s->why, "redis server %s:%d: %s", u->host, u->port, why);
}

static int arm(struct il_server *s, int64_t due, int64_t now)
{
	s->due = due;
	il_timer_start(&s->timer, due > now ? due - now : 0);
	int err = il_timer_arm(&s->timer, false);
	if (err)
		s->due = 0;
	return err;
}

/* The next thing that is due: an answer, an attempt to connect, the end of patience. */
void il_server_schedule(struct il_server *s)
{
	int64_t now = il_now(), due = il_requests_due(s);
	for (int i = 0; i < 2; i++) {
		const struct il_line_up *l = &s->lines[i];
		int64_t next = l->retry_at ? l->retry_at : l->link.context && !l->link.up ? l->opening_until : IL_NEVER;
		due = next < due ? next : due;
	}
	if (due == IL_NEVER || (s->timer.item.place && s->due <= due))
		return;
	arm(s, due, now);
}

/* Once armed, it can be set to another time without memory. */
int il_server_watch(struct il_server *s, int64_t deadline)
{
	il_server_schedule(s);
	return s->timer.item.place ? 0 : arm(s, deadline, il_now());
}

static bool needed(const struct il_server *s, int which)
{
	return which == IL_REQUESTS ? !il_list_empty(&s->requests) : il_topics_wanted(s);
}

/* There is no connection. Whoever is patient waits for the next attempt, until patience has an end; the others are told. */
static void without(struct il_server *s, int which, int err, const char *why)
{
	struct il_line_up *l = &s->lines[which];
	int64_t now = il_now();
	il_server_explain(s, why);
	if (which == IL_TOPICS)
		il_topics_lost(s);
	if (!l->down_since)
		l->down_since = now;
	bool patient = s->users && now - l->down_since < PATIENCE;
	if (which == IL_REQUESTS)
		il_requests_lost(s, err, patient);
	else if (!patient)
		il_topics_down(s, err);
	if (!needed(s, which) || !patient)
		l->down_since = 0;
	if (!needed(s, which)) {
		l->retry_at = 0;
		il_server_rest(s);
		return;
	}
	l->pause = !l->pause ? FIRST_PAUSE : l->pause * 2 < LONGEST_PAUSE ? l->pause * 2 : LONGEST_PAUSE;
	l->failed = 0; /* of an attempt that who was told has just caused */
	l->retry_at = now + l->pause;
	il_server_schedule(s);
}

static int which_of(const struct il_link *link, struct il_server **s)
{
	struct il_line_up *l = il_container_of(link, struct il_line_up, link);
	*s = l->server;
	return (int)(l - l->server->lines);
}

static void opened(struct il_link *link)
{
	struct il_server *s;
	int which = which_of(link, &s);
	s->lines[which].down_since = s->lines[which].pause = 0;
	if (which == IL_REQUESTS)
		il_requests_opened(s);
	else
		il_topics_opened(s);
}

static void lost(struct il_link *link, int err, const char *why)
{
	struct il_server *s;
	int which = which_of(link, &s);
	without(s, which, err, why);
}

void il_server_fault(struct il_server *s, int err, const char *why)
{
	char copy[256];
	snprintf(copy, sizeof copy, "%s", why);
	il_link_close(&s->lines[IL_REQUESTS].link);
	without(s, IL_REQUESTS, err, copy);
}

static bool wanted(struct il_link *link)
{
	struct il_server *s;
	int which = which_of(link, &s);
	return needed(s, which);
}

void il_server_connect(struct il_server *s, int which)
{
	struct il_line_up *l = &s->lines[which];
	const char *why;
	if (l->link.context || l->retry_at)
		return;
	l->failed = il_link_open(&l->link, s->url, &why);
	if (l->failed) { /* is told on the loop: not while somebody makes a request */
		snprintf(l->why, sizeof l->why, "%s", why ? why : strerror(l->failed));
		l->retry_at = il_now();
	} else {
		l->opening_until = il_now() + s->url->timeout;
	}
	il_server_schedule(s);
}

static void retry(struct il_server *s, int which)
{
	struct il_line_up *l = &s->lines[which];
	int failed = l->failed;
	l->retry_at = l->failed = 0;
	if (failed)
		without(s, which, failed, l->why);
	else if (needed(s, which))
		il_server_connect(s, which);
}

static void expired(struct il_timer *t)
{
	struct il_server *s = il_container_of(t, struct il_server, timer);
	int64_t now = il_now();
	s->users++; /* who is told may put it */
	s->due = 0;
	if (il_requests_due(s) <= now)
		il_link_look(&s->lines[IL_REQUESTS].link); /* Lua may have been busy all the time */
	if (il_requests_due(s) <= now) {
		il_link_close(&s->lines[IL_REQUESTS].link);
		without(s, IL_REQUESTS, ETIMEDOUT, "no answer in time");
	}
	for (int i = 0; i < 2; i++) {
		struct il_line_up *l = &s->lines[i];
		if (l->link.context && !l->link.up && l->opening_until <= now) {
			il_link_close(&l->link);
			without(s, i, ETIMEDOUT, "no answer in time");
		} else if (l->retry_at && l->retry_at <= now) {
			retry(s, i);
		}
	}
	il_server_schedule(s);
	il_server_put(s);
}

static struct il_server *make(struct il_url *url)
{
	struct il_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->url = url;
	s->timer.expired = expired;
	for (int i = 0; i < 2; i++) {
		struct il_link *link = &s->lines[i].link;
		s->lines[i].server = s;
		link->opened = opened;
		link->lost = lost;
		link->wanted = wanted;
		il_poller_init(&link->writer, NULL, NULL);
	}
	il_list_init(&s->requests);
	il_list_init(&s->faces);
	il_list_init(&s->topics);
	s->pid = il_loop.pid;
	name_client(s);
	il_list_add(&servers, &s->node);
	return s;
}

int il_server_get(const struct il_url *url, struct il_server **result)
{
	for (struct il_list *l = servers.next; l != &servers; l = l->next) {
		struct il_server *s = il_container_of(l, struct il_server, node);
		if (il_url_same_server(s->url, url)) {
			s->users++;
			*result = s;
			return 0;
		}
	}
	struct il_url *copy = il_url_copy(url);
	struct il_server *s = copy ? make(copy) : NULL;
	if (!s) {
		free(copy);
		return ENOMEM;
	}
	s->users = 1;
	*result = s;
	return 0;
}

static void free_server(struct il_server *s)
{
	il_requests_drop(s);
	il_topics_drop(s);
	for (int i = 0; i < 2; i++)
		il_link_close(&s->lines[i].link);
	il_timer_disarm(&s->timer);
	il_list_del(&s->node);
	free(s->url);
	free(s);
}

/* A connection that is closed while answers are on their way may take with it what was said: so it stays until they came. */
void il_server_put(struct il_server *s)
{
	if (--s->users)
		return;
	il_server_flush(s);
	if (il_list_empty(&s->requests))
		free_server(s);
}

/* Not here: hiredis may be calling. */
void il_server_rest(struct il_server *s)
{
	if (s->users || !il_list_empty(&s->requests))
		return;
	il_timer_start(&s->timer, 0);
	il_timer_arm(&s->timer, false);
}

void il_server_flush(struct il_server *s)
{
	il_link_flush(&s->lines[IL_REQUESTS].link);
}

const char *il_server_client(struct il_server *s)
{
	return s->client;
}

int64_t il_server_lease(const struct il_server *s)
{
	return s->url->lease;
}

void il_servers_after_fork(void)
{
	for (struct il_list *l = servers.next; l != &servers; l = l->next) {
		struct il_server *s = il_container_of(l, struct il_server, node);
		for (int i = 0; i < 2; i++) {
			struct il_line_up *line = &s->lines[i];
			il_link_close(&line->link);
			line->retry_at = line->down_since = line->pause = 0;
			line->failed = 0;
		}
		il_requests_drop(s);
		il_topics_drop(s);
		il_timer_disarm(&s->timer);
		s->due = 0;
		s->pid = il_loop.pid;
		name_client(s);
		for (struct il_list *f = s->faces.next; f != &s->faces; f = f->next) {
			struct il_face *face = il_container_of(f, struct il_face, node);
			face->remote.request = NULL;
			if (face->forked)
				face->forked(face);
		}
	}
}

/* At the end: what was said last is answered, or a moment has passed. */
void il_servers_fini(void)
{
	while (!il_list_empty(&servers)) {
		struct il_server *s = il_container_of(servers.next, struct il_server, node);
		if (s->pid == il_loop.pid && !il_list_empty(&s->requests))
			il_link_drain(&s->lines[IL_REQUESTS].link);
		free_server(s);
	}
}
