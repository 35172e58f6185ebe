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

/* How many messages are wanted at most, at arg. Raises. */
lua_Integer il_check_most(lua_State *L, int arg);

/* For how many of these a list is to have room from the start. */
int il_channel_room_for(lua_Integer max);

/* The lists from `lists` to the top have what was waited for. Calls add(lists..., source, max) for what is there
 * behind it; if there is no memory for more, what was taken is not lost. Returns how many lists. Raises. */
int il_channel_collect(lua_State *L, lua_CFunction add, int lists, void *source, lua_Integer max);

#endif
