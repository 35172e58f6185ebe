/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, of a channel and of a hub.
 * Floor 4.
 */
#ifndef IL_STREAM_CHANNEL_MANY_H
#define IL_STREAM_CHANNEL_MANY_H

#include "stream_channel.h"

#include <lua.h>
#include <stddef.h>

/* Methods of ipc.StreamChannel. */
int il_channel_send_many(lua_State *L);
int il_channel_receive_many(lua_State *L);

/* Replaces the list of messages at 2 by their frames, a string. 0; or which of them, of *size bytes, is too
 * large. Raises. */
lua_Integer il_channel_encode_many(lua_State *L, struct il_channel *c, size_t *size);

#endif
