/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, see queue_many.h. To send them, all are encoded into one string first, as the engine wants
 * them (engines/payloads.h). To receive them, the engine takes what is there behind the first. All of that becomes the
 * handle's (queue_rest.h); a message leaves it when it is in the list, so that what cannot be decoded, or finds no
 * memory, is there for the next call. Floor 4.
 */
#include "queue_many.h"
#include "key_object.h"
#include "many.h"
#include "queue_handle.h"
#include "queue_message.h"
#include "queue_rest.h"
#include "sched/await.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Sending --------------------------------------------------------------------------------------------- */

static void add_payload(luaL_Buffer *b, lua_Integer type, const char *bytes, size_t size)
{
	size_t space = il_payload_space(size);
	struct il_payload p = { .type = type, .size = size };
	char *to = luaL_prepbuffsize(b, space);
	memset(to + space - 8, 0, 8); /* what follows the bytes; or the size is 0 */
	memcpy(to, &p, sizeof p);
	memcpy(to + sizeof p, bytes, size);
	luaL_addsize(b, space);
}

/* The messages in one string take the place of the list at 3. 0; or which of them, of *size bytes, is too large. */
static lua_Integer encode_all(lua_State *L, struct il_queue_handle *q, lua_Integer type, size_t *size)
{
	const char *reason;
	char name[IL_MANY_NAME];
	luaL_Buffer b;
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_Integer n = luaL_len(L, 3);
	lua_pushvalue(L, 3);
	il_codec_push(L, q->codec, q);
	int codec = lua_gettop(L), list = codec - 1;
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, list, i);
		lua_replace(L, 3);
		if (q->codec != IL_CODEC_RAW || lua_type(L, 3) != LUA_TSTRING)
			il_codec_encode(L, q->codec, 3, codec, il_many_name(i, name));
		il_queue_check_open(L); /* an encoder of the user's may have closed it, or a metamethod of the list */
		const char *bytes = lua_tolstring(L, 3, size);
		if (*size > il_queue_limit(q, &reason))
			return i;
		add_payload(&b, type, bytes, *size);
	}
	luaL_pushresult(&b);
	lua_replace(L, 3);
	lua_settop(L, list - 1);
	return 0;
}

static lua_Integer count_messages(const void *messages, size_t size)
{
	lua_Integer n = 0;
	for (size_t at = 0; at < size; n++)
		at += il_payload_space(il_payload_at(messages, at)->size);
	return n;
}

/* nil, word, how many were sent; of an error of the system that comes behind its number. */
static int send_push(lua_State *L, struct il_op *op)
{
	const struct il_queue_handle *q = op->handle;
	size_t sent = op->message.sent;
	if (!op->err && sent == op->size) {
		il_op_clear(op);
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_Integer count = count_messages(op->data, sent);
	size_t next = sent < op->size ? il_payload_at(op->data, sent)->size : 0;
	il_op_clear(op);
	int n = op->err ? il_queue_send_fail(L, q, op, count + 1, next) : il_word(L, "timeout");
	lua_pushinteger(L, count);
	return n + 1;
}

/* Stack while it waits: queue, type, the messages, timeout. */
int il_queue_send_many(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	size_t size;
	lua_Integer type = il_check_range(L, 2, 1, LONG_MAX, "type");
	lua_settop(L, 4);
	lua_Integer bad = encode_all(L, q, type, &size);
	if (bad)
		return il_queue_too_large(L, q, bad, size);
	q = il_queue_check_open(L);
	int64_t deadline = il_check_deadline(L, 4);
	if (lua_rawlen(L, 3) == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (!q->queue->ops->send_many.attempt)
		return il_queue_fail(L, q, ENOTSUP);
	struct il_op *op = il_await_begin(L, &q->queue->ops->send_many, q->queue, send_push);
	op->handle = q;
	op->message.type = type;
	op->message.job = NULL;
	op->message.sent = 0;
	op->data = (void *)lua_tolstring(L, 3, &op->size);
	return il_await_end(L, op, deadline);
}

/* Receiving ------------------------------------------------------------------------------------------- */

struct wish {
	struct il_queue_handle *q;
	int64_t type;
};

/* The bytes of the first message. A finaliser that runs meanwhile may receive by this handle, too: false, if it got all
 * there were. */
static bool push_first(lua_State *L, const struct wish *w, lua_Integer *type)
{
	for (struct il_payload *p; (p = il_queue_rest_find(w->q, w->type)); lua_pop(L, 1)) {
		uint64_t taken = w->q->rest.taken;
		*type = p->type;
		lua_pushlstring(L, il_payload_bytes(p), p->size);
		if (w->q->rest.taken == taken) {
			il_queue_rest_take(w->q, p);
			return true;
		}
	}
	return false;
}

/* Adds to the lists at 1 and 2, up to `max`, what the handle has. A finaliser, or the user's codec, may have taken the
 * message that was just decoded. */
static int collect(lua_State *L)
{
	const struct wish *w = lua_touserdata(L, 3);
	lua_Integer max = lua_tointeger(L, 4), n = 1;
	struct il_payload *p;
	while (n < max && (p = il_queue_rest_find(w->q, w->type))) {
		uint64_t taken = w->q->rest.taken;
		lua_Integer type = p->type;
		lua_pushlstring(L, il_payload_bytes(p), p->size);
		bool decoded = il_queue_decode(L, w->q, type) == 1;
		if (w->q->rest.taken == taken) {
			if (!decoded)
				return 0;
			lua_pushinteger(L, type);
			lua_rawseti(L, 2, n + 1);
			lua_rawseti(L, 1, ++n); /* this may fail, so it is taken after it */
			il_queue_rest_take(w->q, p);
		}
		lua_settop(L, 4);
	}
	return 0;
}

static int push_lists(lua_State *L, struct wish *w, lua_Integer max)
{
	int room = il_many_room(max), list = lua_gettop(L) + 1;
	lua_Integer type;
	lua_createtable(L, room, 0);
	lua_createtable(L, room, 0);
	if (!push_first(L, w, &type))
		return 2;
	int n = il_queue_decode(L, w->q, type);
	if (n > 1)
		return n;
	lua_rawseti(L, list, 1);
	lua_pushinteger(L, type);
	lua_rawseti(L, list + 1, 1);
	return il_many_collect(L, collect, list, w, max);
}

static int receive_push(lua_State *L, struct il_op *op)
{
	struct wish w = { op->handle, op->message.type };
	lua_Integer max = (lua_Integer)op->message.count;
	if (op->err)
		return il_queue_fail(L, w.q, op->err);
	if (op->data)
		il_queue_rest_add(w.q, op->data);
	op->owned = false;
	il_op_clear(op);
	return push_lists(L, &w, max);
}

int il_queue_receive_many(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	lua_Integer max = il_many_check_max(L, 2);
	lua_Integer type = il_queue_optional_type(L, 3);
	int64_t deadline = il_check_deadline(L, 4);
	const struct il_op_type *engines = &q->queue->ops->receive_many;
	if (!engines->attempt)
		return il_queue_fail(L, q, ENOTSUP);
	struct il_op *op =
		il_await_begin(L, q->rest.first ? &il_queue_rest_receive_many : engines, q->queue, receive_push);
	op->handle = q;
	op->message.type = type;
	op->message.count = (size_t)max;
	return il_await_end(L, op, deadline);
}
