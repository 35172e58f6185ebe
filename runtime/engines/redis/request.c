/* SPDX-License-Identifier: MIT
 *
 * Requests, see request.h. Floor 2.
 */
#include "engines/redis/request.h"
#include "base/clock.h"
#include "engines/redis/face.h"
#include "engines/redis/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct il_request *of_node(struct il_list *node)
{
	return il_container_of(node, struct il_request, node);
}

/* Answers ---------------------------------------------------------------------------------------------- */

void il_request_free(struct il_request *r)
{
	il_list_del(&r->node);
	il_list_del(&r->mine);
	if (r->face && r->face->remote.request == r)
		r->face->remote.request = NULL;
	if (r->command)
		redisFreeCommand(r->command);
	if (r->reply)
		freeReplyObject(r->reply);
	free(r);
}

/* Whoever wants to know is told; out of the server's list. */
static void tell(struct il_request *r, int err)
{
	struct il_server *s = r->server;
	il_list_del(&r->node);
	r->err = err;
	r->done = true;
	if (r->answered) {
		r->answered(r);
	} else if (r->op) {
		struct il_op *op = r->op;
		r->op = NULL;
		il_op_finish(op, 0);
	} else {
		il_request_free(r);
	}
	il_server_rest(s);
}

static void reload(struct il_server *s);


/* The server does not know the script, any more: it did nothing, and will be asked again. */
static void unknown_script(struct il_request *r)
{
	struct il_server *s = r->server;
	s->reloading = true;
	r->sent = false;
	for (struct il_list *l = s->requests.next; l != &s->requests; l = l->next)
		if (of_node(l)->sent)
			return;
	reload(s);
}

static void on_reply(redisAsyncContext *context, void *data, void *request)
{
	redisReply *reply = data;
	struct il_request *r = request;
	struct il_link *link = context->data;
	if (!reply || link->context != context) /* it is lost, and that is told elsewhere */
		return;
	if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
		unknown_script(r);
		return;
	}
	bool last = r->server->reloading;
	struct il_server *s = r->server;
	il_link_keep(reply);
	r->reply = reply;
	s->users++;
	tell(r, 0);
	for (struct il_list *l = s->requests.next; last && l != &s->requests; l = l->next)
		last = !of_node(l)->sent;
	if (last)
		reload(s);
	s->users--;
	il_server_rest(s);
}

/* Sending ---------------------------------------------------------------------------------------------- */

static bool may_send(const struct il_server *s)
{
	return s->lines[IL_REQUESTS].link.up && !s->loads && !s->reloading;
}

static void send_request(struct il_request *r)
{
	r->sent_at = il_now();
	r->sent = il_link_say(&r->server->lines[IL_REQUESTS].link, r->command, r->size, on_reply, r) == 0;
}

static void send_all(struct il_server *s)
{
	for (struct il_list *l = s->requests.next; l != &s->requests && may_send(s); l = l->next)
		if (!of_node(l)->sent)
			send_request(of_node(l));
}

static void loaded(redisAsyncContext *context, void *data, void *server)
{
	struct il_server *s = server;
	struct il_link *link = context->data;
	const redisReply *reply = data;
	if (!reply || link->context != context)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		il_server_fault(s, EPROTO, reply->str);
	else if (--s->loads == 0)
		send_all(s);
}

static void load(struct il_server *s, size_t i)
{
	const struct il_script_source *script = il_script(i);
	char *command;
	int size = redisFormatCommand(&command, "SCRIPT LOAD %b", script->source, script->size);
	if (size < 0)
		return;
	if (il_link_say(&s->lines[IL_REQUESTS].link, command, (size_t)size, loaded, s) == 0)
		s->loads++;
	redisFreeCommand(command);
}

/* Which scripts does the server know? Those that it does not are loaded. */
static void known(redisAsyncContext *context, void *data, void *server)
{
	struct il_server *s = server;
	struct il_link *link = context->data;
	const redisReply *reply = data;
	if (!reply || link->context != context)
		return;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != IL_SCRIPTS) {
		il_server_fault(s, EPROTO, reply->type == REDIS_REPLY_ERROR ? reply->str : "no server of scripts");
		return;
	}
	for (size_t i = 0; i < IL_SCRIPTS; i++)
		if (reply->element[i]->integer != 1)
			load(s, i);
	if (--s->loads == 0)
		send_all(s);
}

static void reload(struct il_server *s)
{
	const char *argv[2 + IL_SCRIPTS] = { "SCRIPT", "EXISTS" };
	char *command;
	for (size_t i = 0; i < IL_SCRIPTS; i++)
		argv[2 + i] = il_script(i)->digest;
	s->reloading = false;
	s->loads = 0;
	int size = redisFormatCommandArgv(&command, 2 + IL_SCRIPTS, argv, NULL);
	if (size < 0)
		return;
	if (il_link_say(&s->lines[IL_REQUESTS].link, command, (size_t)size, known, s) == 0)
		s->loads = 1;
	redisFreeCommand(command);
}

