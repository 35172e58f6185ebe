/* SPDX-License-Identifier: MIT
 *
 * Requests, see request.h. Floor 2.
 */
#define IL_SCRIPT_SOURCES
#include "engines/redis/request.h"
#include "base/clock.h"
#include "engines/redis/face.h"
#include "engines/redis/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 512, KEYS_MAX = 8, WORDS = 3 + KEYS_MAX };

static struct il_request *of_node(struct il_list *node)
{
	return il_container_of(node, struct il_request, node);
}

/* Calls ------------------------------------------------------------------------------------------------ */

void il_call_init(struct il_call *c, struct il_face *f, enum il_script script)
{
	c->face = f;
	c->script = script;
	c->count = 0;
}

void il_call_bytes(struct il_call *c, const void *bytes, size_t size)
{
	c->argv[c->count] = size ? bytes : "";
	c->size[c->count++] = size;
}

void il_call_text(struct il_call *c, const char *text)
{
	il_call_bytes(c, text, strlen(text));
}

void il_call_number(struct il_call *c, int64_t n)
{
	char *digits = c->numbers[c->count];
	int size = snprintf(digits, sizeof c->numbers[0], "%lld", (long long)n);
	il_call_bytes(c, digits, (size_t)size);
}

/* "EVALSHA digest n base:word... argument..." */
static int format(const struct il_call *c, char **command, size_t *size)
{
	const struct il_script_source *script = &il_script_sources[c->script];
	const char *argv[WORDS + IL_CALL_ARGUMENTS];
	size_t lengths[WORDS + IL_CALL_ARGUMENTS];
	char keys[KEYS_MAX][KEY_MAX], number[8];
	int count = 0, n = 0;
	for (const char *word = script->keys; *word && n < KEYS_MAX; n++) {
		int length = (int)strcspn(word, " ");
		snprintf(keys[n], KEY_MAX, "%s:%.*s", c->face->base, length, word);
		word += length;
		word += *word == ' ';
	}
	snprintf(number, sizeof number, "%d", n);
	argv[count++] = "EVALSHA";
	argv[count++] = script->digest;
	argv[count++] = number;
	for (int i = 0; i < n; i++)
		argv[count++] = keys[i];
	for (int i = 0; i < count; i++)
		lengths[i] = strlen(argv[i]);
	memcpy(argv + count, c->argv, (size_t)c->count * sizeof *argv);
	memcpy(lengths + count, c->size, (size_t)c->count * sizeof *lengths);
	int length = redisFormatCommandArgv(command, count + c->count, argv, lengths);
	*size = length > 0 ? (size_t)length : 0;
	return length > 0 ? 0 : ENOMEM;
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
	const struct il_script_source *script = &il_script_sources[i];
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
		argv[2 + i] = il_script_sources[i].digest;
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
	r->flags = flags;
	if (format(c, &r->command, &r->size)) {
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
	if (!answered)
		il_server_flush(s);
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

/* For callers ------------------------------------------------------------------------------------------ */

static int fail(struct il_request *r, int err)
{
	static char why[sizeof r->server->why]; /* outlives the server */
	memcpy(why, r->server->why, sizeof why);
	il_remote_why = why;
	if (r->face)
		r->face->remote.why = r->server->why;
	return err;
}

static int error_of(struct il_request *r)
{
	static const struct {
		const char *word;
		int err;
	} errors[] = {
		{ "OOM", ENOMEM },       { "NOAUTH", EACCES },     { "WRONGPASS", EACCES }, { "NOPERM", EACCES },
		{ "READONLY", EROFS },   { "LOADING", EBUSY },    { "MISCONF", EIO },      { "CLUSTERDOWN", EIO },
		{ "MOVED", EREMOTE },    { "WRONGTYPE", EINVAL },  { "BUSY", EBUSY },
	};
	il_server_explain(r->server, r->reply->str);
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (strstr(r->reply->str, errors[i].word))
			return fail(r, errors[i].err);
	return fail(r, EPROTO);
}

int il_request_status(struct il_request *r)
{
	il_remote_why = NULL;
	if (r->face)
		r->face->remote.why = NULL;
	if (r->err)
		return fail(r, r->err);
	if (r->reply->type == REDIS_REPLY_ERROR)
		return error_of(r);
	return (int)il_reply_number(r, 0);
}

int64_t il_reply_number(const struct il_request *r, size_t element)
{
	if (r->reply->type != REDIS_REPLY_ARRAY || element >= r->reply->elements)
		return 0;
	const redisReply *e = r->reply->element[element];
	return e->type == REDIS_REPLY_INTEGER ? e->integer : e->type == REDIS_REPLY_STRING ? strtoll(e->str, NULL, 10) : 0;
}

const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size)
{
	*size = 0;
	if (r->reply->type != REDIS_REPLY_ARRAY || element >= r->reply->elements ||
	    r->reply->element[element]->type != REDIS_REPLY_STRING)
		return "";
	*size = r->reply->element[element]->len;
	return r->reply->element[element]->str;
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
