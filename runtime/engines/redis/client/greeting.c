/* SPDX-License-Identifier: MIT
 *
 * What is sent first on a connection, see greeting.h, all at once: HELLO 3 with user and password; SELECT; CLIENT
 * TRACKING, by which the server tells that all data is lost (with OPTIN it tells nothing else); INFO, which says
 * whether keys are evicted. The last two may be refused. Floor 2.
 */
#include "engines/redis/client/greeting.h"
#include "engines/redis/client/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refuse(struct il_server *s, struct il_reply *r)
{
	char text[200];
	int err = il_error_of(r, text, sizeof text);
	bool old = il_reply_is_error(r, "ERR unknown command") || il_reply_is_error(r, "NOPROTO");
	il_reply_free(r);
	il_server_fault(s, old ? EPROTONOSUPPORT : err,
		old ? "it is older than Redis 6, or does not speak RESP3 (HELLO 3)" : text);
}

/* The value of a name in the answer to HELLO, or NULL. */
static const struct il_reply *field(const struct il_reply *r, const char *name)
{
	for (size_t i = 0; r->type == IL_REPLY_ARRAY && i + 1 < r->elements; i += 2)
		if (r->element[i]->type == IL_REPLY_STRING && strcmp(r->element[i]->str, name) == 0)
			return r->element[i + 1];
	return NULL;
}

static bool says(const struct il_reply *r, const char *name, const char *text)
{
	const struct il_reply *value = field(r, name);
	return value && value->type == IL_REPLY_STRING && strcmp(value->str, text) == 0;
}

static void on_hello(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (!r)
		return;
	if (r->type == IL_REPLY_ERROR) {
		refuse(s, r);
		return;
	}
	const struct il_reply *protocol = field(r, "proto");
	bool sound = protocol && protocol->type == IL_REPLY_INTEGER && protocol->integer == 3,
	     sentinel = says(r, "mode", "sentinel"),
	     replica = il_route_is_one_of_many(&s->route) && !says(r, "role", "master");
	il_reply_free(r);
	if (!sound)
		il_server_fault(s, EPROTO, "it does not answer as a server of Redis");
	else if (sentinel)
		il_server_fault(s, EPROTO, "it is a sentinel (redis+sentinel://host/master/name)");
	else if (replica)
		il_server_fault(s, EROFS, "it is a replica");
}

static void on_select(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (r && r->type == IL_REPLY_ERROR)
		refuse(s, r);
	else
		il_reply_free(r);
}

/* A refusal does no harm. */
static void on_any(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)s, (void)e;
	il_reply_free(r);
}

/* The answer to the last of the commands. */
static void on_info(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (!r)
		return;
	s->evicts = r->type == IL_REPLY_STRING && strstr(r->str, "maxmemory_policy:") &&
		!strstr(r->str, "maxmemory_policy:noeviction");
	il_reply_free(r);
	il_server_greeted(s);
}

static int greet(struct il_server *s)
{
	static const char *const tracking[] = { "CLIENT", "TRACKING", "ON", "OPTIN" },
				 *const info[] = { "INFO", "memory" };
	const struct il_url *u = s->url;
	const char *hello[7] = { "HELLO", "3" };
	char db[12];
	int n = 2;
	snprintf(db, sizeof db, "%d", u->db);
	if (u->password) {
		hello[n++] = "AUTH";
		hello[n++] = u->user ? u->user : "default";
		hello[n++] = u->password;
	}
	hello[n++] = "SETNAME";
	hello[n++] = u->client_name;
	const char *select[] = { "SELECT", db };
	s->greeting[0].answered = on_hello;
	s->greeting[1].answered = on_select;
	s->greeting[2].answered = on_any;
	s->greeting[3].answered = on_info;
	int err = il_server_send_words(s, &s->greeting[0], n, hello);
	if (!err && u->db)
		err = il_server_send_words(s, &s->greeting[1], 2, select);
	if (!err)
		err = il_server_send_words(s, &s->greeting[2], 4, tracking);
	return err ? err : il_server_send_words(s, &s->greeting[3], 2, info);
}

void il_greeting_send(struct il_server *s)
{
	int err = greet(s);
	if (err)
		il_server_fault(s, err, strerror(err));
}

/* Sentinels ---------------------------------------------------------------------------------------------- */

/* An array of host and port, or nil. */
static void on_master(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (!r)
		return;
	if (r->type == IL_REPLY_ERROR) {
		refuse(s, r);
		return;
	}
	bool address = r->type == IL_REPLY_ARRAY && r->elements == 2 && r->element[0]->type == IL_REPLY_STRING &&
		r->element[1]->type == IL_REPLY_STRING;
	bool known = address && il_route_name(&s->route, r->element[0]->str, r->element[1]->str);
	il_reply_free(r);
	if (known)
		il_server_move(s);
	else
		il_server_fault(s, EHOSTUNREACH, "it does not know a master of that name");
}

/* A sentinel may want the password, too. One that does not refuses it, which does no harm. */
void il_greeting_ask_sentinel(struct il_server *s)
{
	const struct il_url *u = s->url;
	const char *auth[] = { "AUTH", u->user ? u->user : u->password, u->password },
		   *ask[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME", u->master };
	s->greeting[0].answered = on_any;
	s->greeting[1].answered = on_master;
	int err = u->password ? il_server_send_words(s, &s->greeting[0], u->user ? 3 : 2, auth) : 0;
	if (!err)
		err = il_server_send_words(s, &s->greeting[1], 3, ask);
	if (err)
		il_server_fault(s, err, strerror(err));
}
