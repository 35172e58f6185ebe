/* SPDX-License-Identifier: MIT
 *
 * A server, see server.h: when it is connected to, and when it is given up. Floor 2.
 */
#include "engines/redis/client/server.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/redis/client/greeting.h"
#include "engines/redis/client/request.h"
#include "engines/redis/client/subscription.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ns: between rounds of attempts to connect; how long waits go on without an answer; of silence before a PING; until a
 * sentinel is watched again. */
static const int64_t FIRST_PAUSE = 50000000, LONGEST_PAUSE = IL_SECOND, PATIENCE = 10 * IL_SECOND,
		     SILENCE = 10 * IL_SECOND, WATCH_PAUSE = IL_SECOND;

static const char LATE[] = "no answer in time", SENSELESS[] = "an answer that makes no sense",
		  NO_TLS[] = "no TLS handshake in time (a server without TLS is redis://)";

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

static bool wanted(const struct il_server *s)
{
	return s->listeners || !il_list_empty(&s->requests);
}

static bool is_closed(const struct il_server *s)
{
	return s->connection.phase == IL_CLOSED && !s->querying;
}

/* Time --------------------------------------------------------------------------------------------------- */

int64_t il_server_timeout(struct il_server *s)
{
	if (!s->timeout)
		il_list_each(const struct il_server_object, o, &s->objects, node)
			s->timeout = later(s->timeout, o->timeout);
	return s->timeout;
}

/* When the connection is dead, or the server is to be asked whether it is. */
static int64_t health_due(struct il_server *s)
{
	if (is_closed(s))
		return s->retry_at ? s->retry_at : IL_NEVER;
	if (!s->up)
		return s->opening_until;
	const struct il_request *first = il_list_first(const struct il_request, &s->flying, flight);
	if (first)
		return il_time_add(later(first->sent_at, s->replied_at), il_server_timeout(s));
	return wanted(s) ? s->replied_at + SILENCE : IL_NEVER;
}

static int64_t next_due(struct il_server *s)
{
	int64_t due = earlier(il_requests_due(s), health_due(s));
	return s->watch_at ? earlier(due, s->watch_at) : due;
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
	int64_t due = next_due(s);
	if (due != IL_NEVER)
		il_server_watch(s, due);
}

/* Replies ------------------------------------------------------------------------------------------------ */

void il_server_flush(struct il_server *s)
{
	s->users++;
	il_connection_flush(&s->connection);
	s->users--;
}

/* Of both its connections. */
static struct il_server *server_of(const struct il_connection *c)
{
	return c->owner;
}

