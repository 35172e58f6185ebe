/* SPDX-License-Identifier: MIT
 *
 * Requests, see request.h. This file alone has the text of the scripts. Floor 2.
 */
#define IL_SCRIPT_SOURCES
#include "engines/redis/client/request.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/redis/client/reply.h"
#include "engines/redis/client/subscription.h"
#include "engines/redis/object/object.h"
#include "engines/redis/state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ERRNO = 4095, KEY_MAX = 512, MOST_SPARE = 64, KEPT = 4 << 10 };

static const int64_t LATER = 50000000; /* ns */

/* Commands --------------------------------------------------------------------------------------------- */

static struct il_resp *writer(void)
{
	return &il_redis_state()->command;
}

static void key(const struct il_redis_object *f, const char *word, size_t size)
{
	char text[KEY_MAX];
	char *end = mempcpy(mempcpy(text, f->base, f->base_size), ":", 1);
	end = mempcpy(end, word, size);
	il_resp_word(writer(), text, (size_t)(end - text));
}

static void begin(struct il_command *c, struct il_redis_object *f, enum il_script script, bool is_plain)
{
	*c = (struct il_command){ f, script, ++il_redis_state()->begun, is_plain };
	il_resp_begin(writer());
}

/* "EVALSHA digest n base:word..." */
void il_command_init(struct il_command *c, struct il_redis_object *f, enum il_script script)
{
	begin(c, f, script, false);
	il_resp_append(writer(), il_script_sources[script].head, IL_SCRIPT_HEAD + IL_SCRIPT_KEYS, 3);
	for (const char *word = il_script_sources[script].keys; *word;) {
		size_t size = strcspn(word, " ");
		key(f, word, size);
		word += size + (word[size] == ' ');
	}
}

void il_command_plain(struct il_command *c, struct il_redis_object *f, const char *command, const char *word)
{
	begin(c, f, 0, true);
	il_command_text(c, command);
	key(f, word, strlen(word));
}

void il_command_bytes(struct il_command *c, const void *bytes, size_t size)
{
	(void)c;
	il_resp_word(writer(), size ? bytes : "", size);
}

void il_command_two(struct il_command *c, const void *first, size_t first_size, const void *second, size_t second_size)
{
	(void)c;
	il_resp_word_of_two(writer(), first, first_size, second_size ? second : "", second_size);
}

void il_command_text(struct il_command *c, const char *text)
{
	il_command_bytes(c, text, strlen(text));
}

void il_command_number(struct il_command *c, int64_t n)
{
	char digits[24], *end = digits + sizeof digits, *at = end;
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (n < 0)
		*--at = '-';
	il_command_bytes(c, at, (size_t)(end - at));
}

/* The writer gets the room that the request had, unless that is large. */
static int take_command(struct il_request *r)
{
	struct il_resp room = r->text;
	int err = il_resp_end(writer(), &r->start);
	if (err)
		return err;
	r->text = *writer();
	if (room.room > KEPT) {
		free(room.bytes);
		room = (struct il_resp){ 0 };
	}
	*writer() = room;
	return 0;
}

/* "EVAL script" in place of "EVALSHA digest". */
static int make_whole(struct il_request *r)
{
	static const char eval[] = "$4\r\nEVAL\r\n";
	size_t before = IL_RESP_HEAD + IL_SCRIPT_HEAD;
	il_resp_begin(writer());
	il_resp_append(writer(), eval, sizeof eval - 1, 1);
	il_resp_word(writer(), il_script_sources[r->script].source, il_script_sources[r->script].size);
	il_resp_append(writer(), r->text.bytes + before, r->text.size - before, r->text.words - 2);
	int err = take_command(r);
	r->whole = !err;
	return err;
}

/* Life ------------------------------------------------------------------------------------------------- */

static struct il_request *make(struct il_server *s)
{
	struct il_redis_state *state = il_redis_state();
	struct il_request *r = il_list_first(struct il_request, &state->spare, node);
	struct il_resp text = { 0 };
	if (r) {
		il_list_del(&r->node);
		state->spares--;
		text = r->text;
	} else if (!(r = malloc(sizeof *r))) {
		return NULL;
	}
	*r = (struct il_request){ .server = s, .text = text };
	il_list_init(&r->node);
	il_list_init(&r->flight);
	il_list_init(&r->mine);
	return r;
}

static void recycle(struct il_request *r)
{
	struct il_redis_state *state = il_redis_state();
	if (state->spares < MOST_SPARE && r->text.room <= KEPT) {
		il_list_add(&state->spare, &r->node);
		state->spares++;
		return;
	}
	free(r->text.bytes);
	free(r);
}

/* A request that the server has not answered stays until the answer comes, or the connection is lost. */
void il_request_free(struct il_request *r)
{
	il_list_del(&r->node);
	il_list_del(&r->mine);
	r->object = NULL;
	r->orphan = !il_list_empty(&r->flight);
	if (!r->orphan)
		recycle(r);
}

