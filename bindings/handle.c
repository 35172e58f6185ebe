/* SPDX-License-Identifier: MIT
 *
 * Channels and Lua files that travel, see handle.h. The text is "file r" (w, a, r+, a+), or "channel json length
 * 16777216". It comes from the other process, so it is not believed. Floor 4.
 */
#include "handle.h"
#include "bind.h"
#include "stream_channel.h"
#include "stream/stream.h"
#include "stream/stream_send.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const codecs[] = {
	[IL_CODEC_JSON] = "json",
	[IL_CODEC_LUA] = "lua",
	[IL_CODEC_RAW] = "raw",
};

static int file_fd(lua_State *L, int arg)
{
	luaL_Stream *file = luaL_checkudata(L, arg, LUA_FILEHANDLE);
	luaL_argcheck(L, file->closef, arg, "file is closed");
	fflush(file->f);
	return fileno(file->f);
}

int il_handle_fd(lua_State *L, int arg)
{
	if (lua_type(L, arg) == LUA_TNUMBER)
		return (int)il_check_range(L, arg, 0, INT_MAX, "descriptor");
	if (!luaL_testudata(L, arg, LUA_FILEHANDLE))
		il_missing(L, arg, "file", "file or descriptor");
	return file_fd(L, arg);
}

static int describe_channel(lua_State *L, int arg, struct il_channel *c)
{
	luaL_argcheck(L, c->stream && c->stream->transport.fd >= 0, arg, "channel is closed");
	luaL_argcheck(L, c->codec != IL_CODEC_TABLE, arg, "a channel with a codec of your own cannot travel");
	luaL_argcheck(L, c->stream->in.start == c->stream->in.end, arg,
		"channel has messages that were not received yet");
	il_stream_flush(c->stream);
	luaL_argcheck(L, il_list_empty(&c->stream->out.queue), arg, "channel has a message that is not sent yet");
	lua_pushfstring(L, "channel %s %s %d", codecs[c->codec], c->options.newlines ? "line" : "length",
		(int)c->options.max_message);
	return c->stream->transport.fd;
}

static const char *mode_of(int flags)
{
	int access = flags & O_ACCMODE;
	if (flags & O_APPEND)
		return access == O_WRONLY ? "a" : "a+";
	return access == O_RDONLY ? "r" : access == O_WRONLY ? "w" : "r+";
}

int il_handle_describe(lua_State *L, int arg)
{
	struct il_channel *c = il_test_channel(L, arg);
	if (c)
		return describe_channel(L, arg, c);
	if (!luaL_testudata(L, arg, LUA_FILEHANDLE))
		il_missing(L, arg, "file", "channel or file");
	int fd = file_fd(L, arg), flags = fcntl(fd, F_GETFL);
	luaL_argcheck(L, flags >= 0, arg, "file has no descriptor");
	lua_pushfstring(L, "file %s", mode_of(flags));
	return fd;
}

static int close_file(lua_State *L)
{
	luaL_Stream *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
	return luaL_fileresult(L, fclose(file->f) == 0, NULL);
}

/* The modes that mode_of makes, and no other. */
static bool is_mode(const char *mode)
{
	static const char *const modes[] = { "r", "w", "a", "r+", "a+" };
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(mode, modes[i]) == 0)
			return true;
	return false;
}

static int push_file(lua_State *L, int fd, const char *mode)
{
	luaL_Stream *file = lua_touserdata(L, 1);
	file->f = fdopen(fd, mode);
	if (!file->f) {
		int err = errno;
		close(fd);
		return il_fail(L, err, "cannot open the file that was received");
	}
	file->closef = close_file;
	lua_settop(L, 1);
	return 1;
}

static int push_channel(lua_State *L, int fd, const char *codec, const char *framing, int max)
{
	struct il_channel *c = lua_touserdata(L, 2);
	c->codec = IL_CODEC_TABLE;
	for (int i = 0; i < IL_CODEC_TABLE; i++)
		if (codecs[i] && strcmp(codec, codecs[i]) == 0)
			c->codec = (enum il_codec)i;
	c->options =
		(struct il_stream_options){ .max_message = (uint32_t)max, .newlines = strcmp(framing, "line") == 0 };
	if (c->codec == IL_CODEC_TABLE || max < 1) {
		c->codec = IL_CODEC_RAW;
		close(fd);
		return il_fail(L, EPROTO, "a channel of an unknown kind was received");
	}
	int err = il_stream_open(&c->stream, fd, &c->options);
	if (err)
		return il_fail(L, err, "the channel that was received cannot be used");
	lua_settop(L, 2);
	return 1;
}

/* Stack: text, descriptor → 1 an inert file, 2 an inert channel: nothing is made while the descriptor has no owner. */
static int push(lua_State *L)
{
	char kind[8] = "", a[8] = "", framing[8] = "";
	int fd = (int)lua_tointeger(L, 2), max = 0;
	int n = sscanf(lua_touserdata(L, 1), "%7s %7s %7s %d", kind, a, framing, &max);
	lua_settop(L, 0);
	luaL_Stream *file = lua_newuserdatauv(L, sizeof *file, 0);
	file->closef = NULL;
	luaL_setmetatable(L, LUA_FILEHANDLE);
	il_channel_push(L, 3);
	if (n == 2 && strcmp(kind, "file") == 0 && is_mode(a))
		return push_file(L, fd, a);
	if (n == 4 && strcmp(kind, "channel") == 0)
		return push_channel(L, fd, a, framing, max);
	close(fd);
	return il_fail(L, EPROTO, "a handle of an unknown kind was received");
}

int il_handle_push(lua_State *L, int fd, const char *text)
{
	int top = lua_gettop(L);
	if (fd < 0)
		return il_fail(L, EPROTO, "a handle was announced, but its descriptor did not come");
	lua_pushcfunction(L, push);
	lua_pushlightuserdata(L, (void *)text);
	lua_pushinteger(L, fd);
	if (lua_pcall(L, 2, LUA_MULTRET, 0) != LUA_OK) { /* no memory, before it had an owner */
		close(fd);
		return lua_error(L);
	}
	return lua_gettop(L) - top;
}
