/* SPDX-License-Identifier: MIT
 *
 * A server, see server.h: its connection, when it is made, and when it is given up. What was said and is not answered
 * stands in the list `expected`, in order: an answer belongs to the first. Floor 2.
 */
#include "engines/redis/client/server_private.h"
#include "base/fork.h"
#include "base/clock.h"
#include "engines/engine.h"
#include "engines/redis/face.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ns: between attempts to connect; how long waits go on without an answer; of silence before it is asked. */
static const int64_t FIRST_PAUSE = 50000000, LONGEST_PAUSE = IL_SECOND, PATIENCE = 10 * IL_SECOND,
		     SILENCE = 10 * IL_SECOND;

static const char LATE[] = "no answer in time", SENSELESS[] = "an answer that makes no sense";

static struct il_list servers = IL_LIST_INIT(servers);

static void name_client(struct il_server *s)
{
	uint64_t random = (uint64_t)il_now() ^ (uint64_t)il_fork.pid << 32;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random *= UINT64_C(0x9e3779b97f4a7c15);
	snprintf(s->client, sizeof s->client, "%016llx", (unsigned long long)random);
}

void il_server_explain(struct il_server *s, int err, const char *why)
{
	const struct il_url *u = s->url;
	s->err = err;
	if (u->local)
		snprintf(s->why, sizeof s->why, "redis server %s: %s", u->host, why);
	else
		snprintf(s->why, sizeof s->why, "redis server %s:%d: %s", u->host, u->port, why);
}

/* When ------------------------------------------------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When it is dead, or to be asked whether it is. */
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
	return il_subscriptions_wanted(s) ? s->heard_at + SILENCE : IL_NEVER;
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
	int64_t due = earlier(il_requests_due(s), health_due(s));
	if (due != IL_NEVER)
		il_server_watch(s, due);
}

/* Saying ----------------------------------------------------------------------------------------------- */

int il_server_say(struct il_server *s, struct il_expected *e, const char *command, size_t size)
{
	int err = il_connection_say(&s->connection, command, size);
	if (err)
		return err;
	e->at = il_now();
	il_list_add(&s->expected, &e->node);
	il_server_watch(s, il_time_add(e->at, s->timeout));
	return 0;
}

int il_server_tell(struct il_server *s, struct il_expected *e, int argc, const char *const *argv)
{
	char *command;
	size_t size;
	int err = il_resp_format(&command, &size, argc, argv, NULL);
	if (err)
		return err;
	err = il_server_say(s, e, command, size);
	free(command);
	return err;
}

static void forget_expected(struct il_server *s)
{
	struct il_list round;
	il_list_move(&s->expected, &round);
	while (!il_list_empty(&round)) {
		struct il_expected *e = il_container_of(round.next, struct il_expected, node);
		il_list_del(&e->node);
		e->answered(s, e, NULL);
	}
}

/* Hearing ---------------------------------------------------------------------------------------------- */

static void heard(struct il_server *s, struct il_reply *r)
{
	struct il_expected *first = il_container_of(s->expected.next, struct il_expected, node);
	s->heard_at = il_now();
	if (r->type == IL_REPLY_PUSH) {
		bool sound = il_subscriptions_pushed(s, r);
		il_reply_free(r);
		if (!sound)
			il_server_fault(s, EPROTO, SENSELESS);
	} else if (il_list_empty(&s->expected) || (first->pushed && r->type != IL_REPLY_ERROR)) {
		il_reply_free(r);
		il_server_fault(s, EPROTO, SENSELESS);
	} else {
		il_list_del(&first->node);
		first->answered(s, first, r);
	}
}

static struct il_server *server_of(const struct il_connection *c)
{
	return il_container_of(c, struct il_server, connection);
}

static void replied(struct il_connection *c, struct il_reply *r)
{
	struct il_server *s = server_of(c);
	s->users++;
	heard(s, r);
	s->users--;
	il_server_rest(s);
}

