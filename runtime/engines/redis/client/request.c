/* SPDX-License-Identifier: MIT
 *
 * Requests, see request.h. Floor 2.
 */
#include "engines/redis/client/request.h"
#include "base/fork.h"
#include "base/clock.h"
#include "base/reason.h"
#include "engines/redis/client/reply.h"
#include "engines/redis/object/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ERRNO = 4095 };

static const int64_t LATER = 50000000; /* ns */

static struct il_request *of_node(struct il_list *node)
{
	return il_container_of(node, struct il_request, node);
}

/* Answers ---------------------------------------------------------------------------------------------- */

/* A request that the server has not answered stays until the answer comes, or the connection is lost. */
void il_request_free(struct il_request *r)
{
	il_list_del(&r->node);
	il_list_del(&r->mine);
	free(r->command);
	il_reply_free(r->reply);
	r->command = NULL;
	r->reply = NULL;
	r->object = NULL;
	r->orphan = !il_list_empty(&r->expected.node);
	if (!r->orphan)
		free(r);
}

/* Ends the wait for it, and takes it out of the server's list. */
static void tell(struct il_request *r, int err)
{
	struct il_server *s = r->server;
	il_list_del(&r->node);
	r->err = err;
	r->done = true;
	if (r->answered) {
		r->answered(r);
	} else {
		il_request_free(r);
	}
	il_server_release_if_idle(s);
}

/* Sending ---------------------------------------------------------------------------------------------- */

static bool may_send(const struct il_server *s)
{
	return s->up && !s->holding;
}

/* The first request of a connection for a script has the script itself: a NOSCRIPT would take time, and the requests
 * behind it would happen before it. A request that takes messages back must never be overtaken, so it always has it. */
static int complete(struct il_request *r)
{
	bool *knows = &r->server->knows[r->script];
	if (r->plain || r->whole || (*knows && r->script != IL_SCRIPT_queue_putback))
		return 0;
	int err = il_command_make_whole(r->script, &r->command, &r->size);
	r->whole = !err;
	*knows |= r->whole;
	return err;
}

/* Without memory to send it, it is sent later. */
static void send_request(struct il_request *r)
{
	struct il_server *s = r->server;
	if (complete(r) || il_server_send(s, &r->expected, r->command, r->size)) {
		il_server_watch(s, il_time_add(il_now(), LATER));
		return;
	}
	r->sent_at = r->expected.at;
	r->sent = true;
	s->in_flight++;
}

static void send_all(struct il_server *s)
{
	for (struct il_list *l = s->requests.next; l != &s->requests && may_send(s); l = l->next)
		if (!of_node(l)->sent)
			send_request(of_node(l));
}

/* Nothing is sent until everything that was sent is answered, so that the order stays. */
static void hold(struct il_server *s, int refused)
{
	s->holding = true;
	if (refused)
		s->refused = refused;
}

static void go_on(struct il_server *s)
{
	int refused = s->refused;
	if (!s->holding || s->in_flight)
		return;
	s->holding = false;
	s->refused = 0;
	if (!refused)
		send_all(s);
	else if (refused == EREMOTE)
		il_server_move(s);
	else
		il_server_fault(s, refused, NULL);
}

static bool is_patient(const struct il_request *r)
{
	return r->flags & IL_PATIENT;
}

/* The server does not know the script any more. */
static bool is_forgotten(const struct il_request *r, const struct il_reply *reply)
{
	return !r->plain && !r->whole && il_reply_is_error(reply, "NOSCRIPT");
}

/* Another node has the keys. The first such answer is followed; all requests that were in flight then go along. */
static bool is_followed(struct il_server *s, const struct il_reply *reply)
{
	return il_reply_is_error(reply, "MOVED ") && (s->refused == EREMOTE || il_route_follow(&s->route, reply->str));
}

/* Has the server done nothing, so that the request is to be sent again? */
static bool is_refusal(struct il_request *r, const struct il_reply *reply)
{
	struct il_server *s = r->server;
	char text[200];
	if (reply->type != IL_REPLY_ERROR) {
		il_server_answered(s);
		return false;
	}
	if (is_forgotten(r, reply)) {
		memset(s->knows, 0, sizeof s->knows);
		hold(s, 0);
		return true;
	}
	if (is_followed(s, reply)) {
		hold(s, EREMOTE);
		return true;
	}
	if (!il_error_passes(reply)) {
		il_server_answered(s);
		return false;
	}
	int err = il_error_of(reply, text, sizeof text);
	il_server_explain(s, err, text);
	hold(s, err);
	return is_patient(r);
}

