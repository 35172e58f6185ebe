/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, see stream_channel_many.h. They are sent as one string of frames. To receive them, the first
 * is waited for as ever; what is there behind it is decoded where it lies and taken then, so that what cannot be
 * decoded stays for the next call, and is told by that. Floor 4.
 */
#include "stream_channel_many.h"
#include "bind.h"
#include "many.h"
#include "sched/await.h"
#include "stream/frame_reader.h"
#include "stream/stream.h"
#include "stream/stream_send.h"
#include "stream_channel_message.h"

#include <arpa/inet.h>
#include <string.h>

/* Sending --------------------------------------------------------------------------------------------- */

static void add_frame(luaL_Buffer *b, bool newlines, const char *bytes, size_t size)
{
	uint32_t header = htonl((uint32_t)size);
	if (!newlines)
		luaL_addlstring(b, (const char *)&header, sizeof header);
	luaL_addlstring(b, bytes, size);
	if (newlines)
		luaL_addchar(b, '\n');
}

lua_Integer il_channel_encode_many(lua_State *L, struct il_channel *c, size_t *size)
{
	luaL_Buffer b;
	lua_Integer n = il_many_check_list(L, 2);
	lua_pushvalue(L, 2);
	int list = lua_gettop(L);
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		if (lua_geti(L, list, i) == LUA_TNIL)
			il_many_hole(L, 2, i);
		lua_replace(L, 2);
		il_channel_encode(L, c, i);
		const char *bytes = lua_tolstring(L, 2, size);
		if (*size > c->options.max_message)
			return i;
		add_frame(&b, c->options.newlines, bytes, *size);
	}
	luaL_pushresult(&b);
	lua_replace(L, 2);
	lua_settop(L, list - 1);
	return 0;
}

/* nil, word, how many were sent; an error of the system has its number last, as ever. */
static int send_push(lua_State *L, struct il_op *op)
{
	const struct il_channel *c = op->handle;
	size_t sent = (size_t)op->arg, size = op->size;
	lua_Integer count =
		op->err || sent < size ? (lua_Integer)il_frames_count(c->options.newlines, op->data, sent) : 0;
	il_op_clear(op);
	int n = op->err ? il_channel_failure(L, op->err) : sent < size ? il_word(L, "timeout") : 0;
	if (n == 2)
		lua_pushinteger(L, count);
	else if (n == 0)
		lua_pushboolean(L, 1);
	return n ? 3 : 1;
}

static const struct il_await_type send_type = {
	{ "channel send_many", il_stream_many_attempt, il_stream_send_start, il_stream_many_cancel },
	send_push,
};

/* With a timeout of 0 it is begun in any case: then its results are told by send_push. In a select, where another case
 * may win, it is all or nothing. */
int il_channel_send_many(lua_State *L)
{
	struct il_channel *c = il_channel_check_open(L);
	size_t size;
	lua_settop(L, 3);
	lua_Integer bad = il_channel_encode_many(L, c, &size);
	if (bad)
		return il_channel_too_large(L, c, "channel", bad, size);
	c = il_channel_check_open(L);
	int64_t deadline = il_check_deadline(L, 3);
	struct il_op *op = il_await_begin(L, &send_type.op, c->stream, send_type.push);
	op->handle = c;
	op->data = (void *)lua_tolstring(L, 2, &op->size);
	op->state = il_is_collectors(op) ? op : NULL;
	op->begun = deadline == 0 && !op->state;
	return il_await_end(L, op, deadline);
}

/* Receiving ------------------------------------------------------------------------------------------- */

/* Whether the message that was just decoded was still there: a finaliser, or the user's codec, may have taken it. */
static bool still_there(const struct il_channel *c, const struct il_stream *s, uint64_t taken)
{
	return c->stream == s && il_frame_reader_taken(&s->in) == taken;
}

/* Adds to the list at 1, up to `max`, what can be had at once. */
static int collect(lua_State *L)
{
	struct il_channel *c = lua_touserdata(L, 2);
	lua_Integer max = lua_tointeger(L, 3), n = 1;
	struct il_stream *s = c->stream;
	char *data;
	size_t size;
	while (n < max && c->stream && c->stream == s && il_stream_front(s, &data, &size)) {
		uint64_t taken = il_frame_reader_taken(&s->in);
		lua_pushlstring(L, size ? data : "", size);
		bool decoded = il_channel_decode(L, c, 0) == 1;
		if (still_there(c, s, taken)) {
			if (!decoded)
				return 0;
			lua_rawseti(L, 1, ++n); /* this may fail, so it is taken after it */
			il_stream_skip(s, data, size);
		}
		lua_settop(L, 3);
	}
	return 0;
}

static int receive_push(lua_State *L, struct il_op *op)
{
	struct il_channel *c = (struct il_channel *)(intptr_t)op->arg;
	lua_Integer max = (lua_Integer)(intptr_t)op->handle;
	if (op->err)
		return il_channel_receive_failure(L, c, op, "a handle is next: use receive_handle");
	lua_createtable(L, il_many_room(max), 0);
	int list = lua_gettop(L);
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	int n = il_channel_decode(L, c, 0);
	if (n > 1)
		return n;
	lua_rawseti(L, list, 1);
	return il_many_collect(L, collect, list, c, max);
}

static const struct il_await_type receive_type = {
	{ "channel receive_many", il_stream_receive_attempt, il_stream_receive_start, il_stream_cancel },
	receive_push,
};

int il_channel_receive_many(lua_State *L)
{
	struct il_channel *c = il_channel_check_open(L);
	lua_Integer max = il_many_check_max(L, 2);
	int64_t deadline = il_check_deadline(L, 3);
	struct il_op *op = il_await_begin(L, &receive_type.op, c->stream, receive_type.push);
	op->arg = (intptr_t)c;
	op->handle = (void *)(intptr_t)max;
	return il_await_end(L, op, deadline);
}
