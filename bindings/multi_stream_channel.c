/* SPDX-License-Identifier: MIT
 *
 * ipc.MultiStreamChannel: one end of many channels, a hub.
 * Floor 4.
 */
#include "multi_stream_channel.h"
#include "bind.h"
#include "classes.h"
#include "base/fork.h"
#include "key_object.h"
#include "stream/client_table.h"
#include "stream/hub.h"
#include "stream/hub_listen.h"
#include "stream/unix_socket.h"
#include "option.h"
#include "sched/await.h"
#include "multi_stream_channel_many.h"
#include "stream_channel.h"
#include "stream_channel_message.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define CLASS "ipc.MultiStreamChannel"

static const char class[] = CLASS;

enum { LIMIT = 1024 * 1024 };

static const char *const policies[] = {
	[IL_BLOCK] = "block",
	[IL_DROP_OLDEST] = "drop_oldest",
	[IL_DISCONNECT] = "disconnect",
};

static struct il_multi_channel *check_hub(lua_State *L)
{
	return il_self(L, class);
}

static struct il_multi_channel *check_open(lua_State *L)
{
	struct il_multi_channel *h = check_hub(L);
	if (h->closed)
		il_error(L, "hub is closed");
	if (!il_fork_is_own(h->hub.generation))
		il_error(L, "hub belongs to process %d, which made it", (int)h->hub.pid);
	return h;
}

struct il_multi_channel *il_multi_channel_check_open(lua_State *L)
{
	return check_open(L);
}

static enum il_backpressure backpressure_option(lua_State *L, int options)
{
	int choice = IL_BLOCK;
	if (il_option(L, options, "backpressure") != LUA_TNIL) {
		const char *name = lua_tostring(L, -1);
		for (choice = IL_DISCONNECT; choice >= 0 && (!name || strcmp(name, policies[choice]) != 0); choice--)
			;
		if (choice < 0)
			il_option_refuse(L, options,
				"backpressure must be \"block\", \"drop_oldest\" or \"disconnect\"");
	}
	lua_pop(L, 1);
	return (enum il_backpressure)choice;
}

static size_t limit_option(lua_State *L, int options)
{
	lua_Integer limit = LIMIT;
	int type = il_option(L, options, "limit");
	if (type != LUA_TNIL) {
		int isnum;
		limit = lua_tointegerx(L, -1, &isnum);
		if (type != LUA_TNUMBER || !isnum || limit < 1)
			il_option_refuse(L, options, "limit must be bytes, 1 or more");
	}
	lua_pop(L, 1);
	return (size_t)limit;
}

static int multi_stream_channel(lua_State *L)
{
	static const char *const options[] = { IL_CHANNEL_OPTIONS, "backpressure", "limit", NULL };
	lua_settop(L, 1);
	il_options(L, 1, options);
	struct il_multi_channel *h = lua_newuserdatauv(L, sizeof *h, 0);
	h->channel = (struct il_channel){ .object.class = class, .codec = IL_CODEC_RAW };
	h->closed = false;
	il_hub_init(&h->hub);
	luaL_setmetatable(L, CLASS);
	il_channel_options(L, &h->channel, 1);
	h->hub.options = h->channel.options;
	h->hub.backpressure = backpressure_option(L, 1);
	h->hub.limit = limit_option(L, 1);
	return 1;
}

static const char *check_path(lua_State *L, int arg)
{
	size_t length;
	const char *path = luaL_checklstring(L, arg, &length);
	luaL_argcheck(L, strlen(path) == length, arg, "path has a zero byte");
	return path;
}

/* A channel like the hub: the same codec, the same limits. */
static int hub_create_client(lua_State *L)
{
	struct il_multi_channel *h = check_open(L);
	luaL_argcheck(L, lua_isnoneornil(L, 2), 2, "a client has the options of its hub");
	struct il_channel *c = il_channel_like(L, &h->channel);
	bool collected = false;
	int err;
	do {
		err = il_codec_prepare(L, c->codec);
		if (!err)
			err = il_hub_create(&check_open(L)->hub, &c->stream);
	} while (il_collect(L, err, &collected));
	return err ? il_fail(L, err, "cannot make a client") : 1;
}

