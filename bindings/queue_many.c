/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, see queue_many.h. To send them, all are encoded into one piece of memory first, as the engine
 * wants them (engines/payloads.h). To receive them, the engine takes what is there behind the first. All of that
 * becomes the handle's (queue_remainder.h); a message leaves it when it is in the list, so that what cannot be decoded,
 * or finds no memory, is there for the next call. Floor 4.
 */
#include "queue_many.h"
#include "key_object.h"
#include "many.h"
#include "queue_handle.h"
#include "queue_message.h"
#include "queue_remainder.h"
#include "sched/await.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AHEAD = 1 << 16 }; /* bytes for messages that are not encoded yet */
enum { MOST_EXPECTED = 1 << 16 }; /* messages for which a list has room from the start */

/* Sending --------------------------------------------------------------------------------------------- */

/* Messages as they are encoded: a userdata, until the operation gets the bytes. */
struct messages {
	char *bytes;
	size_t size, room;
};

static int messages__gc(lua_State *L)
{
	struct messages *m = lua_touserdata(L, 1);
	free(m->bytes);
	m->bytes = NULL;
	return 0;
}

static char metatable; /* registry key, its address */

/* It is in the registry when it is whole: memory may be short. */
static void push_metatable(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, messages__gc);
	lua_setfield(L, -2, "__gc");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable);
}

static struct messages *push_messages(lua_State *L)
{
	struct messages *m = lua_newuserdatauv(L, sizeof *m, 0);
	*m = (struct messages){ .bytes = NULL };
	push_metatable(L);
	lua_setmetatable(L, -2);
	return m;
}

/* Room for one message, and for `left` of that size in the beginning. */
static void reserve(lua_State *L, struct messages *m, size_t space, lua_Integer left)
{
	size_t more = m->size;
	if (!m->bytes)
		more = (size_t)left < MOST_AHEAD / space ? (size_t)left * space : MOST_AHEAD;
	size_t room = m->size + (more > space ? more : space);
	char *bytes = realloc(m->bytes, room);
	if (!bytes)
		luaL_error(L, "not enough memory");
	m->bytes = bytes;
	m->room = room;
}

static inline void add_message(lua_State *L, struct messages *m, int64_t type, const char *bytes, size_t size,
	lua_Integer left)
{
	size_t space = il_payload_space(size);
	if (m->room - m->size < space)
		reserve(L, m, space, left);
	struct il_payload *p = il_payload_at(m->bytes, m->size);
	*p = (struct il_payload){ .type = type, .size = size };
	memcpy(il_payload_bytes(p), bytes, size);
	m->size += space;
}

/* The messages of the list at 3; they are at the top then. 0; or which of them, of *size bytes, is too large. An
 * encoder of the user's may close the queue, and so may a metamethod of the list. */
