/* SPDX-License-Identifier: MIT
 *
 * ipc.StreamChannel: messages with another process over a socket, a pipe or any other descriptor.
 * Floor 4.
 */
#include "stream_channel.h"
#include "stream_channel_handle.h"
#include "stream_channel_many.h"
#include "stream_channel_message.h"
#include "bind.h"
#include "classes.h"
#include "handle.h"
#include "option.h"
#include "loop/epoll.h"
#include "sched/await.h"
#include "stream/stream.h"
#include "stream/stream_end.h"
#include "stream/stream_send.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLASS "ipc.StreamChannel"

static const char class[] = CLASS;

enum { MAX_MESSAGE = 16 * 1024 * 1024, MAX_BUFFER = 1024 * 1024 * 1024 };

struct il_channel *il_test_channel(lua_State *L, int arg)
{
	return il_test_object(L, arg, class);
}

static struct il_channel *check_channel(lua_State *L)
{
	return il_self(L, class);
}

static struct il_channel *check_open(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	if (!c->stream)
		il_error(L, "channel is closed");
	return c;
}

struct il_channel *il_channel_check_open(lua_State *L)
{
	return check_open(L);
}

/* Options ------------------------------------------------------------------------------------------- */

const char *const il_channel_option_names[] = { IL_CHANNEL_OPTIONS, NULL };

static bool newlines_option(lua_State *L, int options)
{
	const char *framing = il_option(L, options, "framing") == LUA_TNIL ? "length" : lua_tostring(L, -1);
	bool newlines = framing && strcmp(framing, "line") == 0;
	if (!framing || (!newlines && strcmp(framing, "length") != 0))
		il_option_refuse(L, options, "framing must be \"length\" or \"line\"");
	lua_pop(L, 1);
	return newlines;
}

void il_channel_options(lua_State *L, struct il_channel *c, int options)
{
	c->options.max_message =
		(uint32_t)il_option_integer(L, options, "max_message", 1, INT_MAX, "bytes", MAX_MESSAGE);
	c->options.buffer = (uint32_t)il_option_integer(L, options, "buffer", 0, MAX_BUFFER, "bytes", 0);
	c->options.newlines = newlines_option(L, options);
	enum il_codec codec = il_codec_option(L, options);
	if (codec == IL_CODEC_LUA && c->options.newlines)
		luaL_argerror(L, options, "codec \"lua\" is binary: it needs framing \"length\"");
	if (codec == IL_CODEC_TABLE)
		lua_rawsetp(L, LUA_REGISTRYINDEX, c);
	else
		lua_pop(L, 1);
	c->codec = codec;
}

void il_channel_forget(lua_State *L, struct il_channel *c)
{
	if (c->codec != IL_CODEC_TABLE)
		return;
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, c);
}

static struct il_channel *push_inert(lua_State *L)
{
	struct il_channel *c = lua_newuserdatauv(L, sizeof *c, 0);
	*c = (struct il_channel){ .object.class = class, .codec = IL_CODEC_RAW };
	luaL_setmetatable(L, CLASS);
	return c;
}

struct il_channel *il_channel_push(lua_State *L, int options)
{
	struct il_channel *c = push_inert(L);
	il_channel_options(L, c, options);
	return c;
}

struct il_channel *il_channel_like(lua_State *L, const struct il_channel *other)
{
	struct il_channel *c = push_inert(L);
	c->options = other->options;
	if (other->codec == IL_CODEC_TABLE) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, other);
		lua_rawsetp(L, LUA_REGISTRYINDEX, c);
	}
	c->codec = other->codec;
	return c;
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
	il_options(L, 1, il_channel_option_names);
	struct il_channel *a = il_channel_push(L, 1), *b = il_channel_push(L, 1);
	bool collected = false;
	int err;
	do {
		err = il_codec_prepare(L, a->codec);
		if (!err)
			err = il_stream_pair(pair, &a->options);
	} while (il_collect(L, err, &collected));
	if (err)
		return il_fail(L, err, "cannot make a pair of channels");
	a->stream = pair[0];
	b->stream = pair[1];
	return 2;
}

/* A number is taken over; of a Lua file the channel has a descriptor of its own. The loop is there then, when a task
 * waits. */
static int own_descriptor(lua_State *L, enum il_codec codec, int *fd)
{
	int err = il_codec_prepare(L, codec);
	if (!err)
		err = il_epoll_open();
	*fd = il_handle_fd(L, 1);
	if (!err && lua_isuserdata(L, 1) && (*fd = fcntl(*fd, F_DUPFD_CLOEXEC, 0)) < 0)
		err = errno;
	return err;
}

static int stream_channel(lua_State *L)
{
	int fd = il_handle_fd(L, 1), err;
	bool collected = false;
	lua_settop(L, 2);
	il_options(L, 2, il_channel_option_names);
	struct il_channel *c = il_channel_push(L, 2);
	do
		err = own_descriptor(L, c->codec, &fd);
	while (il_collect(L, err, &collected));
	if (!err)
		err = il_stream_open(&c->stream, fd, &c->options);
	if (err == EPROTOTYPE)
		return il_fail(L, err, "descriptor %d is a socket, but not a stream", fd);
	return err ? il_fail(L, err, "cannot make a channel of descriptor %d", fd) : 1;
}

/* Sending --------------------------------------------------------------------------------------------- */

