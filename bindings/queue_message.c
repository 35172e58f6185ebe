/* SPDX-License-Identifier: MIT
 *
 * Messages of ipc.Queue, see queue_message.h. Floor 4.
 */
#include "queue_message.h"
#include "key_object.h"
#include "many.h"
#include "queue_handle.h"
#include "queue_remainder.h"
#include "sched/await.h"

#include <errno.h>
#include <limits.h>

size_t il_queue_limit(const struct il_queue_handle *q, const char **reason)
{
	bool own = q->max_message && (size_t)q->max_message < q->queue->max_message;
	*reason = own ? "max_message" : q->queue->max_reason;
	return own ? (size_t)q->max_message : q->queue->max_message;
}

int il_queue_too_large(lua_State *L, const struct il_queue_handle *q, lua_Integer index, size_t size)
{
	char name[IL_MANY_NAME];
	const char *reason;
	size_t max = il_queue_limit(q, &reason);
	return il_fail(L, EMSGSIZE, "%s of %I bytes is over this queue's limit of %I bytes (%s)",
		il_many_name(index, name), (LUAI_UACINT)size, (LUAI_UACINT)max, reason);
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
int il_queue_send_fail(lua_State *L, const struct il_queue_handle *q, const struct il_op *op, lua_Integer index,
	size_t size)
{
	if (op->err == EMSGSIZE && q->queue)
		return il_queue_too_large(L, q, index, size);
	if (op->err == ENOBUFS)
		return il_word(L, "full");
	if (op->err == ECONNABORTED || (op->err == ETIMEDOUT && op->begun))
		return may_have_happened(L, op->err);
	return il_queue_fail(L, q, op->err);
}

static int send_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_queue_send_fail(L, op->handle, op, 0, op->size);
	lua_pushboolean(L, 1);
	return 1;
}

void il_queue_encode(lua_State *L, struct il_queue_handle *q, int value)
{
	int top = lua_gettop(L);
	if (q->codec == IL_CODEC_RAW && lua_type(L, value) == LUA_TSTRING)
		return;
	il_codec_push(L, q->codec, q);
	il_codec_encode(L, q->codec, value, top + 1, "message");
	lua_settop(L, top);
	if (!q->queue) /* an encoder of the user's may have closed it */
		il_error(L, "queue %s is closed", q->what);
}

int64_t il_queue_send_timeout(lua_State *L)
{
	luaL_argcheck(L, !lua_istable(L, 4), 4, "timeout must be seconds, got table; how to send comes after it");
	return il_check_deadline(L, 4);
}

/* Stack while it waits: queue, type, the bytes of the message, timeout. */
int il_queue_send(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	size_t size;
	lua_Integer type = il_check_range(L, 2, 1, LONG_MAX, "type");
	if (q->codec != IL_CODEC_RAW || lua_type(L, 3) != LUA_TSTRING) {
		luaL_checkany(L, 3);
		lua_settop(L, 4);
		il_queue_encode(L, q, 3);
	}
	const char *reason, *bytes = lua_tolstring(L, 3, &size);
	int64_t deadline = il_queue_send_deadline(L);
	if (size > il_queue_limit(q, &reason))
		return il_queue_too_large(L, q, 0, size);
	struct il_op *op = il_await_begin(L, &q->queue->ops->send, q->queue, send_push);
	op->handle = q;
	op->message.type = type;
	op->message.job = NULL;
	op->data = (void *)bytes;
	op->size = size;
	return il_await_end(L, op, deadline);
}

int il_queue_decode(lua_State *L, struct il_queue_handle *q, lua_Integer type)
{
	if (q->codec == IL_CODEC_RAW)
		return 1;
	il_codec_push(L, q->codec, q);
	lua_insert(L, -2);
	bool decoded = il_codec_decode(L, q->codec, -2);
	lua_remove(L, -2);
	if (decoded)
		return 1;
	lua_pushfstring(L, "cannot decode a message of type %I of queue %s: %s", (LUAI_UACINT)type, q->what,
		lua_tostring(L, -1));
	lua_pushnil(L);
	lua_replace(L, -3); /* of the two there is nothing below: select counts on it */
	return 2;
}

/* The message and its type; nil and a message if it cannot be decoded. */
static int push_message(lua_State *L, struct il_queue_handle *q, struct il_op *op)
{
	lua_Integer type = op->message.type;
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	if (q->codec == IL_CODEC_RAW || il_queue_decode(L, q, type) == 1)
		lua_pushinteger(L, type);
	return 2;
}

static int receive_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_queue_fail(L, op->handle, op->err);
	return push_message(L, op->handle, op);
}

lua_Integer il_queue_optional_type(lua_State *L, int arg)
{
	return lua_isnoneornil(L, arg) ? 0 : il_check_range(L, arg, -LONG_MAX, LONG_MAX, "type");
}

static inline int receive(lua_State *L, struct il_queue_handle *q, int64_t type, int64_t deadline,
	int (*push)(lua_State *L, struct il_op *op))
{
	const struct il_op_type *op_type = q->remainder.first ? &il_queue_remainder_receive : &q->queue->ops->receive;
	struct il_op *op = il_await_begin(L, op_type, q->queue, push);
	op->handle = q;
	op->message.type = type;
	return il_await_end(L, op, deadline);
}

int il_queue_receive(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	bool bare = lua_gettop(L) == 1; /* as most calls are */
	lua_Integer type = bare ? 0 : il_queue_optional_type(L, 2);
	return receive(L, q, type, bare ? IL_NEVER : il_check_deadline(L, 3), receive_push);
}

static int next_push(lua_State *L, struct il_op *op)
{
	return il_next_message(L, receive_push(L, op));
}

/* State of the loop: the queue; the type is an upvalue. */
static int messages_next(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check(L);
	lua_settop(L, 1);
	if (!q->queue)
		return 0;
	return receive(L, q, lua_tointeger(L, lua_upvalueindex(1)), IL_NEVER, next_push);
}

int il_queue_messages(lua_State *L)
{
	il_queue_check_open(L);
	lua_pushinteger(L, il_queue_optional_type(L, 2));
	lua_pushcclosure(L, messages_next, 1);
	lua_pushvalue(L, 1);
	return 2;
}

static int peek_push(lua_State *L, struct il_op *op)
{
	if (op->err && op->err != ENOMSG)
		return il_queue_fail(L, op->handle, op->err);
	if (!op->err)
		return push_message(L, op->handle, op);
	lua_pushnil(L);
	return 1;
}

int il_queue_peek(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	struct il_op op;
	il_queue_op(&op, q, q->remainder.first ? &il_queue_remainder_peek : &q->queue->ops->peek, peek_push);
	op.message.type = il_queue_optional_type(L, 2);
	return il_await_answer(L, &op);
}