void il_requests_opened(struct il_server *s)
{
	for (struct il_list *l = s->requests.next; l != &s->requests; l = l->next)
		if (of_node(l)->flags & IL_PATIENT)
			of_node(l)->deadline = il_time_add(il_now(), s->url->timeout);
	reload(s);
	il_server_schedule(s);
}

static struct il_request *make(const struct il_call *c, enum il_request_flags flags)
{
	struct il_request *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	il_list_init(&r->node);
	il_list_init(&r->mine);
	r->server = c->face->server;
	r->face = c->face;
	r->script = c->script;
	r->plain = c->command;
	r->flags = flags;
	if (il_call_format(c, &r->command, &r->size)) {
		il_request_free(r);
		return NULL;
	}
	return r;
}

static struct il_request *post(const struct il_call *c, enum il_request_flags flags)
{
	struct il_server *s = c->face->server;
	if (s->pid != il_loop.pid)
		il_servers_after_fork();
	struct il_request *r = make(c, flags);
	if (!r)
		return NULL;
	r->sent_at = il_now();
	r->deadline = il_time_add(r->sent_at, s->url->timeout);
	il_list_add(&s->requests, &r->node);
	if (il_server_watch(s, r->deadline)) {
		il_request_free(r);
		return NULL;
	}
	if (may_send(s))
		send_request(r);
	il_server_schedule(s);
	return r;
}

int il_request_make(const struct il_call *c, enum il_request_flags flags, void (*answered)(struct il_request *r),
		    void *owner, struct il_request **result)
{
	struct il_request *r = post(c, flags);
	if (!r)
		return ENOMEM;
	struct il_server *s = r->server;
	r->answered = answered;
	r->owner = owner;
	if (!answered)
		r->face = NULL; /* which may be gone by then */
	if (result)
		*result = r;
	il_server_connect(s, IL_REQUESTS);
	return 0;
}

int il_request_ask(const struct il_call *c, enum il_request_flags flags)
{
	struct il_face *f = c->face;
	struct il_request *r = post(c, flags);
	if (!r)
		return ENOMEM;
	f->remote.request = r;
	il_list_add(&f->requests, &r->mine);
	il_server_connect(r->server, IL_REQUESTS);
	return EINPROGRESS;
}

void il_request_forget(struct il_request *r)
{
	if (r->done) {
		il_request_free(r);
		return;
	}
	if (r->face && r->face->remote.request == r)
		r->face->remote.request = NULL;
	il_list_del(&r->mine);
	r->answered = NULL;
	r->op = NULL;
	r->owner = NULL;
	r->face = NULL;
}

/* Without a connection --------------------------------------------------------------------------------- */

int64_t il_requests_due(const struct il_server *s)
{
	for (struct il_list *l = s->requests.next; l != &s->requests; l = l->next) {
		const struct il_request *r = of_node(l);
		if (r->sent || s->loads || !(r->flags & IL_PATIENT))
			return r->deadline;
	}
	return IL_NEVER;
}

/* What may have happened must not be done again; what can be, waits for a connection if it is patient. Those who are told
 * may make new requests, which are for the next connection. */
void il_requests_lost(struct il_server *s, int err, bool patient)
{
	struct il_list round;
	int64_t deadline = il_time_add(il_now(), s->url->timeout);
	s->reloading = false;
	s->loads = 0;
	il_list_move(&s->requests, &round);
	s->users++;
	while (!il_list_empty(&round)) {
		struct il_request *r = of_node(round.next);
		bool sent = r->sent;
		r->sent = false;
		r->again |= sent;
		if (r->flags & IL_PATIENT && patient && (!sent || r->flags & IL_SAFE)) {
			r->deadline = deadline;
			il_list_del(&r->node);
			il_list_add(&s->requests, &r->node);
		} else if (sent && r->flags & IL_SAFE && patient && err != ETIMEDOUT && err != EACCES) {
			il_list_del(&r->node);
			il_list_add(&s->requests, &r->node);
		} else {
			tell(r, sent && !(r->flags & IL_SAFE) ? ECONNABORTED : err);
		}
	}
	s->users--;
}

void il_requests_drop(struct il_server *s)
{
	while (!il_list_empty(&s->requests)) {
		struct il_request *r = of_node(s->requests.next);
		if (r->op) /* in a forked child: the wait is about to be dropped */
			r->op->source = NULL;
		r->face = NULL;
		il_request_free(r);
	}
}

/* Waiting for an answer -------------------------------------------------------------------------------- */

static bool attempt(struct il_op *op)
{
	return ((struct il_request *)op->source)->done;
}

static int start(struct il_op *op)
{
	((struct il_request *)op->source)->op = op;
	return 0;
}

/* What it asked for is done all the same. */
static bool cancel(struct il_op *op)
{
	struct il_request *r = op->source;
	if (r && r->op == op)
		il_request_forget(r);
	return false;
}

const struct il_op_type il_request_answer = { "answer", attempt, start, cancel };