static int hub_listen(lua_State *L)
{
	static const char *const options[] = { "mode", NULL };
	struct il_multi_channel *h = check_open(L);
	const char *path = check_path(L, 2);
	lua_settop(L, 3);
	il_options(L, 3, options);
	bool collected = false;
	int err;
	do {
		err = il_codec_prepare(L, h->channel.codec);
		if (!err)
			err = il_hub_listen(&check_open(L)->hub, path, il_mode_option(L, 3));
	} while (il_collect(L, err, &collected));
	if (err == EISCONN)
		return il_error(L, "hub listens at %s already", h->hub.path);
	if (err == ENAMETOOLONG)
		return il_fail(L, err, "cannot listen at %s: the path can have %d bytes", path, IL_UNIX_SOCKET_PATH);
	if (err)
		return il_fail(L, err, "cannot listen at %s", path);
	lua_pushboolean(L, 1);
	return 1;
}

static int hub_connect(lua_State *L)
{
	const char *path = check_path(L, 1);
	lua_settop(L, 2);
	il_options(L, 2, il_channel_option_names);
	struct il_channel *c = il_channel_push(L, 2);
	bool collected = false;
	int err;
	do {
		err = il_codec_prepare(L, c->codec);
		if (!err)
			err = il_hub_connect(&c->stream, path, &c->options);
	} while (il_collect(L, err, &collected));
	return err ? il_fail(L, err, "cannot connect to %s", path) : 1;
}

/* Sending --------------------------------------------------------------------------------------------- */

int il_multi_channel_send_push(lua_State *L, struct il_op *op)
{
	bool to_one = op->arg != 0;
	lua_Integer reached = (lua_Integer)op->size;
	bool dropped = op->err == ENOBUFS;
	if (op->err && !dropped)
		return il_word(L, "closed"); /* the hub, or its client */
	if (to_one)
		lua_pushboolean(L, !dropped);
	else
		lua_pushinteger(L, reached);
	return 1;
}

static const struct il_await_type send_type = {
	{ "hub send", il_hub_send_attempt, il_hub_send_start, il_hub_send_cancel },
	il_multi_channel_send_push,
};

struct packet {
	struct il_packet *packet;
};

static int packet__gc(lua_State *L)
{
	il_packet_drop(((struct packet *)lua_touserdata(L, 1))->packet);
	return 0;
}