/* Scripts and commands answer with an array; a script's begins with 0 or an errno. After any other answer it cannot be
 * known any more which answer belongs to which request. */
static bool is_sound(const struct il_request *r, const struct il_reply *reply)
{
	if (reply->type == IL_REPLY_ERROR)
		return true;
	if (reply->type != IL_REPLY_ARRAY || !reply->elements)
		return false;
	const struct il_reply *first = reply->element[0];
	return r->plain || (first->type == IL_REPLY_INTEGER && first->integer >= 0 && first->integer <= MOST_ERRNO);
}

static void on_reply(struct il_server *s, struct il_expected *e, struct il_reply *reply)
{
	struct il_request *r = il_container_of(e, struct il_request, expected);
	bool told = r->done || r->orphan; /* it timed out before */
	if (r->orphan)
		free(r);
	if (!reply)
		return; /* without() tells the others */
	s->in_flight--;
	if (!told && !is_sound(r, reply)) {
		il_reply_free(reply);
		il_server_fault(s, EPROTO, "an answer that makes no sense");
		return;
	}
	if (!told) {
		r->sent = false;
		if (!is_refusal(r, reply)) {
			r->reply = reply;
			reply = NULL;
			tell(r, 0);
		}
	}
	il_reply_free(reply);
	go_on(s);
}

static struct il_request *make(const struct il_command *c, enum il_request_flags flags)
{
	struct il_request *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	il_list_init(&r->node);
	il_list_init(&r->mine);
	il_list_init(&r->expected.node);
	r->expected.answered = on_reply;
	r->server = c->object->server;
	r->object = c->object;
	r->script = c->script;
	r->plain = c->command;
	r->flags = flags;
	if (il_command_format(c, &r->command, &r->size)) {
		il_request_free(r);
		return NULL;
	}
	return r;
}

static struct il_request *post(const struct il_command *c, enum il_request_flags flags)
{
	struct il_server *s = c->object->server;
	if (!il_fork_is_own(s->generation))
		il_servers_after_fork();
	struct il_request *r = make(c, flags);
	if (!r)
		return NULL;
	r->sent_at = il_now();
	r->deadline = is_patient(r) ? IL_NEVER : il_time_add(r->sent_at, c->object->on_server.timeout);
	il_list_add(&s->requests, &r->node);
	if (il_server_watch(s, il_time_add(r->sent_at, c->object->on_server.timeout))) {
		il_request_free(r);
		return NULL;
	}
	if (may_send(s))
		send_request(r);
	return r;
}

int il_request_make(const struct il_command *c, enum il_request_flags flags, void (*answered)(struct il_request *r),
	void *owner, struct il_request **result)
{
	struct il_request *r = post(c, flags);
	if (!r)
		return ENOMEM;
	struct il_server *s = r->server;
	r->answered = answered;
	r->owner = owner;
	if (!answered)
		r->object = NULL; /* which may be gone by then */
	if (result)
		*result = r;
	il_server_connect(s);
	return 0;
}

void il_request_forget(struct il_request *r)
{
	if (r->done) {
		il_request_free(r);
		return;
	}
	il_list_del(&r->mine);
	r->answered = NULL;
	r->op = NULL;
	r->owner = NULL;
	r->object = NULL;
}

/* Without a connection --------------------------------------------------------------------------------- */

/* The deadlines of requests that are not patient. Those that are wait for the connection, which has its own times. */
static int64_t due(const struct il_server *s)
{
	int64_t first = IL_NEVER;
	for (struct il_list *l = s->requests.next; l != &s->requests; l = l->next)
		if (of_node(l)->deadline < first)
			first = of_node(l)->deadline;
	return first;
}

/* A round is a list of its own: waits that end may make new requests. */
static void expire(struct il_server *s, int64_t now)
{
	struct il_list round;
	il_list_init(&round);
	for (struct il_list *next, *l = s->requests.next; l != &s->requests; l = next) {
		next = l->next;
		if (of_node(l)->deadline <= now) {
			il_list_del(l);
			il_list_add(&round, l);
		}
	}
	while (!il_list_empty(&round)) {
		struct il_request *r = of_node(round.next);
		bool unknown = r->sent && !(r->flags & IL_SAFE),
		     tried = !r->sent && s->connection.phase != IL_CONNECTED && s->err;
		if (!tried)
			il_server_explain(s, ETIMEDOUT, "no answer in time");
		tell(r, unknown ? ECONNABORTED : tried ? s->err : ETIMEDOUT);
	}
	send_all(s); /* what there was no memory to send */
}

