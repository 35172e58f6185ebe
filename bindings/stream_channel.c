/* SPDX-License-Identifier: MIT
 *
 * ipc.StreamChannel: messages with another process over a connected socket.
 * Floor 4.
 */
#include "loop/stream.h"
#include "bind.h"
#include "codec.h"
#include "sched/await.h"

#include <errno.h>
#include <string.h>

#define CLASS "ipc.StreamChannel"

enum { MAX_MESSAGE = 16 * 1024 * 1024 };

struct il_channel {
	struct il_stream *stream; /* NULL: closed */
	uint32_t max_message;
	enum il_codec codec;      /* its table, if it is one, is in the registry at the channel's address */
};

static struct il_channel *check_channel(lua_State *L)
{
	return il_self(L, CLASS);
}

static struct il_channel *check_open(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	if (!c->stream)
		luaL_error(L, "channel is closed");
	return c;
}

struct il_channel *il_channel_push(lua_State *L, int options)
{
	struct il_channel *c = lua_newuserdatauv(L, sizeof *c, 0);
	*c = (struct il_channel){ .max_message = MAX_MESSAGE };
	luaL_setmetatable(L, CLASS);
	enum il_codec codec = il_codec_option(L, options);
	if (codec == IL_CODEC_TABLE)
		lua_rawsetp(L, LUA_REGISTRYINDEX, c);
	else
		lua_pop(L, 1);
	c->codec = codec;
	if (il_option(L, options, "max_message") != LUA_TNIL) {
		int isnum;
		lua_Integer max = lua_tointegerx(L, -1, &isnum);
		if (!isnum || max < 1 || max > 0x7fffffff)
			luaL_argerror(L, options, "max_message must be from 1 to 2147483647 bytes");
		c->max_message = (uint32_t)max;
	}
	lua_pop(L, 1);
	if (il_option(L, options, "framing") != LUA_TNIL) {
		const char *framing = lua_tostring(L, -1);
		if (!framing || strcmp(framing, "length") != 0)
			luaL_argerror(L, options, "framing of a pair is \"length\"");
	}
	lua_pop(L, 1);
	return c;
}

void il_channel_attach(struct il_channel *c, struct il_stream *s)
{
	c->stream = s;
}

uint32_t il_channel_max(const struct il_channel *c)
{
	return c->max_message;
}

void il_channel_abandon(struct il_channel *c)
{
	il_stream_abandon(c->stream);
	c->stream = NULL;
}

static int stream_channel_pair(lua_State *L)
{
	struct il_stream *pair[2];
	lua_settop(L, 1);
	struct il_channel *a = il_channel_push(L, 1), *b = il_channel_push(L, 1);
	int err = il_stream_pair(pair, &(struct il_stream_options){ .max_message = a->max_message });
	if (err)
		return il_fail(L, err, "cannot make a pair of channels");
	il_channel_attach(a, pair[0]);
	il_channel_attach(b, pair[1]);
	return 2;
}

static int failure(lua_State *L, int err)
{
	if (err == ECONNRESET || err == EPIPE)
		return il_word(L, "closed");
	return il_fail(L, err, "channel");
}

static int send_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return failure(L, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct il_await_type send_type = {
	{ "channel send", il_stream_send_attempt, il_stream_send_start, il_stream_cancel }, send_push,
};

/* Stack while it waits: channel, the bytes of the message, timeout. */
static int channel_send(lua_State *L)
{
	struct il_channel *c = check_open(L);
	size_t size;
	luaL_checkany(L, 2);
	lua_settop(L, 3);
	lua_rawgetp(L, LUA_REGISTRYINDEX, c);
	il_codec_encode(L, c->codec, 2, 4);
	lua_settop(L, 3);
	const char *bytes = lua_tolstring(L, 2, &size);
	c = check_open(L); /* an encoder of the user's may have closed it */
	if (size > c->max_message)
		return il_fail(L, EMSGSIZE, "message of %I bytes is over this channel's limit of %I bytes (max_message)",
			       (LUAI_UACINT)size, (LUAI_UACINT)c->max_message);
	return il_await_data(L, &send_type, c->stream, 0, (void *)bytes, size, 3);
}

static int receive_push(lua_State *L, struct il_op *op)
{
	struct il_channel *c = (struct il_channel *)(intptr_t)op->arg;
	if (op->err == EMSGSIZE)
		return il_fail(L, EMSGSIZE, "message of %I bytes is over this channel's limit of %I bytes (max_message), "
			       "the channel is closed", (LUAI_UACINT)op->size, (LUAI_UACINT)c->max_message);
	if (op->err)
		return failure(L, op->err);
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	if (c->codec == IL_CODEC_RAW)
		return 1;
	lua_rawgetp(L, LUA_REGISTRYINDEX, c);
	lua_insert(L, -2);
	bool decoded = il_codec_decode(L, c->codec, -2);
	lua_remove(L, -2);
	if (decoded)
		return 1;
	const char *why = luaL_tolstring(L, -1, NULL);
	lua_pushnil(L);
	lua_pushfstring(L, "cannot decode a message of this channel: %s", why);
	return 2;
}

static const struct il_await_type receive_type = {
	{ "channel receive", il_stream_receive_attempt, il_stream_receive_start, il_stream_cancel }, receive_push,
};

static int channel_receive(lua_State *L)
{
	struct il_channel *c = check_open(L);
	return il_await(L, &receive_type, c->stream, (intptr_t)c, 2);
}

static int messages_next(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	lua_settop(L, 1);
	if (!c->stream)
		return 0;
	return il_await(L, &receive_type, c->stream, (intptr_t)c, 2);
}

static int channel_messages(lua_State *L)
{
	check_open(L);
	lua_pushcfunction(L, messages_next);
	lua_pushvalue(L, 1);
	return 2;
}

static int channel_fileno(lua_State *L)
{
	lua_pushinteger(L, check_open(L)->stream->wire.fd);
	return 1;
}

static int channel_close(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	struct il_stream *s = c->stream;
	c->stream = NULL;
	il_stream_close(s);
	return 0;
}

static int channel__gc(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	if (c->codec == IL_CODEC_TABLE) {
		lua_pushnil(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, c);
	}
	return channel_close(L);
}

static int channel__tostring(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	if (c->stream)
		lua_pushfstring(L, CLASS " (descriptor %d)", c->stream->wire.fd);
	else
		lua_pushliteral(L, CLASS " (closed)");
	return 1;
}

static const luaL_Reg methods[] = {
	{ "send", channel_send },     { "receive", channel_receive }, { "messages", channel_messages },
	{ "fileno", channel_fileno }, { "close", channel_close },     { NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", channel__tostring }, { "__gc", channel__gc }, { "__close", channel_close }, { NULL, NULL },
};

static const luaL_Reg functions[] = { { "stream_channel_pair", stream_channel_pair }, { NULL, NULL } };

void il_stream_channel_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, "receive");
	luaL_setfuncs(L, functions, 0);
}
