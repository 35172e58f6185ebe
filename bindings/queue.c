/* SPDX-License-Identifier: MIT
 *
 * ipc.Queue: typed messages between processes.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "codec/codec.h"
#include "engines/engine.h"
#include "key.h"
#include "key_object.h"
#include "option.h"
#include "sched/await.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define CLASS "ipc.Queue"

static const char class[] = CLASS;

struct queue {
	struct il_object object;
	struct il_queue *queue; /* NULL: closed */
	enum il_codec codec;
	lua_Integer max_message; /* of the options; 0: the engine's */
	char what[];
};

static struct queue *check_queue(lua_State *L)
{
	return il_self(L, class);
}

static struct queue *check_open(lua_State *L)
{
	struct queue *q = check_queue(L);
	if (!q->queue)
		il_error(L, "queue is closed");
	return q;
}

static int fail(lua_State *L, const struct queue *q, int err)
{
	return il_shared_fail(L, q->queue ? err : ECANCELED, q->queue, "queue", q->what);
}

/* For il_await_answer. */
static void make_op(struct il_op *op, struct queue *q, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, q->queue);
	op->handle = q;
	op->push = push;
}

static lua_Integer size_option(lua_State *L, int arg, const char *name)
{
	return il_option_integer(L, arg, name, 1, INT_MAX, "bytes", 0);
}

static struct queue *push_handle(lua_State *L, int options, const char *what)
{
	size_t size = strlen(what) + 1;
	struct queue *q = lua_newuserdatauv(L, sizeof *q + size, 1);
	*q = (struct queue){ .object.class = class, .codec = IL_CODEC_RAW };
	memcpy(q->what, what, size);
	luaL_setmetatable(L, CLASS);
	il_register_object(L);
	q->max_message = size_option(L, options, "max_message");
	q->codec = il_codec_option(L, options);
	il_codec_keep(L, q->codec);
	return q;
}

static const char *const options[] = { "capacity", "codec", "max_message", "mode", NULL };

static struct il_queue_options check_options(lua_State *L)
{
	struct il_queue_options o = { .mode = il_mode_option(L, 2) };
	o.capacity = (size_t)size_option(L, 2, "capacity");
	return o;
}

static int cannot_open(lua_State *L, int err, const struct il_key *key, size_t found, size_t wanted)
{
	if (err == EEXIST)
		return il_fail(L, err, "queue %s has a capacity of %I bytes, not %I", key->text, (LUAI_UACINT)found,
			(LUAI_UACINT)wanted);
	if (err == EPERM && wanted)
		return il_fail(L, err, "queue %s: a capacity of %I bytes is over the limit of %I (kernel.msgmnb)",
			key->text, (LUAI_UACINT)wanted, (LUAI_UACINT)found);
	return il_key_fail(L, err, "queue", key);
}

static int opened(lua_State *L, const struct queue *q)
{
	il_warn_shared(L, &q->queue->shared, "queue", q->what);
	lua_settop(L, 3);
	return 1;
}

/* Stack: the key, options, and the handle that is to be opened. */
static int open_push(lua_State *L, struct il_op *op)
{
	struct queue *q = op->handle;
	struct il_queue *queue = q->queue;
	if (!op->err)
		return opened(L, q);
	const struct il_key *key = il_check_key(L);
	il_note_why(op->err, queue);
	int results = cannot_open(L, op->err, key, queue->max_message, check_options(L).capacity);
	q->queue = NULL;
	queue->ops->close(queue);
	return results;
}

static int open_queue(lua_State *L, const struct il_key *key, struct queue *q)
{
	struct il_queue_options o = check_options(L);
	size_t wanted = o.capacity;
	struct il_op op;
	bool collected = false;
	int err;
	do {
		err = il_codec_prepare(L, q->codec);
		if (!err)
			err = key->engine->queue ? key->engine->queue(key, &o, &q->queue) : ENOTSUP;
	} while (il_collect(L, err, &collected));
	if (err)
		return cannot_open(L, err, key, o.found, wanted);
	if (!q->queue->ops->open.attempt)
		return opened(L, q);
	make_op(&op, q, &q->queue->ops->open, open_push);
	return il_await_answer(L, &op);
}

static int queue(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 2);
	il_options(L, 2, options);
	check_options(L);
	return open_queue(L, key, push_handle(L, 2, key->text));
}

/* Sending and receiving ------------------------------------------------------------------------------- */

static size_t limit_of(const struct queue *q, const char **reason)
{
	bool own = q->max_message && (size_t)q->max_message < q->queue->max_message;
	*reason = own ? "max_message" : q->queue->max_reason;
	return own ? (size_t)q->max_message : q->queue->max_message;
}

