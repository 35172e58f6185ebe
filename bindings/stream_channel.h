/* SPDX-License-Identifier: MIT
 *
 * Channels for the other classes: a process and a hub make them, too.
 * Floor 4.
 */
#ifndef IL_STREAM_CHANNEL_H
#define IL_STREAM_CHANNEL_H

#include "bind.h"
#include "codec/codec.h"
#include "loop/op.h"
#include "stream/stream.h"

#include <lua.h>

struct il_channel {
	struct il_object object;
	struct il_stream *stream; /* NULL: closed */
	struct il_stream_options options;
	enum il_codec codec; /* its table, if it is one, is in the registry at the channel's address */
};

/* The options of a channel, for those that have more. */
#define IL_CHANNEL_OPTIONS "buffer", "codec", "framing", "max_message"
extern const char *const il_channel_option_names[];

/* The channel at arg; NULL: it is something else. */
struct il_channel *il_test_channel(lua_State *L, int arg);

/* That at 1 of a method. Raises if it is closed. */
struct il_channel *il_channel_check_open(lua_State *L);

/* Pushes a channel with the options of the table at `options`, to be given its stream afterwards. Raises. */
struct il_channel *il_channel_push(lua_State *L, int options);

/* The same into a channel that is there; a codec's table is kept until il_channel_forget. Raises. */
void il_channel_options(lua_State *L, struct il_channel *c, int options);
void il_channel_forget(lua_State *L, struct il_channel *c);

/* Pushes a channel with the codec and the options of another. Raises. */
struct il_channel *il_channel_like(lua_State *L, const struct il_channel *other);

/* In a forked child: the parent's end of another child's channel. */
void il_channel_abandon(struct il_channel *c);

/* For il_await: the results of send. */
int il_channel_send_push(lua_State *L, struct il_op *op);

#endif
