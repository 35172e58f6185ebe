/* SPDX-License-Identifier: MIT
 *
 * A server, see server.h: when it is connected to, and when it is given up. Commands that are not answered stand in the
 * list `expected`, in order: an answer belongs to the first. Floor 2.
 */
#include "engines/redis/client/server.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/redis/client/greeting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ns: between rounds of attempts to connect; how long waits go on without an answer; of silence before a PING. */
static const int64_t FIRST_PAUSE = 50000000, LONGEST_PAUSE = IL_SECOND, PATIENCE = 10 * IL_SECOND,
		     SILENCE = 10 * IL_SECOND;

static const char LATE[] = "no answer in time", SENSELESS[] = "an answer that makes no sense",
		  NO_TLS[] = "no TLS handshake in time (a server without TLS is redis://)";

static struct il_list servers = IL_LIST_INIT(servers);

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void il_server_explain(struct il_server *s, int err, const char *why)
{
	char node[300];
	s->err = err;
	il_route_show(&s->route, node, sizeof node);
	snprintf(s->why, sizeof s->why, "%s: %.*s", node, (int)(sizeof s->why - sizeof node - 2), why);
}

/* The parts --------------------------------------------------------------------------------------------- */

static bool wanted(const struct il_server *s)
{
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		if (s->part[i]->wanted(s))
			return true;
	return false;
}

static int64_t parts_due(const struct il_server *s)
{
	int64_t due = IL_NEVER;
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		due = earlier(due, s->part[i]->due ? s->part[i]->due(s) : IL_NEVER);
	return due;
}

static void expire(struct il_server *s, int64_t now)
{
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		if (s->part[i]->expire)
			s->part[i]->expire(s, now);
}

static bool pushed(struct il_server *s, struct il_reply *r)
{
	bool sound = false;
	for (int i = 0; i < IL_SERVER_PARTS && !sound; i++)
		sound = s->part[i]->pushed && s->part[i]->pushed(s, r);
	return sound;
}

static void drop_parts(struct il_server *s)
{
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		s->part[i]->drop(s);
}

/* Time --------------------------------------------------------------------------------------------------- */

/* When the connection is dead, or the server is to be asked whether it is. */
static int64_t health_due(const struct il_server *s)
{
	if (s->connection.phase == IL_CLOSED)
		return s->retry_at ? s->retry_at : IL_NEVER;
	if (!s->up)
		return s->opening_until;
	if (!il_list_empty(&s->expected)) {
		const struct il_expected *first = il_container_of(s->expected.next, const struct il_expected, node);
		return il_time_add(later(first->at, s->heard_at), s->timeout);
	}
	return wanted(s) ? s->heard_at + SILENCE : IL_NEVER;
}

static int arm(struct il_server *s, int64_t due)
{
	int64_t now = il_now();
	s->due = due;
	il_timer_start(&s->timer, due > now ? due - now : 0);
	int err = il_timer_arm(&s->timer, false);
	if (err)
		s->due = 0;
	return err;
}

int il_server_watch(struct il_server *s, int64_t deadline)
{
	return s->timer.item.place && s->due <= deadline ? 0 : arm(s, deadline);
}

static void schedule(struct il_server *s)
{
	int64_t due = earlier(parts_due(s), health_due(s));
	if (due != IL_NEVER)
		il_server_watch(s, due);
}

/* Commands and answers ----------------------------------------------------------------------------------- */

int il_server_send(struct il_server *s, struct il_expected *e, const char *command, size_t size)
{
	int err = il_connection_send(&s->connection, command, size);
	if (err)
		return err;
	e->at = il_now();
	il_list_add(&s->expected, &e->node);
	il_server_watch(s, il_time_add(e->at, s->timeout));
	return 0;
}

int il_server_send_words(struct il_server *s, struct il_expected *e, int argc, const char *const *argv)
{
	char *command;
	size_t size;
	int err = il_resp_format(&command, &size, argc, argv, NULL);
	if (err)
		return err;
	err = il_server_send(s, e, command, size);
	free(command);
	return err;
}

void il_server_flush(struct il_server *s)
{
	s->users++;
	il_connection_flush(&s->connection);
	s->users--;
}

static void dispatch(struct il_server *s, struct il_reply *r)
{
	struct il_expected *first = il_container_of(s->expected.next, struct il_expected, node);
	s->heard_at = il_now();
	if (r->type != IL_REPLY_PUSH && !il_list_empty(&s->expected) && (!first->pushed || r->type == IL_REPLY_ERROR)) {
		il_list_del(&first->node);
		first->answered(s, first, r);
		return;
	}
	bool sound = r->type == IL_REPLY_PUSH && pushed(s, r);
	il_reply_free(r);
	if (!sound)
		il_server_fault(s, EPROTO, SENSELESS);
}

