/* SPDX-License-Identifier: MIT
 *
 * Messages of a channel, of a hub's too, between Lua and bytes; and what is said when there is none.
 * Floor 4.
 */
#ifndef IL_STREAM_CHANNEL_MESSAGE_H
#define IL_STREAM_CHANNEL_MESSAGE_H

#include "stream_channel.h"
#include "loop/op.h"

#include <lua.h>
#include <stddef.h>

/* Replaces the message at 2 by its bytes. `index`: which of a list of messages it is, or 0. Raises. */
void il_channel_encode(lua_State *L, struct il_channel *c, lua_Integer index);

/* Replaces the bytes at the top by the message, or by nil and why not; returns how many values. `client` is the one
 * that sent them to a hub, else 0. */
int il_channel_decode(lua_State *L, struct il_channel *c, lua_Integer client);

/* nil, "closed", or nil and why. */
int il_channel_failure(lua_State *L, int err);
int il_channel_receive_failure(lua_State *L, const struct il_channel *c, const struct il_op *op, const char *mismatch);

/* nil, "message of ... bytes is over this channel's limit ...", EMSGSIZE. `owner`: "channel" or "hub". */
int il_channel_too_large(lua_State *L, const struct il_channel *c, const char *owner, lua_Integer index, size_t size);

#endif