static void replied(struct il_connection *c, const struct il_reply *r)
{
	struct il_server *s = server_of(c);
	s->users++;
	s->replied_at = il_now();
	il_requests_reply(s, r);
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

static void ping(struct il_server *s)
{
	static const char *const argv[] = { "PING" };
	if (il_request_control(s, 1, argv, NULL, NULL, NULL))
		il_server_fault(s, ENOMEM, strerror(ENOMEM));
}

/* Connecting --------------------------------------------------------------------------------------------- */

static void connected(struct il_connection *c)
{
	il_greeting_send(server_of(c));
}

void il_server_greeted(struct il_server *s)
{
	s->up = true;
	s->users++;
	il_requests_up(s);
	il_subscriptions_up(s);
	s->users--;
	schedule(s);
}

/* The next node, or a sentinel that knows it. All hosts of the URL share the time that one would have. */
static void open_connection(struct il_server *s)
{
	const struct il_host *node = il_route_node(&s->route);
	s->opening_until = il_time_add(il_now(), il_server_timeout(s) / (s->url->hosts + s->url->sentinel));
	s->retry_at = 0;
	if (il_route_is_sentinel(&s->route)) {
		il_connection_close(&s->sentinel.connection);
		s->watch_at = 0;
		s->failed = il_connection_open(&s->sentinel.connection, s->url, node);
		s->querying = !s->failed;
	} else {
		s->failed = il_connection_open(&s->connection, s->url, node);
	}
	if (s->failed) /* the loop reports it: not while a request is made */
		s->retry_at = il_now();
	il_server_watch(s, s->failed ? s->retry_at : s->opening_until);
}

void il_server_connect(struct il_server *s)
{
	if (is_closed(s) && !s->retry_at)
		open_connection(s);
}

/* What was sent on the connection is not answered any more. */
static void disconnect(struct il_server *s)
{
	if (s->querying)
		il_connection_close(&s->sentinel.connection);
	il_connection_close(&s->connection);
	s->up = s->querying = false;
	il_requests_lost(s);
	il_subscriptions_lost(s);
	s->failed = 0;
	s->retry_at = 0;
}

void il_server_move(struct il_server *s)
{
	disconnect(s);
	open_connection(s);
	il_requests_without(s, ECONNABORTED, IL_LOST_MOVING);
}

/* The sentinel names the node that is connected to next, or another one than that which is. */
static void named(struct il_sentinel *t, const char *host, const char *port)
{
	struct il_server *s = server_of(&t->connection);
	bool first = s->querying;
	if (!first && il_route_is_named(&s->route, host, port))
		return;
	s->users++;
	if (il_route_name(&s->route, host, port)) {
		s->querying = false;
		if (first || s->up || wanted(s))
			il_server_move(s);
	} else if (first) {
		il_connection_fail(&t->connection, EPROTO, "what it names is no address of a master");
	}
	s->users--;
	il_server_release_if_idle(s);
}

/* The round of attempts is over. What is patient waits for the next one, until patience ends; all else fails. */
static void go_without(struct il_server *s, int err)
{
	int64_t now = il_now();
	if (!s->down_since)
		s->down_since = now;
	bool patient = s->users > 1 && now - s->down_since < PATIENCE;
	il_requests_without(s, err, patient ? IL_LOST_PATIENT : IL_LOST_FOR_GOOD);
	if (!patient)
		il_subscriptions_end(s, err);
	s->failed = 0; /* of an attempt that was caused by an end of a wait */
	s->retry_at = 0;
	if (!wanted(s) || !patient)
		s->down_since = 0;
	if (!wanted(s))
		return;
	s->pause = !s->pause ? FIRST_PAUSE : earlier(s->pause * 2, LONGEST_PAUSE);
	if (is_closed(s))
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

/* If the master is known, another sentinel is to be watched, later. */
static void sentinel_lost(struct il_connection *c, int err, const char *why)
{
	struct il_server *s = server_of(c);
	if (s->querying)
		lost(&s->connection, err, why);
	else
		s->watch_at = il_now() + WATCH_PAUSE;
	schedule(s);
}

static void watch_sentinel(struct il_server *s)
{
	s->watch_at = 0;
	if (!s->up)
		return;
	const struct il_host *host = il_route_next_sentinel(&s->route);
	if (il_connection_open(&s->sentinel.connection, s->url, host))
		s->watch_at = il_now() + WATCH_PAUSE;
}

void il_server_fault(struct il_server *s, int err, const char *why)
{
	lost(&s->connection, err, why ? why : err == EPROTO ? SENSELESS : NULL);
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

static bool shakes_hands(const struct il_server *s)
{
	return (s->querying ? &s->sentinel.connection : &s->connection)->phase == IL_SHAKING_HANDS;
}

static void check_health(struct il_server *s, int64_t now)
{
	if (s->watch_at && s->watch_at <= now)
		watch_sentinel(s);
	if (health_due(s) > now)
		return;
	if (is_closed(s))
		retry(s);
	else if (s->up && il_list_empty(&s->flying))
		ping(s);
	else
		il_server_fault(s, ETIMEDOUT, shakes_hands(s) ? NO_TLS : LATE);
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
	il_connection_fini(&s->sentinel.connection);
	il_connection_fini(&s->connection);
	il_requests_drop(s);
	il_subscriptions_end(s, 0);
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
	s->users++; /* what ends may put it */
	s->due = 0;
	if (next_due(s) <= now)
		il_connection_read(&s->connection); /* Lua may have been busy all the time */
	il_requests_expire(s, now);
	check_health(s, now);
	schedule(s);
	release(s);
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_REMOTE, .anew = il_servers_after_fork };

static struct il_server *make(struct il_url *url)
{
	struct il_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->url = il_url_keep(url);
	s->timer.expired = expired;
	il_route_init(&s->route, url);
	il_connection_init(&s->connection);
	s->connection.connected = connected;
	s->connection.replied = replied;
	s->connection.lost = lost;
	s->connection.wanted = connection_wanted;
	il_sentinel_init(&s->sentinel);
	s->sentinel.named = named;
	s->sentinel.connection.lost = sentinel_lost;
	s->sentinel.connection.wanted = connection_wanted;
	s->connection.owner = s->sentinel.connection.owner = s;
	il_list_init(&s->objects);
	il_list_init(&s->requests);
	il_list_init(&s->flying);
	for (int i = 0; i < IL_SUBSCRIPTION_BUCKETS; i++)
		il_list_init(&s->buckets[i]);
	s->generation = il_fork.generation;
	il_fork_add(&fork_hook);
	name_client(s);
	il_list_add(&il_redis_state()->servers, &s->node);
	return s;
}

static struct il_server *find(const struct il_url *url)
{
	il_list_each(struct il_server, s, &il_redis_state()->servers, node)
		if (il_url_same_server(s->url, url))
			return s;
	return NULL;
}

int il_server_get(struct il_url *url, struct il_server_object *o, struct il_server **result)
{
	struct il_server *s = find(url);
	if (!s)
		s = make(url);
	if (!s)
		return ENOMEM;
	s->users++;
	il_list_add(&s->objects, &o->node);
	s->timeout = 0;
	*result = s;
	return 0;
}

void il_server_put(struct il_server *s, struct il_server_object *o)
{
	il_list_del(&o->node);
	if (!il_list_empty(&s->objects))
		s->timeout = 0;
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
	il_connection_close(&s->sentinel.connection);
	il_requests_drop(s);
	il_subscriptions_end(s, 0);
	il_timer_disarm(&s->timer);
	il_route_restart(&s->route);
	s->due = s->down_since = s->pause = s->watch_at = 0;
	s->generation = il_fork.generation;
	name_client(s);
	il_list_each(struct il_server_object, o, &s->objects, node)
		o->forked(o);
}

void il_servers_after_fork(void)
{
	il_list_each(struct il_server, s, &il_redis_state()->servers, node)
		forked(s);
}

void il_servers_fini(void)
{
	il_list_drain(struct il_server, s, &il_redis_state()->servers, node) {
		if (il_fork_is_own(s->generation) && !il_list_empty(&s->requests))
			il_connection_drain(&s->connection);
		free_server(s);
	}
	il_requests_fini();
}