static struct il_server *server_of(struct il_connection *c)
{
	return il_container_of(c, struct il_server, connection);
}

static void replied(struct il_connection *c, struct il_reply *r)
{
	struct il_server *s = server_of(c);
	s->users++;
	dispatch(s, r);
	s->users--;
	il_server_release_if_idle(s);
}

void il_server_answered(struct il_server *s)
{
	s->down_since = s->pause = 0;
}

static bool connection_wanted(struct il_connection *c)
{
	return wanted(server_of(c));
}

static void ponged(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)s, (void)e;
	il_reply_free(r);
}

static void ping(struct il_server *s)
{
	static const char *const argv[] = { "PING" };
	s->ping.answered = ponged;
	if (il_server_send_words(s, &s->ping, 1, argv))
		il_server_fault(s, ENOMEM, strerror(ENOMEM));
}

/* Connecting --------------------------------------------------------------------------------------------- */

static void connected(struct il_connection *c)
{
	struct il_server *s = server_of(c);
	if (il_route_is_sentinel(&s->route))
		il_greeting_ask_sentinel(s);
	else
		il_greeting_send(s);
}

void il_server_greeted(struct il_server *s)
{
	s->up = true;
	s->users++;
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		s->part[i]->opened(s);
	s->users--;
	schedule(s);
}

/* All hosts of the URL share the time that one would have. */
static void open_connection(struct il_server *s)
{
	s->opening_until = il_time_add(il_now(), s->timeout / (s->url->hosts + s->url->sentinel));
	s->failed = il_connection_open(&s->connection, s->url, il_route_node(&s->route));
	if (s->failed) /* the loop tells it: not while a request is made */
		s->retry_at = il_now();
	il_server_watch(s, s->failed ? s->retry_at : s->opening_until);
}

void il_server_connect(struct il_server *s)
{
	if (s->connection.phase == IL_CLOSED && !s->retry_at)
		open_connection(s);
}

/* What was sent on the connection is not answered any more. */
static void disconnect(struct il_server *s)
{
	il_connection_close(&s->connection);
	s->up = false;
	while (!il_list_empty(&s->expected)) {
		struct il_expected *e = il_container_of(s->expected.next, struct il_expected, node);
		il_list_del(&e->node);
		e->answered(s, e, NULL);
	}
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		s->part[i]->lost(s);
	s->failed = 0;
	s->retry_at = 0;
}

void il_server_move(struct il_server *s)
{
	disconnect(s);
	open_connection(s);
}

/* The round of attempts is over. What is patient waits for the next one, until patience ends; the rest is told. */
static void go_without(struct il_server *s, int err)
{
	int64_t now = il_now();
	if (!s->down_since)
		s->down_since = now;
	bool patient = s->users > 1 && now - s->down_since < PATIENCE;
	for (int i = 0; i < IL_SERVER_PARTS; i++)
		s->part[i]->without(s, err, patient);
	s->failed = 0; /* of an attempt that was caused by telling */
	s->retry_at = 0;
	if (!wanted(s) || !patient)
		s->down_since = 0;
	if (!wanted(s))
		return;
	s->pause = !s->pause ? FIRST_PAUSE : earlier(s->pause * 2, LONGEST_PAUSE);
	if (s->connection.phase == IL_CLOSED)
		s->retry_at = now + s->pause;
	schedule(s);
}

static void lost(struct il_connection *c, int err, const char *why)
{
	struct il_server *s = server_of(c);
	bool was_up = s->up;
	s->users++;
	if (why)
		il_server_explain(s, err, why);
	s->err = err;
	disconnect(s);
	if (was_up)
		il_route_restart(&s->route);
	if (!was_up && il_route_next(&s->route) && wanted(s))
		open_connection(s);
	else
		go_without(s, err);
	s->users--;
	il_server_release_if_idle(s);
}

void il_server_fault(struct il_server *s, int err, const char *why)
{
	lost(&s->connection, err, why);
}

static void retry(struct il_server *s)
{
	int failed = s->failed;
	s->retry_at = s->failed = 0;
	if (failed)
		il_server_fault(s, failed, strerror(failed));
	else if (wanted(s))
		il_server_connect(s);
}

static void check_health(struct il_server *s, int64_t now)
{
	if (health_due(s) > now)
		return;
	if (s->connection.phase == IL_CLOSED)
		retry(s);
	else if (s->up && il_list_empty(&s->expected))
		ping(s);
	else
		il_server_fault(s, ETIMEDOUT, s->connection.phase == IL_SHAKING_HANDS ? NO_TLS : LATE);
}

/* Life --------------------------------------------------------------------------------------------------- */

static void name_client(struct il_server *s)
{
	uint64_t random = (uint64_t)il_now() ^ (uint64_t)il_fork.pid << 32;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random *= UINT64_C(0x9e3779b97f4a7c15);
	snprintf(s->client, sizeof s->client, "%016llx", (unsigned long long)random);
}