static void lost(struct il_server *s)
{
	s->in_flight = s->refused = 0;
	s->holding = false;
	memset(s->knows, 0, sizeof s->knows);
}

/* Unsafe requests that were sent fail with ECONNABORTED. Safe ones are sent again; patient ones also wait for a new
 * connection. Waits that end may make new requests, which are for the next connection. */
static void without(struct il_server *s, int err, bool patient)
{
	struct il_list round;
	il_list_move(&s->requests, &round);
	while (!il_list_empty(&round)) {
		struct il_request *r = of_node(round.next);
		bool sent = r->sent, safe = r->flags & IL_SAFE;
		r->sent = false;
		r->again |= sent;
		if (patient &&
			(is_patient(r) ? !sent || safe
				       : sent && safe && err != ETIMEDOUT && err != EACCES && err != EPROTO)) {
			il_list_del(&r->node);
			il_list_add(&s->requests, &r->node);
		} else {
			tell(r, sent && !safe ? ECONNABORTED : err);
		}
	}
}

static void drop(struct il_server *s)
{
	while (!il_list_empty(&s->requests)) {
		struct il_request *r = of_node(s->requests.next);
		if (r->op) /* in a forked child, which drops the wait */
			r->op->state = NULL;
		r->object = NULL;
		il_request_free(r);
	}
}

static bool wanted(const struct il_server *s)
{
	return !il_list_empty(&s->requests);
}

const struct il_server_part il_requests = {
	.wanted = wanted,
	.due = due,
	.expire = expire,
	.opened = send_all,
	.lost = lost,
	.without = without,
	.drop = drop,
};

/* Answers read ------------------------------------------------------------------------------------------ */

static int fail(struct il_request *r, int err)
{
	if (r->object)
		il_redis_object_explain(r->object);
	return il_because(err, "%s", r->server->why);
}

int il_request_status(struct il_request *r)
{
	char text[200];
	if (r->object)
		r->object->shared->why = NULL;
	if (r->err) {
		if (r->err == r->server->err || !r->server->why[0])
			return fail(r, r->err);
		return r->err == ECONNABORTED ? fail(r, r->err) : r->err;
	}
	if (r->reply->type == IL_REPLY_ERROR) {
		int err = il_error_of(r->reply, text, sizeof text);
		il_server_explain(r->server, err, text);
		return fail(r, err);
	}
	if (r->plain)
		return 0;
	int err = (int)il_reply_number(r, 0);
	if (err == EIDRM && r->object)
		r->object->shared->removed = true;
	return err;
}

int64_t il_reply_number(const struct il_request *r, size_t element)
{
	if (r->reply->type != IL_REPLY_ARRAY || element >= r->reply->elements)
		return 0;
	const struct il_reply *e = r->reply->element[element];
	return e->type == IL_REPLY_INTEGER ? e->integer : e->type == IL_REPLY_STRING ? strtoll(e->str, NULL, 10) : 0;
}

const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size)
{
	*size = 0;
	if (r->reply->type != IL_REPLY_ARRAY || element >= r->reply->elements ||
		r->reply->element[element]->type != IL_REPLY_STRING)
		return "";
	*size = r->reply->element[element]->len;
	return r->reply->element[element]->str;
}

size_t il_reply_count(const struct il_request *r)
{
	return r->reply->type == IL_REPLY_ARRAY ? r->reply->elements : 0;
}

bool il_reply_has_string(const struct il_request *r, size_t element)
{
	return element < il_reply_count(r) && r->reply->element[element]->type == IL_REPLY_STRING;
}

/* Taken out of the reply, not copied. */
int il_reply_take(struct il_request *r, size_t element, size_t skip, struct il_op *op)
{
	if (!il_reply_has_string(r, element) || r->reply->element[element]->len < skip)
		return EPROTO;
	struct il_reply *e = r->reply->element[element];
	op->data = memmove(e->str, e->str + skip, e->len - skip);
	op->size = e->len - skip;
	op->owned = true;
	e->str = NULL;
	e->len = 0;
	e->type = IL_REPLY_NIL;
	return 0;
}
