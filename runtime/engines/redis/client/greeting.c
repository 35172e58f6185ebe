/* SPDX-License-Identifier: MIT
 *
 * What is said first on a connection, all at once: HELLO 3 with name and password, SELECT; and, if the user may, that
 * we want to be told when all data is lost (what CLIENT TRACKING says of FLUSHALL; OPTIN: and of nothing else), and a
 * look whether keys are evicted. Floor 2.
 */
#include "engines/redis/client/server_private.h"

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

/* Names and values, and the protocol is 3. */
static bool is_hello(const struct il_reply *r)
{
	for (size_t i = 0; r->type == IL_REPLY_ARRAY && i + 1 < r->elements; i += 2) {
		const struct il_reply *name = r->element[i], *value = r->element[i + 1];
		if (name->type == IL_REPLY_STRING && strcmp(name->str, "proto") == 0)
			return value->type == IL_REPLY_INTEGER && value->integer == 3;
	}
	return false;
}

static void on_hello(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (r && r->type == IL_REPLY_ERROR) {
		refuse(s, r);
		return;
	}
	bool sound = !r || is_hello(r);
	il_reply_free(r);
	if (!sound)
		il_server_fault(s, EPROTO, "it does not answer as a server of Redis");
}

static void on_select(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (r && r->type == IL_REPLY_ERROR)
		refuse(s, r);
	else
		il_reply_free(r);
}

/* To be refused it does no harm. */
static void on_tracking(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)s, (void)e;
	il_reply_free(r);
}

/* The last of them. */
static void on_info(struct il_server *s, struct il_expected *e, struct il_reply *r)
{
	(void)e;
	if (!r)
		return;
	s->evicts = r->type == IL_REPLY_STRING && strstr(r->str, "maxmemory_policy:allkeys");
	il_reply_free(r);
	il_server_greeted(s);
}

static int say(struct il_server *s)
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
	s->greeting[2].answered = on_tracking;
	s->greeting[3].answered = on_info;
	int err = il_server_tell(s, &s->greeting[0], n, hello);
	if (!err && u->db)
		err = il_server_tell(s, &s->greeting[1], 2, select);
	if (!err)
		err = il_server_tell(s, &s->greeting[2], 4, tracking);
	return err ? err : il_server_tell(s, &s->greeting[3], 2, info);
}

void il_server_greet(struct il_server *s)
{
	int err = say(s);
	if (err)
		il_server_fault(s, err, strerror(err));
}
