/* SPDX-License-Identifier: MIT
 *
 * Messages of a channel between Lua and bytes, see stream_channel_message.h. Floor 4.
 */
#include "stream_channel_message.h"
#include "bind.h"
#include "many.h"
#include "stream/stream.h"

#include <errno.h>
#include <string.h>

/* The bytes take the place of the message at 2. */
void il_channel_encode(lua_State *L, struct il_channel *c, lua_Integer index)
{
	char name[IL_MANY_NAME];
	int top = lua_gettop(L);
	size_t size;
	if (c->codec != IL_CODEC_RAW || lua_type(L, 2) != LUA_TSTRING) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, c);
		il_codec_encode(L, c->codec, 2, top + 1, il_many_name(index, name));
		lua_settop(L, top);
	}
	const char *bytes = lua_tolstring(L, 2, &size);
	if (c->options.newlines && memchr(bytes, '\n', size))
		il_error(L, "%s has a newline, which ends a message on this channel (framing \"line\")",
			il_many_name(index, name));
}

int il_channel_too_large(lua_State *L, const struct il_channel *c, const char *owner, lua_Integer index, size_t size)
{
	char name[IL_MANY_NAME];
	return il_fail(L, EMSGSIZE, "%s of %I bytes is over this %s's limit of %I bytes (max_message)",
		il_many_name(index, name), (LUAI_UACINT)size, owner, (LUAI_UACINT)c->options.max_message);
}

int il_channel_failure(lua_State *L, int err)
{
	if (err == ECONNRESET || err == EPIPE)
		return il_word(L, "closed");
	return il_fail(L, err, err == EBADF ? "channel goes the other way" : "channel");
}

int il_channel_receive_failure(lua_State *L, const struct il_channel *c, const struct il_op *op, const char *mismatch)
{
	if (op->err == EMSGSIZE)
		return il_fail(L, EMSGSIZE,
			"message of %s%I bytes is over this channel's limit of %I bytes (max_message), "
			"the channel is closed",
			c->options.newlines ? "at least " : "", (LUAI_UACINT)op->size,
			(LUAI_UACINT)c->options.max_message);
	if (op->err == EPROTO)
		return il_fail(L, EPROTO, "%s", mismatch);
	if (op->err == EMFILE || op->err == ENFILE)
		return il_fail(L, op->err, "a handle is next, and stays there until there is a descriptor left for it");
	return il_channel_failure(L, op->err);
}

/* Descriptor and client are what people can look for: neither has a name. */
static void push_place(lua_State *L, const struct il_channel *c, lua_Integer client)
{
	if (client)
		lua_pushfstring(L, "client %I of this hub", (LUAI_UACINT)client);
	else if (c->stream && c->stream->transport.fd >= 0)
		lua_pushfstring(L, "this channel (descriptor %d)", c->stream->transport.fd);
	else
		lua_pushliteral(L, "this channel");
}

int il_channel_decode(lua_State *L, struct il_channel *c, lua_Integer client)
{
	if (c->codec == IL_CODEC_RAW)
		return 1;
	lua_rawgetp(L, LUA_REGISTRYINDEX, c);
	lua_insert(L, -2);
	bool decoded = il_codec_decode(L, c->codec, -2);
	lua_remove(L, -2);
	if (decoded)
		return 1;
	push_place(L, c, client);
	lua_pushfstring(L, "cannot decode a message of %s: %s", lua_tostring(L, -1), lua_tostring(L, -2));
	lua_replace(L, -2);
	lua_pushnil(L);
	lua_replace(L, -3); /* of the two there is nothing below: select counts on it */
	return 2;
}