const char *il_server_client(const struct il_server *s)
{
	return s->client;
}

static void free_server(struct il_server *s)
{
	disconnect(s);
	drop_parts(s);
	il_timer_disarm(&s->timer);
	il_list_del(&s->node);
	il_url_drop(s->url);
	free(s);
}

/* Not here: the caller may be called by what would be freed. */
void il_server_release_if_idle(struct il_server *s)
{
	if (!s->users && !wanted(s))
		arm(s, 0);
}

/* A connection that is closed while answers are on their way may take with it what was sent: so it stays until they
 * came. */
static void release(struct il_server *s)
{
	if (--s->users)
		return;
	il_server_flush(s);
	if (!s->users && il_list_empty(&s->requests))
		free_server(s);
}

static void expired(struct il_timer *t)
{
	struct il_server *s = il_container_of(t, struct il_server, timer);
	int64_t now = il_now();
	s->users++; /* what is told may put it */
	s->due = 0;
	if (earlier(parts_due(s), health_due(s)) <= now)
		il_connection_read(&s->connection); /* Lua may have been busy all the time */
	expire(s, now);
	check_health(s, now);
	schedule(s);
	release(s);
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_REMOTE, .anew = il_servers_after_fork };

static struct il_server *make(struct il_url *url, const struct il_server_part *const parts[IL_SERVER_PARTS])
{
	struct il_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->url = il_url_keep(url);
	s->part = parts;
	s->timer.expired = expired;
	il_route_init(&s->route, url);
	il_connection_init(&s->connection);
	s->connection.connected = connected;
	s->connection.replied = replied;
	s->connection.lost = lost;
	s->connection.wanted = connection_wanted;
	for (int i = 0; i < IL_GREETINGS; i++)
		il_list_init(&s->greeting[i].node);
	il_list_init(&s->ping.node);
	il_list_init(&s->before_subscriptions.node);
	il_list_init(&s->expected);
	il_list_init(&s->objects);
	il_list_init(&s->requests);
	il_list_init(&s->subscriptions);
	for (int i = 0; i < IL_SUBSCRIPTION_BUCKETS; i++)
		il_list_init(&s->buckets[i]);
	s->generation = il_fork.generation;
	il_fork_add(&fork_hook);
	name_client(s);
	il_list_add(&servers, &s->node);
	return s;
}

static struct il_server *find(const struct il_url *url)
{
	for (struct il_list *l = servers.next; l != &servers; l = l->next) {
		struct il_server *s = il_container_of(l, struct il_server, node);
		if (il_url_same_server(s->url, url))
			return s;
	}
	return NULL;
}

int il_server_get(struct il_url *url, const struct il_server_part *const parts[IL_SERVER_PARTS],
	struct il_server_object *o, struct il_server **result)
{
	struct il_server *s = find(url);
	if (!s)
		s = make(url, parts);
	if (!s)
		return ENOMEM;
	s->users++;
	il_list_add(&s->objects, &o->node);
	s->timeouts_differ |= s->timeout && s->timeout != o->timeout;
	s->timeout = later(s->timeout, o->timeout);
	*result = s;
	return 0;
}

static void note_timeouts(struct il_server *s)
{
	int64_t longest = 0;
	for (struct il_list *l = s->objects.next; l != &s->objects; l = l->next)
		longest = later(longest, il_container_of(l, const struct il_server_object, node)->timeout);
	if (longest)
		s->timeout = longest;
}

void il_server_put(struct il_server *s, struct il_server_object *o)
{
	il_list_del(&o->node);
	if (s->timeouts_differ)
		note_timeouts(s);
	release(s);
}

void il_server_read(struct il_server *s)
{
	s->users++;
	il_connection_read(&s->connection);
	release(s);
}

static void forked(struct il_server *s)
{
	disconnect(s);
	drop_parts(s);
	il_timer_disarm(&s->timer);
	il_route_restart(&s->route);
	s->due = s->down_since = s->pause = 0;
	s->generation = il_fork.generation;
	name_client(s);
	for (struct il_list *l = s->objects.next; l != &s->objects; l = l->next) {
		struct il_server_object *o = il_container_of(l, struct il_server_object, node);
		o->forked(o);
	}
}

void il_servers_after_fork(void)
{
	for (struct il_list *l = servers.next; l != &servers; l = l->next)
		forked(il_container_of(l, struct il_server, node));
}

void il_servers_fini(void)
{
	while (!il_list_empty(&servers)) {
		struct il_server *s = il_container_of(servers.next, struct il_server, node);
		if (il_fork_is_own(s->generation) && !il_list_empty(&s->requests))
			il_connection_drain(&s->connection);
		free_server(s);
	}
}
