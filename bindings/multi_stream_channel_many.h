/* SPDX-License-Identifier: MIT
 *
 * Methods of ipc.MultiStreamChannel: many messages at once.
 * Floor 4.
 */
#ifndef IL_MULTI_STREAM_CHANNEL_MANY_H
#define IL_MULTI_STREAM_CHANNEL_MANY_H

#include <lua.h>

/* hub:send_many(messages [, client [, timeout]]) */
int il_multi_channel_send_many(lua_State *L);

/* hub:receive_many(max [, timeout]) */
int il_multi_channel_receive_many(lua_State *L);

#endif