static int too_large(lua_State *L, const struct queue *q, size_t size)
{
	const char *reason;
	size_t max = limit_of(q, &reason);
	return il_fail(L, EMSGSIZE, "message of %I bytes is over this queue's limit of %I bytes (%s)",
		(LUAI_UACINT)size, (LUAI_UACINT)max, reason);
}

/* The request was on its way, and its answer has not come. */
static int may_have_happened(lua_State *L, int err)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s; the send may or may not have happened",
		err == ETIMEDOUT ? "no answer from the server in time" : "connection lost");
	lua_pushinteger(L, err);
	return 3;
}

/* The handle may be closed, and the engine's object gone, before the results are built. */
static int send_push(lua_State *L, struct il_op *op)
{
	const struct queue *q = op->handle;
	if (op->err == EMSGSIZE && q->queue)
		return too_large(L, q, op->size);
	if (op->err == ENOBUFS)
		return il_word(L, "full");
	if (op->err == ECONNABORTED || (op->err == ETIMEDOUT && op->begun))
		return may_have_happened(L, op->err);
	if (op->err)
		return fail(L, q, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

/* The bytes take the place of the message at 3. */
static void encode(lua_State *L, struct queue *q)
{
	luaL_checkany(L, 3);
	lua_settop(L, 4);
	il_codec_push(L, q->codec, q);
	il_codec_encode(L, q->codec, 3, 5, "message");
	lua_settop(L, 4);
	check_open(L); /* an encoder of the user's may have closed it */
}

/* Stack while it waits: queue, type, the bytes of the message, timeout. */
static int queue_send(lua_State *L)
{
	struct queue *q = check_open(L);
	size_t size;
	lua_Integer type = il_check_range(L, 2, 1, LONG_MAX, "type");
	if (q->codec != IL_CODEC_RAW || lua_type(L, 3) != LUA_TSTRING)
		encode(L, q);
	const char *reason, *bytes = lua_tolstring(L, 3, &size);
	int64_t deadline = il_check_deadline(L, 4);
	if (size > limit_of(q, &reason))
		return too_large(L, q, size);
	struct il_op *op = il_await_begin(L, &q->queue->ops->send, q->queue, send_push);
	op->handle = q;
	op->message.type = type;
	op->data = (void *)bytes;
	op->size = size;
	return il_await_end(L, op, deadline);
}

/* The message and its type; nil and a message if it cannot be decoded. */
static int push_message(lua_State *L, struct queue *q, struct il_op *op)
{
	lua_Integer type = op->message.type;
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	if (q->codec != IL_CODEC_RAW) {
		il_codec_push(L, q->codec, q);
		lua_insert(L, -2);
		bool decoded = il_codec_decode(L, q->codec, -2);
		lua_remove(L, -2);
		if (!decoded) {
			lua_pushfstring(L, "cannot decode a message of type %I of queue %s: %s", (LUAI_UACINT)type,
				q->what, lua_tostring(L, -1));
			lua_pushnil(L);
			lua_replace(L, -3); /* of the two there is nothing below: select counts on it */
			return 2;
		}
	}
	lua_pushinteger(L, type);
	return 2;
}

static int receive_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	return push_message(L, op->handle, op);
}

static lua_Integer optional_type(lua_State *L, int arg)
{
	return lua_isnoneornil(L, arg) ? 0 : il_check_range(L, arg, -LONG_MAX, LONG_MAX, "type");
}

static inline int receive(lua_State *L, struct queue *q, int64_t type, int64_t deadline,
	int (*push)(lua_State *L, struct il_op *op))
{
	struct il_op *op = il_await_begin(L, &q->queue->ops->receive, q->queue, push);
	op->handle = q;
	op->message.type = type;
	return il_await_end(L, op, deadline);
}

static int queue_receive(lua_State *L)
{
	struct queue *q = check_open(L);
	lua_Integer type = optional_type(L, 2);
	return receive(L, q, type, il_check_deadline(L, 3), receive_push);
}

static int next_push(lua_State *L, struct il_op *op)
{
	return il_next_message(L, receive_push(L, op));
}

/* State of the loop: the queue; the type is an upvalue. */
static int messages_next(lua_State *L)
{
	struct queue *q = check_queue(L);
	lua_settop(L, 1);
	if (!q->queue)
		return 0;
	return receive(L, q, lua_tointeger(L, lua_upvalueindex(1)), IL_NEVER, next_push);
}

static int queue_messages(lua_State *L)
{
	check_open(L);
	lua_pushinteger(L, optional_type(L, 2));
	lua_pushcclosure(L, messages_next, 1);
	lua_pushvalue(L, 1);
	return 2;
}

static int peek_push(lua_State *L, struct il_op *op)
{
	if (op->err && op->err != ENOMSG)
		return fail(L, op->handle, op->err);
	if (!op->err)
		return push_message(L, op->handle, op);
	lua_pushnil(L);
	return 1;
}

static int queue_peek(lua_State *L)
{
	struct queue *q = check_open(L);
	struct il_op op;
	make_op(&op, q, &q->queue->ops->peek, peek_push);
	op.message.type = optional_type(L, 2);
	return il_await_answer(L, &op);
}

/* The rest -------------------------------------------------------------------------------------------- */

static int len_push(lua_State *L, struct il_op *op)
{
	const struct queue *q = op->handle;
	int err = q->queue ? op->err : ECANCELED;
	if (err == EIDRM || err == ECANCELED)
		return il_error(L, "queue %s: %s", q->what, err == EIDRM ? "removed" : "closed");
	if (err) {
		fail(L, q, err);
		return il_error(L, "%s", lua_tostring(L, -2));
	}
	lua_pushinteger(L, q->queue->stat.messages);
	return 1;
}

static int ask_stat(lua_State *L, int (*push)(lua_State *L, struct il_op *op))
{
	struct queue *q = check_open(L);
	struct il_op op;
	make_op(&op, q, &q->queue->ops->stat, push);
	return il_await_answer(L, &op);
}

static int queue__len(lua_State *L)
{
	return ask_stat(L, len_push);
}

static int stat_push(lua_State *L, struct il_op *op)
{
	const struct queue *q = op->handle;
	if (op->err || !q->queue)
		return fail(L, q, op->err);
	const struct il_queue_stat *stat = &q->queue->stat;
	const struct il_counter counters[] = {
		{ "messages", stat->messages },
		{ "bytes", stat->bytes },
		{ "capacity", stat->capacity },
		{ "senders", stat->senders },
		{ "receivers", stat->receivers },
		{ "last_sender", stat->last_sender },
		{ "last_receiver", stat->last_receiver },
		{ "max_message", (lua_Integer)q->queue->max_message },
	};
	il_push_counters(L, counters, sizeof counters / sizeof counters[0]);
	return 1;
}

static int queue_stat(lua_State *L)
{
	return ask_stat(L, stat_push);
}

static int remove_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static int queue_remove(lua_State *L)
{
	struct queue *q = check_open(L);
	struct il_op op;
	lua_settop(L, 1);
	make_op(&op, q, &q->queue->ops->remove, remove_push);
	return il_await_answer(L, &op);
}

static int queue_close(lua_State *L)
{
	struct queue *q = check_queue(L);
	struct il_queue *engine = q->queue;
	q->queue = NULL;
	if (engine)
		engine->ops->close(engine);
	return 0;
}

/* Only what can be told without a wait. */
static int queue__tostring(lua_State *L)
{
	struct queue *q = check_queue(L);
	struct il_op op;
	if (!q->queue) {
		lua_pushfstring(L, CLASS " (%s, closed)", q->what);
		return 1;
	}
	make_op(&op, q, &q->queue->ops->stat, NULL);
	bool told = op.type->attempt(&op);
	if (q->queue->shared.removed || (told && op.err))
		lua_pushfstring(L, CLASS " (%s, removed)", q->what);
	else if (told)
		lua_pushfstring(L, CLASS " (%s, %I messages)", q->what, (LUAI_UACINT)q->queue->stat.messages);
	else
		lua_pushfstring(L, CLASS " (%s)", q->what);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "send", queue_send },
	{ "receive", queue_receive },
	{ "messages", queue_messages },
	{ "peek", queue_peek },
	{ "stat", queue_stat },
	{ "remove", queue_remove },
	{ "close", queue_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__len", queue__len },
	{ "__tostring", queue__tostring },
	{ "__gc", queue_close },
	{ "__close", queue_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "receive", queue_receive },
	{ "send", queue_send },
	{ "peek", queue_peek },
	{ "stat", queue_stat },
	{ NULL, NULL },
};

static bool is_open(const void *object)
{
	return ((const struct queue *)object)->queue != NULL;
}

static const struct il_cases cases = { .usual = "receive", .methods = waits, .open = is_open };

void il_queue_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	lua_pushcfunction(L, queue);
	lua_setfield(L, -2, "queue");
}
