/* SPDX-License-Identifier: MIT
 *
 * Channels and files that cross to another process, see stream_channel_handle.h; what they are there is in handle.c.
 * Floor 4.
 */
#include "stream_channel_handle.h"
#include "bind.h"
#include "handle.h"
#include "os/file.h"
#include "sched/await.h"
#include "stream/stream.h"
#include "stream/stream_send.h"
#include "stream_channel.h"
#include "stream_channel_message.h"

#include <errno.h>
#include <string.h>

static const struct il_await_type send_type = {
	{ "channel send_handle", il_stream_send_attempt, il_stream_send_start, il_stream_cancel },
	il_channel_send_push,
};

/* Where there is none garbage may have some. Before anything is checked: finalizers run. */
static void spare_descriptor(lua_State *L)
{
	bool collected = false;
	il_collect(L, il_file_descriptor_left(), &collected);
}

int il_channel_send_handle(lua_State *L)
{
	spare_descriptor(L);
	struct il_channel *c = il_channel_check_open(L);
	size_t size;
	lua_settop(L, 4); /* nil, message, errno may stand where the file should */
	int fd = il_handle_describe(L, 2);
	if (c->options.newlines || !c->stream->transport.passes)
		return il_fail(L, EOPNOTSUPP, "handles travel over Unix sockets with framing \"length\" only");
	const char *text = lua_tolstring(L, -1, &size);
	return il_await_handle(L, &send_type, c->stream, fd, text, size, 3);
}

static int handle_push(lua_State *L, struct il_op *op)
{
	char text[IL_HANDLE_TEXT] = "";
	if (op->err)
		return il_channel_receive_failure(L, (struct il_channel *)(intptr_t)op->arg, op,
			"a message is next, not a handle: use receive");
	int fd = op->fd;
	op->fd = -1;
	if (op->size < sizeof text)
		memcpy(text, op->data, op->size);
	il_op_clear(op);
	return il_handle_push(L, fd, text);
}

static const struct il_await_type handle_type = {
	{ "channel receive_handle", il_stream_handle_attempt, il_stream_receive_start, il_stream_cancel },
	handle_push,
};

int il_channel_receive_handle(lua_State *L)
{
	spare_descriptor(L);
	struct il_channel *c = il_channel_check_open(L);
	if (c->options.newlines || !c->stream->transport.passes)
		return il_fail(L, EOPNOTSUPP, "handles travel over Unix sockets with framing \"length\" only");
	return il_await(L, &handle_type, c->stream, (intptr_t)c, 2);
}