int il_channel_send_push(lua_State *L, struct il_op *op)
{
	il_op_clear(op);
	if (op->err)
		return il_channel_failure(L, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct il_await_type send_type = {
	{ "channel send", il_stream_send_attempt, il_stream_send_start, il_stream_cancel },
	il_channel_send_push,
};

/* Stack while it waits: channel, the bytes of the message, timeout. */
static int channel_send(lua_State *L)
{
	struct il_channel *c = check_open(L);
	size_t size;
	luaL_checkany(L, 2);
	lua_settop(L, 3);
	il_channel_encode(L, c, 0);
	const char *bytes = lua_tolstring(L, 2, &size);
	c = check_open(L); /* an encoder of the user's may have closed it */
	if (size > c->options.max_message)
		return il_channel_too_large(L, c, "channel", 0, size);
	return il_await_data(L, &send_type, c->stream, 0, (void *)bytes, size, 3);
}

static const struct il_await_type flush_type = {
	{ "channel flush", il_stream_flush_attempt, il_stream_send_start, il_stream_cancel },
	il_channel_send_push,
};

static int channel_flush(lua_State *L)
{
	struct il_channel *c = check_open(L);
	return il_await(L, &flush_type, c->stream, 0, 2);
}

/* No more will be sent. */
static int channel_shutdown(lua_State *L)
{
	struct il_channel *c = check_open(L);
	int err = il_stream_finish(c->stream);
	if (err)
		return il_channel_failure(L, err);
	lua_pushboolean(L, 1);
	return 1;
}

/* Receiving ------------------------------------------------------------------------------------------- */

static struct il_channel *channel_of(const struct il_op *op)
{
	return (struct il_channel *)(intptr_t)op->arg;
}

static int receive_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_channel_receive_failure(L, channel_of(op), op, "a handle is next: use receive_handle");
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	return il_channel_decode(L, channel_of(op), 0);
}

static const struct il_await_type receive_type = {
	{ "channel receive", il_stream_receive_attempt, il_stream_receive_start, il_stream_cancel },
	receive_push,
};

static int channel_receive(lua_State *L)
{
	struct il_channel *c = check_open(L);
	return il_await(L, &receive_type, c->stream, (intptr_t)c, 2);
}

static int next_push(lua_State *L, struct il_op *op)
{
	return il_next_message(L, receive_push(L, op));
}

static const struct il_await_type next_type = {
	{ "channel receive", il_stream_receive_attempt, il_stream_receive_start, il_stream_cancel },
	next_push,
};

static int messages_next(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	lua_settop(L, 1);
	if (!c->stream)
		return 0;
	return il_next_message(L, il_await(L, &next_type, c->stream, (intptr_t)c, 2));
}

static int channel_messages(lua_State *L)
{
	check_open(L);
	lua_pushcfunction(L, messages_next);
	lua_pushvalue(L, 1);
	return 2;
}

/* The rest -------------------------------------------------------------------------------------------- */

/* pid, uid of the process that made the other end, as the kernel noted it. */
static int channel_peer(lua_State *L)
{
	struct il_channel *c = check_open(L);
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (!c->stream->transport.passes)
		return il_fail(L, EOPNOTSUPP, "only a Unix socket knows its peer");
	if (getsockopt(c->stream->transport.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return il_fail(L, errno, "channel");
	lua_pushinteger(L, peer.pid);
	lua_pushinteger(L, (lua_Integer)peer.uid);
	return 2;
}

static int channel_fileno(lua_State *L)
{
	int fd = check_open(L)->stream->transport.fd;
	if (fd < 0)
		return il_error(L, "channel has no descriptor any more");
	lua_pushinteger(L, fd);
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
	il_channel_forget(L, check_channel(L));
	return channel_close(L);
}

static int channel__tostring(lua_State *L)
{
	struct il_channel *c = check_channel(L);
	if (c->stream && c->stream->transport.fd >= 0)
		lua_pushfstring(L, CLASS " (descriptor %d)", c->stream->transport.fd);
	else
		lua_pushliteral(L, CLASS " (closed)");
	return 1;
}

static const luaL_Reg methods[] = {
	{ "send", channel_send },
	{ "send_many", il_channel_send_many },
	{ "flush", channel_flush },
	{ "receive", channel_receive },
	{ "receive_many", il_channel_receive_many },
	{ "messages", channel_messages },
	{ "send_handle", il_channel_send_handle },
	{ "receive_handle", il_channel_receive_handle },
	{ "shutdown", channel_shutdown },
	{ "peer", channel_peer },
	{ "fileno", channel_fileno },
	{ "close", channel_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", channel__tostring },
	{ "__gc", channel__gc },
	{ "__close", channel_close },
	{ NULL, NULL },
};

static const luaL_Reg functions[] = {
	{ "stream_channel_pair", stream_channel_pair },
	{ "stream_channel", stream_channel },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "receive", channel_receive },
	{ "receive_many", il_channel_receive_many },
	{ "send", channel_send },
	{ "send_many", il_channel_send_many },
	{ "flush", channel_flush },
	{ "receive_handle", il_channel_receive_handle },
	{ "send_handle", il_channel_send_handle },
	{ NULL, NULL },
};

static bool is_open(const void *object)
{
	return ((const struct il_channel *)object)->stream != NULL;
}

static const struct il_cases cases = { .usual = "receive", .methods = waits, .open = is_open };

void il_stream_channel_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	luaL_setfuncs(L, functions, 0);
}
