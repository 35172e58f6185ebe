/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, see multi_stream_channel_many.h. They are sent as one packet, which a client gets whole. What
 * is there behind the first that is received is decoded where it lies, as stream_channel_many.c does it. Floor 4.
 */
#include "multi_stream_channel_many.h"
#include "bind.h"
#include "many.h"
#include "multi_stream_channel.h"
#include "sched/await.h"
#include "stream/client_table.h"
#include "stream/frame_reader.h"
#include "stream_channel_many.h"
#include "stream_channel_message.h"

static const struct il_await_type send_type = {
	{ "hub send_many", il_hub_send_attempt, il_hub_send_start, il_hub_send_cancel },
	il_multi_channel_send_push,
};

int il_multi_channel_send_many(lua_State *L)
{
	struct il_multi_channel *h = il_multi_channel_check_open(L);
	size_t size;
	lua_settop(L, 4);
	lua_Integer client = lua_isnil(L, 3) ? 0 : il_check_range(L, 3, 1, LUA_MAXINTEGER, "client");
	lua_Integer bad = il_channel_encode_many(L, &h->channel, &size);
	if (bad)
		return il_channel_too_large(L, &h->channel, "hub", bad, size);
	h = il_multi_channel_check_open(L);
	struct il_packet *p = il_multi_channel_push_packet(L, h, true);
	return il_await_data(L, &send_type, &h->hub, client, p, 0, 4);
}

/* Whether the message that was just decoded is still there, and so is its client. */
static bool still_there(const struct il_multi_channel *h, const struct il_client *c, int64_t id, uint64_t taken)
{
	return !h->closed && il_client_table_find(&h->hub, id) == c && il_frame_reader_taken(&c->stream->in) == taken;
}

/* Adds to the lists at 1 and 2, up to `max`, what can be had at once. */
static int collect(lua_State *L)
{
	struct il_multi_channel *h = lua_touserdata(L, 3);
	lua_Integer max = lua_tointeger(L, 4), n = 1;
	struct il_client *c;
	char *data;
	size_t size;
	while (n < max && !h->closed && (c = il_hub_front(&h->hub, &data, &size))) {
		int64_t id = c->id;
		uint64_t taken = il_frame_reader_taken(&c->stream->in);
		lua_pushlstring(L, size ? data : "", size);
		bool decoded = il_channel_decode(L, &h->channel, id) == 1;
		if (still_there(h, c, id, taken)) {
			if (!decoded)
				return 0;
			lua_pushinteger(L, id);
			lua_rawseti(L, 2, n + 1);
			lua_rawseti(L, 1, ++n); /* this may fail, so it is taken after it */
			il_hub_skip(c, data, size);
		}
		lua_settop(L, 4);
	}
	return 0;
}

static int receive_push(lua_State *L, struct il_op *op)
{
	struct il_multi_channel *h = il_container_of(op->source, struct il_multi_channel, hub);
	lua_Integer max = (lua_Integer)(intptr_t)op->handle;
	int room = il_many_room(max);
	int n = il_multi_channel_receive_push(L, op);
	if (n != 2 || op->err)
		return n;
	int client = lua_gettop(L), lists = client + 1;
	lua_createtable(L, room, 0);
	lua_createtable(L, room, 0);
	lua_pushvalue(L, client - 1);
	lua_rawseti(L, lists, 1);
	lua_pushvalue(L, client);
	lua_rawseti(L, lists + 1, 1);
	return il_many_collect(L, collect, lists, h, max);
}

static const struct il_await_type receive_type = {
	{ "hub receive_many", il_hub_receive_attempt, il_hub_receive_start, il_hub_cancel },
	receive_push,
};

int il_multi_channel_receive_many(lua_State *L)
{
	struct il_multi_channel *h = il_multi_channel_check_open(L);
	lua_Integer max = il_many_check_max(L, 2);
	int64_t deadline = il_check_deadline(L, 3);
	struct il_op *op = il_await_begin(L, &receive_type.op, &h->hub, receive_type.push);
	op->handle = (void *)(intptr_t)max;
	return il_await_end(L, op, deadline);
}