void il_server_answered(struct il_server *s)
{
	s->down_since = s->pause = 0;
}

static bool needed(const struct il_server *s)
{
	return !il_list_empty(&s->requests) || il_subscriptions_wanted(s);
}

static bool wanted(struct il_connection *c)
{
	return needed(server_of(c));
}

/* Losing ----------------------------------------------------------------------------------------------- */

/* There is no connection. What is patient waits for the next attempt, until patience has an end; the others are told.
 */
static void without(struct il_server *s, int err, const char *why)
{
	int64_t now = il_now();
	s->users++;
	s->up = s->holding = s->subscribing = false;
	s->refused = 0;
	memset(s->knows, 0, sizeof s->knows);
	il_server_explain(s, err, why);
	forget_expected(s);
	il_subscriptions_lost(s);
	if (!s->down_since)
		s->down_since = now;
	bool patient = s->users > 1 && now - s->down_since < PATIENCE;
	il_requests_lost(s, err, patient);
	if (!patient)
		il_subscriptions_down(s, err);
	s->users--;
	s->failed = 0; /* of an attempt that was caused by telling */
	s->retry_at = 0;
	if (!needed(s) || !patient)
		s->down_since = 0;
	if (!needed(s)) {
		il_server_rest(s);
		return;
	}
	s->pause = !s->pause ? FIRST_PAUSE : earlier(s->pause * 2, LONGEST_PAUSE);
	if (s->connection.phase == IL_CLOSED)
		s->retry_at = now + s->pause;
	schedule(s);
}

static void lost(struct il_connection *c, int err, const char *why)
{
	without(server_of(c), err, why);
}

void il_server_fault(struct il_server *s, int err, const char *why)
{
	char copy[256];
	snprintf(copy, sizeof copy, "%s", why);
	il_connection_close(&s->connection);
	without(s, err, copy);
}

/* Connecting ------------------------------------------------------------------------------------------- */

static void connected(struct il_connection *c)
{
	struct il_server *s = server_of(c);
	il_server_greet(s);
}

void il_server_greeted(struct il_server *s)
{
	s->up = true;
	s->users++;
	il_requests_send(s);
	il_subscriptions_opened(s);
	s->users--;
	schedule(s);
}

void il_server_connect(struct il_server *s)
{
	if (s->connection.phase != IL_CLOSED || s->retry_at)
		return;
	s->opening_until = il_time_add(il_now(), s->timeout);
	s->failed = il_connection_open(&s->connection, s->url);
	if (s->failed) /* is told on the loop: not while a request is made */
		s->retry_at = il_now();
	il_server_watch(s, s->failed ? s->retry_at : s->opening_until);
}

static void retry(struct il_server *s)
{
	int failed = s->failed;
	s->retry_at = s->failed = 0;
	if (failed)
		without(s, failed, strerror(failed));
	else if (needed(s))
		il_server_connect(s);
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
	if (il_server_tell(s, &s->ping, 1, argv))
		il_server_fault(s, ENOMEM, strerror(ENOMEM));
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
		il_server_fault(s, ETIMEDOUT, LATE);
}

static void expired(struct il_timer *t)
{
	struct il_server *s = il_container_of(t, struct il_server, timer);
	int64_t now = il_now();
	s->users++; /* to tell may end in a put */
	s->due = 0;
	if (earlier(il_requests_due(s), health_due(s)) <= now)
		il_connection_look(&s->connection); /* Lua may have been busy all the time */
	il_requests_expire(s, now);
	check_health(s, now);
	il_requests_send(s);
	schedule(s);
	il_server_put(s);
}

/* Life ------------------------------------------------------------------------------------------------- */

static struct il_fork_hook fork_hook = { .order = IL_FORK_REMOTE, .anew = il_servers_after_fork };

