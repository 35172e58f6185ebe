/* SPDX-License-Identifier: MIT
 *
 * A connection to a sentinel, see sentinel.h. It speaks RESP2, which every sentinel does: there a push is an array.
 * Floor 2.
 */
#include "engines/redis/client/sentinel.h"
#include "engines/redis/client/reply.h"
#include "engines/redis/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { AUTH, MASTER, EVENTS }; /* answers */

static struct il_sentinel *sentinel_of(struct il_connection *c)
{
	return il_container_of(c, struct il_sentinel, connection);
}

static int say(struct il_sentinel *s, int argc, const char *const *argv)
{
	struct il_resp *w = &il_redis_state()->command;
	size_t start;
	int err = il_resp_write(w, argc, argv, &start);
	return err ? err : il_connection_send(&s->connection, w->bytes + start, w->size - start);
}

/* A sentinel may want the password, too. One that does not refuses it, which does no harm. */
static void connected(struct il_connection *c)
{
	struct il_sentinel *s = sentinel_of(c);
	const struct il_url *u = c->url;
	const char *auth[] = { "AUTH", u->user ? u->user : u->password, u->password },
		   *master[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME", u->master },
		   *events[] = { "SUBSCRIBE", "+switch-master" };
	s->step = u->password ? AUTH : MASTER;
	int err = u->password ? say(s, u->user ? 3 : 2, auth) : 0;
	if (!err)
		err = say(s, 3, master);
	if (!err)
		err = say(s, 2, events);
	if (err)
		il_connection_fail(c, err, strerror(err));
}

/* An array of host and port, or nil. */
static void on_master(struct il_sentinel *s, const struct il_reply *r)
{
	char text[200];
	s->step = EVENTS;
	if (r->type == IL_REPLY_ERROR) {
		int err = il_error_of(r, text, sizeof text, NULL);
		il_connection_fail(&s->connection, err, text);
	} else if (r->type == IL_REPLY_ARRAY && il_reply_text(r, 0) && il_reply_text(r, 1)) {
		s->named(s, il_reply_text(r, 0), il_reply_text(r, 1));
	} else {
		il_connection_fail(&s->connection, EHOSTUNREACH, "it does not know a master of that name");
	}
}

/* "name host port host port": the second address is the new one. Without the right to events the address is asked for
 * when the master is lost. */
static void on_event(struct il_sentinel *s, const struct il_reply *r)
{
	char text[700], *word[5], *place;
	const char *event = r->type == IL_REPLY_ARRAY ? il_reply_text(r, 2) : NULL;
	int words = 0;
	snprintf(text, sizeof text, "%s", event ? event : "");
	for (char *w = strtok_r(text, " ", &place); w && words < 5; w = strtok_r(NULL, " ", &place))
		word[words++] = w;
	if (words == 5 && strcmp(word[0], s->connection.url->master) == 0)
		s->named(s, word[3], word[4]);
}

static void replied(struct il_connection *c, const struct il_reply *r)
{
	struct il_sentinel *s = sentinel_of(c);
	switch (s->step) {
	case AUTH: s->step = MASTER; break;
	case MASTER: on_master(s, r); break;
	default: on_event(s, r); break;
	}
}

void il_sentinel_init(struct il_sentinel *s)
{
	il_connection_init(&s->connection);
	s->connection.connected = connected;
	s->connection.replied = replied;
}
