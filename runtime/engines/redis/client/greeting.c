/* SPDX-License-Identifier: MIT
 *
 * What is sent first on a connection, see greeting.h, all at once: HELLO 3 with user and password; SELECT; CLIENT
 * TRACKING, by which the server tells that all data is lost (with OPTIN it tells nothing else); INFO, which says
 * whether keys are evicted. The last two may be refused. Floor 2.
 */
#include "engines/redis/client/greeting.h"
#include "engines/redis/client/reply.h"
#include "engines/redis/client/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HELLO, SELECT, TRACKING, INFO };

/* The value of a name in the answer to HELLO, or NULL. */
static const struct il_reply *field(const struct il_reply *r, const char *name)
{
	for (size_t i = 0; r->type == IL_REPLY_ARRAY && i + 1 < r->elements; i += 2)
		if (il_reply_text(r, i) && strcmp(il_reply_text(r, i), name) == 0)
			return il_reply_at(r, i + 1);
	return NULL;
}

static bool says(const struct il_reply *r, const char *name, const char *text)
{
	const struct il_reply *value = field(r, name);
	return value && value->type == IL_REPLY_STRING && strcmp(value->str, text) == 0;
}

static void on_hello(struct il_server *s, const struct il_reply *r)
{
	const struct il_reply *protocol = field(r, "proto");
	if (!protocol || protocol->type != IL_REPLY_INTEGER || protocol->integer != 3)
		il_server_fault(s, EPROTO, "it does not answer as a server of Redis");
	else if (says(r, "mode", "sentinel"))
		il_server_fault(s, EPROTO, "it is a sentinel (redis+sentinel://host/master/name)");
	else if (il_route_is_one_of_many(&s->route) && !says(r, "role", "master"))
		il_server_fault(s, EROFS, "it is a replica");
}

static void answered(struct il_request *q)
{
	struct il_server *s = q->server;
	const struct il_reply *r = q->reply;
	bool error = r->type == IL_REPLY_ERROR;
	char text[200];
	if (error && q->tag <= SELECT) {
		int err = il_error_of(r, text, sizeof text, NULL);
		bool old = il_reply_is_error(r, "ERR unknown command") || il_reply_is_error(r, "NOPROTO");
		il_server_fault(s, old ? EPROTONOSUPPORT : err,
			old ? "it is older than Redis 6, or does not speak RESP3 (HELLO 3)" : text);
	} else if (q->tag == HELLO) {
		on_hello(s, r);
	} else if (q->tag == INFO) {
		s->evicts = r->type == IL_REPLY_STRING && strstr(r->str, "maxmemory_policy:") &&
			!strstr(r->str, "maxmemory_policy:noeviction");
		il_server_greeted(s);
	}
}

static int say(struct il_server *s, int step, int argc, const char *const *argv)
{
	struct il_request *q;
	int err = il_request_control(s, argc, argv, answered, NULL, &q);
	if (!err)
		q->tag = step;
	return err;
}

void il_greeting_send(struct il_server *s)
{
	static const char *const tracking[] = { "CLIENT", "TRACKING", "ON", "OPTIN" },
				 *const info[] = { "INFO", "memory" };
	const struct il_url *u = s->url;
	const char *user = u->user ? u->user : "default";
	const char *hello[] = { "HELLO", "3", "SETNAME", u->client_name, "AUTH", user, u->password };
	char db[12];
	const char *select[] = { "SELECT", db };
	snprintf(db, sizeof db, "%d", u->db);
	int err = say(s, HELLO, u->password ? 7 : 4, hello);
	if (!err && u->db)
		err = say(s, SELECT, 2, select);
	if (!err)
		err = say(s, TRACKING, 4, tracking);
	if (!err)
		err = say(s, INFO, 2, info);
	if (err)
		il_server_fault(s, err, strerror(err));
}