static struct il_server *make(struct il_url *url)
{
	struct il_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->url = url;
	s->timer.expired = expired;
	il_connection_init(&s->connection);
	s->connection.connected = connected;
	s->connection.replied = replied;
	s->connection.lost = lost;
	s->connection.wanted = wanted;
	for (int i = 0; i < IL_GREETINGS; i++)
		il_list_init(&s->greeting[i].node);
	il_list_init(&s->ping.node);
	il_list_init(&s->before_subscriptions.node);
	il_list_init(&s->expected);
	il_list_init(&s->requests);
	il_list_init(&s->faces);
	il_list_init(&s->subscriptions);
	for (int i = 0; i < IL_SUBSCRIPTION_BUCKETS; i++)
		il_list_init(&s->buckets[i]);
	s->generation = il_fork.generation;
	name_client(s);
	il_list_add(&servers, &s->node);
	il_fork_add(&fork_hook);
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

int il_server_get(const struct il_url *url, struct il_server **result)
{
	struct il_server *s = find(url);
	if (!s) {
		struct il_url *copy = il_url_copy(url);
		s = copy ? make(copy) : NULL;
		if (!s) {
			free(copy);
			return ENOMEM;
		}
	}
	s->users++;
	s->timeouts_differ |= s->timeout && s->timeout != url->timeout;
	s->timeout = later(s->timeout, url->timeout);
	*result = s;
	return 0;
}

static void free_server(struct il_server *s)
{
	il_connection_close(&s->connection);
	forget_expected(s);
	il_requests_drop(s);
	il_subscriptions_drop(s);
	il_timer_disarm(&s->timer);
	il_list_del(&s->node);
	free(s->url);
	free(s);
}

static void note_timeouts(struct il_server *s)
{
	int64_t longest = 0;
	for (struct il_list *l = s->faces.next; l != &s->faces; l = l->next)
		longest = later(longest, il_container_of(l, const struct il_face, node)->timeout);
	if (longest)
		s->timeout = longest;
}

/* A connection that is closed while answers are on their way may take with it what was said: so it stays until they
 * came. */
void il_server_put(struct il_server *s)
{
	if (--s->users) {
		if (s->timeouts_differ)
			note_timeouts(s);
		return;
	}
	il_server_flush(s);
	if (!s->users && il_list_empty(&s->requests))
		free_server(s);
}

/* Not here: the caller may be called by what would be freed. */
void il_server_rest(struct il_server *s)
{
	if (!s->users && il_list_empty(&s->requests))
		arm(s, 0);
}

void il_server_flush(struct il_server *s)
{
	s->users++;
	il_connection_flush(&s->connection);
	s->users--;
}

const char *il_server_client(struct il_server *s)
{
	return s->client;
}

bool il_server_evicts(const struct il_server *s)
{
	return s->evicts;
}

static void forked(struct il_server *s)
{
	il_connection_close(&s->connection);
	forget_expected(s);
	il_requests_drop(s);
	il_subscriptions_drop(s);
	il_timer_disarm(&s->timer);
	s->up = s->holding = s->subscribing = false;
	memset(s->knows, 0, sizeof s->knows);
	s->due = s->retry_at = s->down_since = s->pause = 0;
	s->failed = s->refused = s->in_flight = 0;
	s->generation = il_fork.generation;
	name_client(s);
	for (struct il_list *l = s->faces.next; l != &s->faces; l = l->next) {
		struct il_face *f = il_container_of(l, struct il_face, node);
		f->remote.request = NULL;
		if (f->forked)
			f->forked(f);
	}
}

void il_servers_after_fork(void)
{
	for (struct il_list *l = servers.next; l != &servers; l = l->next)
		forked(il_container_of(l, struct il_server, node));
}

/* At the end: what was said last is answered, or a moment has passed. */
void il_servers_fini(void)
{
	while (!il_list_empty(&servers)) {
		struct il_server *s = il_container_of(servers.next, struct il_server, node);
		if (il_fork_is_own(s->generation) && !il_list_empty(&s->requests))
			il_connection_drain(&s->connection);
		free_server(s);
	}
}