static lua_Integer encode_all(lua_State *L, struct il_queue_handle *q, lua_Integer type, struct messages **all,
	size_t *size)
{
	char name[IL_MANY_NAME];
	const char *reason;
	size_t most = il_queue_limit(q, &reason);
	lua_Integer n = il_many_check_list(L, 3);
	il_codec_push(L, q->codec, q);
	*all = push_messages(L);
	int codec = lua_gettop(L) - 1, at = codec + 2;
	lua_Integer i = 1;
	for (; i <= n; i++) {
		int kind = lua_geti(L, 3, i);
		if (kind != LUA_TSTRING || q->codec != IL_CODEC_RAW) {
			if (kind == LUA_TNIL)
				il_many_hole(L, 3, i);
			il_codec_encode(L, q->codec, at, codec, il_many_name(i, name));
			lua_settop(L, at);
		}
		const char *bytes = lua_tolstring(L, at, size);
		if (*size > most)
			break;
		add_message(L, *all, type, bytes, *size, n - i + 1);
		lua_settop(L, at - 1);
	}
	il_queue_check_open(L);
	return i <= n ? i : 0;
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

int il_queue_send_many(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	struct messages *all;
	size_t size;
	lua_Integer type = il_check_range(L, 2, 1, LONG_MAX, "type");
	luaL_argcheck(L, lua_isnoneornil(L, 5), 5, "send_many has no options: send them one by one");
	lua_settop(L, 4);
	lua_Integer bad = encode_all(L, q, type, &all, &size);
	if (bad)
		return il_queue_too_large(L, q, bad, size);
	int64_t deadline = il_queue_send_deadline(L);
	if (!q->queue->ops->send_many.attempt)
		return il_queue_fail(L, q, ENOTSUP);
	if (!all->size) {
		lua_pushboolean(L, 1);
		return 1;
	}
	struct il_op *op = il_await_begin(L, &q->queue->ops->send_many, q->queue, send_push);
	op->handle = q;
	op->message.type = type;
	op->message.job = NULL;
	op->message.sent = 0;
	op->data = all->bytes;
	op->size = all->size;
	op->owned = true;
	all->bytes = NULL;
	return il_await_end(L, op, deadline);
}

/* Receiving ------------------------------------------------------------------------------------------- */

struct wish {
	struct il_queue_handle *q;
	int64_t type;
	struct il_payloads *all; /* what the engine has answered, in the order of the wish; NULL: it is looked for */
	uint64_t taken; /* q->remainder.taken, as long as no other call has taken anything */
};

/* The next message; it stays. */
static inline struct il_payload *find_next(struct wish *w)
{
	if (w->all && w->taken == w->q->remainder.taken)
		return w->all->at < w->all->size ? il_payloads_at(w->all, w->all->at) : NULL;
	w->all = NULL;
	return il_queue_remainder_find(w->q, w->type);
}

/* It is in the list, and not there any more. After the last one the memory may go at any moment. */
static inline void take(struct wish *w, struct il_payload *p)
{
	if (w->all && (w->all->at += il_payload_space(p->size)) == w->all->size)
		w->all = NULL;
	il_queue_remainder_take(w->q, p);
	w->taken = w->q->remainder.taken;
}

/* The bytes of the first message. A finaliser that runs meanwhile may receive by this handle, too: false, if it got all
 * there were. */
static bool push_first(lua_State *L, struct wish *w, lua_Integer *type)
{
	for (struct il_payload *p; (p = find_next(w)); lua_pop(L, 1)) {
		uint64_t taken = w->q->remainder.taken;
		*type = p->type;
		lua_pushlstring(L, il_payload_bytes(p), p->size);
		if (w->q->remainder.taken == taken) {
			take(w, p);
			return true;
		}
	}
	return false;
}

/* Adds to the lists at 1 and 2, up to `max`, what the handle has. A finaliser, or the user's codec, may have taken the
 * message that was just decoded. */
static int collect(lua_State *L)
{
	struct wish *w = lua_touserdata(L, 3);
	lua_Integer max = lua_tointeger(L, 4), n = 1;
	bool raw = w->q->codec == IL_CODEC_RAW;
	struct il_payload *p;
	while (n < max && (p = find_next(w))) {
		uint64_t taken = w->q->remainder.taken;
		lua_Integer type = p->type;
		lua_pushlstring(L, il_payload_bytes(p), p->size);
		bool decoded = raw || il_queue_decode(L, w->q, type) == 1;
		if (w->q->remainder.taken != taken) {
			lua_settop(L, 4);
			continue;
		}
		if (!decoded)
			return 0;
		lua_pushinteger(L, type);
		lua_rawseti(L, 2, n + 1);
		lua_rawseti(L, 1, ++n); /* this may fail, so it is taken after it */
		take(w, p);
	}
	return 0;
}

static int list_size(const struct wish *w, lua_Integer max)
{
	return w->all && w->all->count < MOST_EXPECTED ? (int)w->all->count : il_many_room(max);
}

static int push_lists(lua_State *L, struct wish *w, lua_Integer max)
{
	int size = list_size(w, max), list = lua_gettop(L) + 1;
	lua_Integer type;
	lua_createtable(L, size, 0);
	lua_createtable(L, size, 0);
	if (!push_first(L, w, &type))
		return 2;
	int n = il_queue_decode(L, w->q, type);
	if (n > 1)
		return n;
	lua_rawseti(L, list, 1);
	lua_pushinteger(L, type);
	lua_rawseti(L, list + 1, 1);
	n = il_many_collect(L, collect, list, w, max);
	il_queue_remainder_tidy(w->q);
	return n;
}

static int receive_push(lua_State *L, struct il_op *op)
{
	struct il_queue_handle *q = op->handle;
	struct wish w = { q, op->message.type, op->data, 0 };
	lua_Integer max = (lua_Integer)op->message.count;
	if (op->err)
		return il_queue_fail(L, q, op->err);
	if (w.all)
		il_queue_remainder_add(q, w.all);
	w.taken = q->remainder.taken;
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
	struct il_op *op = il_await_begin(L, q->remainder.first ? &il_queue_remainder_receive_many : engines, q->queue,
		receive_push);
	op->handle = q;
	op->message.type = type;
	op->message.count = (size_t)max;
	return il_await_end(L, op, deadline);
}