struct il_packet *il_multi_channel_push_packet(lua_State *L, const struct il_multi_channel *h, bool framed)
{
	size_t size;
	const char *bytes = lua_tolstring(L, 2, &size);
	struct packet *p = lua_newuserdatauv(L, sizeof *p, 0);
	p->packet = NULL;
	if (luaL_newmetatable(L, "ipc.packet")) {
		lua_pushcfunction(L, packet__gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	p->packet = framed ? il_packet_raw(bytes, size) : il_packet_new(h->channel.options.newlines, bytes, size);
	if (!p->packet)
		il_error(L, "not enough memory");
	return p->packet;
}

/* hub:send(message [, client [, timeout]]) */
static int hub_send(lua_State *L)
{
	struct il_multi_channel *h = check_open(L);
	luaL_checkany(L, 2);
	lua_settop(L, 4);
	lua_Integer client = lua_isnil(L, 3) ? 0 : il_check_range(L, 3, 1, LUA_MAXINTEGER, "client");
	il_channel_encode(L, &h->channel, 0);
	h = check_open(L);
	size_t size = lua_rawlen(L, 2);
	if (size > h->channel.options.max_message)
		return il_channel_too_large(L, &h->channel, "hub", 0, size);
	struct il_packet *p = il_multi_channel_push_packet(L, h, false);
	return il_await_data(L, &send_type, &h->hub, client, p, 0, 4);
}

static int hub_flush(lua_State *L)
{
	il_hub_flush(&check_open(L)->hub);
	lua_pushboolean(L, 1);
	return 1;
}

/* Receiving ------------------------------------------------------------------------------------------- */

int il_multi_channel_receive_push(lua_State *L, struct il_op *op)
{
	struct il_multi_channel *h = il_container_of(op->source, struct il_multi_channel, hub);
	lua_Integer client = op->arg;
	if (op->err == EMSGSIZE) {
		il_fail(L, EMSGSIZE,
			"client %I sent what is no message of up to %I bytes (max_message), it is disconnected",
			(LUAI_UACINT)client, (LUAI_UACINT)h->channel.options.max_message);
		lua_pushinteger(L, client);
		return 4;
	}
	if (op->err)
		return op->err == ECONNRESET ? il_word(L, "closed") : il_fail(L, op->err, "hub");
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	int n = il_channel_decode(L, &h->channel, client);
	if (n > 1)
		lua_pushnil(L);
	lua_pushinteger(L, client);
	return n > 1 ? 4 : 2;
}

static const struct il_await_type receive_type = {
	{ "hub receive", il_hub_receive_attempt, il_hub_receive_start, il_hub_cancel },
	il_multi_channel_receive_push,
};

static int hub_receive(lua_State *L)
{
	return il_await(L, &receive_type, &check_open(L)->hub, 0, 2);
}

static int next_push(lua_State *L, struct il_op *op)
{
	return il_next_message(L, il_multi_channel_receive_push(L, op));
}

static const struct il_await_type next_type = {
	{ "hub receive", il_hub_receive_attempt, il_hub_receive_start, il_hub_cancel },
	next_push,
};

static int messages_next(lua_State *L)
{
	struct il_multi_channel *h = check_hub(L);
	lua_settop(L, 1);
	if (h->closed)
		return 0;
	return il_next_message(L, il_await(L, &next_type, &h->hub, 0, 2));
}

static int hub_messages(lua_State *L)
{
	check_open(L);
	lua_pushcfunction(L, messages_next);
	lua_pushvalue(L, 1);
	return 2;
}

/* The rest -------------------------------------------------------------------------------------------- */

static int hub_clients(lua_State *L)
{
	struct il_multi_channel *h = check_open(L);
	lua_Integer n = 0;
	il_hub_sweep(&h->hub);
	lua_createtable(L, h->hub.count, 0);
	il_list_each(struct il_client, c, &h->hub.clients, node) {
		lua_pushinteger(L, c->id);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* Sends a client away: true, or false if it has gone already. */
static int hub_disconnect(lua_State *L)
{
	struct il_multi_channel *h = check_open(L);
	struct il_client *c = il_client_table_find(&h->hub, luaL_checkinteger(L, 2));
	if (c)
		il_hub_disconnect(c);
	lua_pushboolean(L, c != NULL);
	return 1;
}

static int hub_stat(lua_State *L)
{
	struct il_multi_channel *h = check_open(L);
	size_t bytes = 0;
	il_list_each(struct il_client, c, &h->hub.clients, node)
		bytes += c->stream->out.bytes;
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, h->hub.count);
	lua_setfield(L, -2, "clients");
	lua_pushinteger(L, (lua_Integer)bytes);
	lua_setfield(L, -2, "bytes");
	lua_pushinteger(L, (lua_Integer)h->hub.limit);
	lua_setfield(L, -2, "limit");
	lua_pushinteger(L, h->hub.dropped);
	lua_setfield(L, -2, "dropped");
	return 1;
}

static int hub_close(lua_State *L)
{
	struct il_multi_channel *h = check_hub(L);
	if (h->closed)
		return 0;
	h->closed = true;
	if (il_fork_is_own(h->hub.generation))
		il_hub_close(&h->hub);
	return 0;
}

static int hub__gc(lua_State *L)
{
	struct il_multi_channel *h = check_hub(L);
	hub_close(L);
	il_channel_forget(L, &h->channel);
	return 0;
}

static int hub__tostring(lua_State *L)
{
	struct il_multi_channel *h = check_hub(L);
	if (h->closed)
		lua_pushliteral(L, CLASS " (closed)");
	else if (h->hub.path)
		lua_pushfstring(L, CLASS " (%d clients, at %s)", h->hub.count, h->hub.path);
	else
		lua_pushfstring(L, CLASS " (%d clients)", h->hub.count);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "create_client", hub_create_client },
	{ "listen", hub_listen },
	{ "send", hub_send },
	{ "send_many", il_multi_channel_send_many },
	{ "flush", hub_flush },
	{ "receive", hub_receive },
	{ "receive_many", il_multi_channel_receive_many },
	{ "messages", hub_messages },
	{ "clients", hub_clients },
	{ "disconnect", hub_disconnect },
	{ "stat", hub_stat },
	{ "close", hub_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", hub__tostring },
	{ "__gc", hub__gc },
	{ "__close", hub_close },
	{ NULL, NULL },
};

static const luaL_Reg functions[] = {
	{ "multi_stream_channel", multi_stream_channel },
	{ "connect", hub_connect },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "receive", hub_receive },
	{ "receive_many", il_multi_channel_receive_many },
	{ "send", hub_send },
	{ "send_many", il_multi_channel_send_many },
	{ NULL, NULL },
};

static bool is_open(const void *object)
{
	return !((const struct il_multi_channel *)object)->closed;
}

static const struct il_cases cases = { .usual = "receive", .methods = waits, .open = is_open };

void il_multi_stream_channel_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	luaL_setfuncs(L, functions, 0);
}