/* Ends the wait for it, and takes it out of the server's list. */
static void end(struct il_request *r, int err)
{
	struct il_server *s = r->server;
	il_list_del(&r->node);
	r->err = err;
	r->done = true;
	if (r->answered)
		r->answered(r);
	else
		il_request_free(r);
	il_server_release_if_idle(s);
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

/* Sending ---------------------------------------------------------------------------------------------- */

static bool may_send(const struct il_server *s)
{
	return s->up && !s->refused;
}

static int send_bytes(struct il_request *r)
{
	struct il_server *s = r->server;
	int err = il_connection_send(&s->connection, r->text.bytes + r->start, r->text.size - r->start);
	if (err)
		return err;
	r->sent = true;
	r->sent_at = il_now();
	il_list_add(&s->flying, &r->flight);
	il_server_watch(s, il_time_add(r->sent_at, il_server_timeout(s)));
	return 0;
}

/* The first request of a connection for a script has the script itself: a NOSCRIPT would take time, and the requests
 * behind it would happen before it. Without memory to send it, it is sent later. */
static void send_request(struct il_request *r)
{
	bool *knows = &r->server->knows[r->script];
	bool needs = !r->plain && !r->whole && !*knows;
	if ((needs && make_whole(r)) || send_bytes(r))
		il_server_watch(r->server, il_time_add(il_now(), LATER));
	else
		*knows |= r->whole;
}

void il_requests_up(struct il_server *s)
{
	il_list_each(struct il_request, r, &s->requests, node)
		if (!r->sent && may_send(s))
			send_request(r);
}

int il_request_control(struct il_server *s, int argc, const char *const *argv, void (*answered)(struct il_request *r),
	void *owner, struct il_request **result)
{
	size_t start;
	il_redis_state()->begun++;
	int err = il_resp_write(writer(), argc, argv, &start);
	struct il_request *r = err ? NULL : make(s);
	if (!r)
		return ENOMEM;
	r->control = true;
	r->answered = answered;
	r->owner = owner;
	err = take_command(r);
	if (!err)
		err = send_bytes(r);
	if (err)
		recycle(r);
	else if (result)
		*result = r;
	return err;
}

int il_request_make(const struct il_command *c, enum il_request_flags flags, void (*answered)(struct il_request *r),
	void *owner, struct il_request **result)
{
	struct il_server *s = c->object->server;
	assert(c->begun == il_redis_state()->begun);
	if (!il_fork_is_own(s->generation))
		il_servers_after_fork();
	struct il_request *r = make(s);
	if (!r)
		return ENOMEM;
	r->object = answered ? c->object : NULL; /* which may be gone by the time of the answer */
	r->script = c->script;
	r->plain = c->plain;
	r->flags = flags;
	r->answered = answered;
	r->owner = owner;
	r->sent_at = il_now();
	int64_t deadline = il_time_add(r->sent_at, c->object->on_server.timeout);
	r->deadline = flags & IL_PATIENT ? IL_NEVER : deadline;
	if (take_command(r) || il_server_watch(s, deadline)) {
		recycle(r);
		return ENOMEM;
	}
	il_list_add(&s->requests, &r->node);
	if (may_send(s))
		send_request(r);
	if (result)
		*result = r;
	il_server_connect(s);
	return 0;
}

/* Replies ---------------------------------------------------------------------------------------------- */

/* Nothing is sent until everything that was sent is answered, so that the order stays. Then it is sent again; or, if
 * the server serves nothing at the moment, over another connection. */
static void go_on(struct il_server *s)
{
	int refused = s->refused;
	if (!refused || !il_list_empty(&s->flying))
		return;
	s->refused = 0;
	if (refused == ENOEXEC)
		il_requests_up(s);
	else if (refused == EREMOTE)
		il_server_move(s);
	else
		il_server_fault(s, refused, NULL);
}

/* Has the server done nothing, so that the request is to be sent again? NOSCRIPT: it has lost the scripts. MOVED:
 * another node has the keys; the first one is followed, and all requests that were in flight then go along. */
static bool is_refusal(struct il_request *r, const struct il_reply *reply)
{
	struct il_server *s = r->server;
	char text[200];
	if (reply->type == IL_REPLY_ERROR && !r->plain && !r->whole && il_reply_is_error(reply, "NOSCRIPT")) {
		memset(s->knows, 0, sizeof s->knows);
		s->refused = s->refused ? s->refused : ENOEXEC;
		return true;
	}
	if (il_reply_is_error(reply, "MOVED ") && (s->refused == EREMOTE || il_route_follow(&s->route, reply->str))) {
		s->refused = EREMOTE;
		return true;
	}
	bool passes = false;
	int err = reply->type == IL_REPLY_ERROR ? il_error_of(reply, text, sizeof text, &passes) : 0;
	if (!passes) {
		il_server_answered(s);
		return false;
	}
	s->refused = err;
	il_server_explain(s, err, text);
	return r->flags & IL_PATIENT;
}

/* Scripts answer with an array that begins with 0 or an errno, commands with an array or a number. After any other
 * answer it cannot be known any more which answer belongs to which request. */
static bool is_sound(const struct il_request *r, const struct il_reply *reply)
{
	if (reply->type == IL_REPLY_ERROR || (r->plain && reply->type == IL_REPLY_INTEGER))
		return true;
	if (reply->type != IL_REPLY_ARRAY || !reply->elements)
		return false;
	const struct il_reply *first = il_reply_at(reply, 0);
	return r->plain || (first->type == IL_REPLY_INTEGER && first->integer >= 0 && first->integer <= MOST_ERRNO);
}

void il_request_finish(struct il_request *r, const struct il_reply *reply)
{
	struct il_server *s = r->server;
	bool over = r->done || r->orphan; /* it has timed out */
	il_list_del(&r->flight);
	r->reply = reply;
	if (r->control && r->answered)
		r->answered(r);
	if (r->control || r->orphan) {
		recycle(r);
	} else if (!over && !is_sound(r, reply)) {
		il_server_fault(s, EPROTO, NULL);
	} else if (!over) {
		r->sent = is_refusal(r, reply) ? false : r->sent;
		if (r->sent)
			end(r, 0);
	}
	go_on(s);
}

void il_requests_reply(struct il_server *s, const struct il_reply *reply)
{
	struct il_request *first = il_list_first(struct il_request, &s->flying, flight);
	if (first && reply->type != IL_REPLY_PUSH && (!first->pushed || reply->type == IL_REPLY_ERROR))
		il_request_finish(first, reply);
	else if (reply->type != IL_REPLY_PUSH || !il_subscriptions_push(s, reply, first))
		il_server_fault(s, EPROTO, NULL);
}

/* Without a connection --------------------------------------------------------------------------------- */

int64_t il_requests_due(const struct il_server *s)
{
	int64_t first = IL_NEVER;
	il_list_each(const struct il_request, r, &s->requests, node)
		if (r->deadline < first)
			first = r->deadline;
	return first;
}

/* A round is a list of its own: waits that end may make new requests. */
void il_requests_expire(struct il_server *s, int64_t now)
{
	struct il_list round;
	il_list_init(&round);
	il_list_each_safe(struct il_request, r, &s->requests, node) {
		if (r->deadline <= now) {
			il_list_del(&r->node);
			il_list_add(&round, &r->node);
		}
	}
	il_list_drain(struct il_request, r, &round, node) {
		bool unknown = r->sent && !(r->flags & IL_SAFE),
		     tried = !r->sent && s->connection.phase != IL_CONNECTED && s->err;
		if (!tried)
			il_server_explain(s, ETIMEDOUT, "no answer in time");
		end(r, unknown ? ECONNABORTED : tried ? s->err : ETIMEDOUT);
	}
	il_requests_up(s); /* what there was no memory to send */
}

void il_requests_lost(struct il_server *s)
{
	s->refused = 0;
	memset(s->knows, 0, sizeof s->knows);
	il_list_drain(struct il_request, r, &s->flying, flight)
		if (r->control || r->orphan)
			recycle(r);
}

static bool may_wait(const struct il_request *r, int err, enum il_lost how)
{
	bool safe = !r->sent || r->flags & IL_SAFE;
	bool hopeless = err == ETIMEDOUT || err == EACCES || err == EPROTO || err == EINVAL;
	if (how != IL_LOST_PATIENT)
		return how == IL_LOST_MOVING && safe;
	return r->flags & IL_PATIENT ? safe : r->sent && safe && !hopeless;
}

void il_requests_without(struct il_server *s, int err, enum il_lost how)
{
	struct il_list round;
	il_list_move(&s->requests, &round);
	il_list_drain(struct il_request, r, &round, node) {
		bool waits = may_wait(r, err, how), unknown = r->sent && !(r->flags & IL_SAFE);
		r->resent |= r->sent;
		r->sent = false;
		il_list_add(&s->requests, &r->node);
		if (!waits)
			end(r, unknown ? ECONNABORTED : err);
	}
}

void il_requests_drop(struct il_server *s)
{
	il_requests_lost(s);
	il_list_drain(struct il_request, r, &s->requests, node) {
		if (r->op) /* in a forked child, which drops the wait */
			r->op->state = NULL;
		il_request_free(r);
	}
}

void il_requests_fini(void)
{
	struct il_redis_state *state = il_redis_state();
	il_list_drain(struct il_request, r, &state->spare, node) {
		free(r->text.bytes);
		free(r);
	}
	free(state->command.bytes);
	state->command = (struct il_resp){ 0 };
	state->spares = 0;
}
