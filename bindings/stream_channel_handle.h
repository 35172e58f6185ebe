/* SPDX-License-Identifier: MIT
 *
 * Methods of ipc.StreamChannel: channels and files that cross to another process.
 * Floor 4.
 */
#ifndef IL_STREAM_CHANNEL_HANDLE_H
#define IL_STREAM_CHANNEL_HANDLE_H

#include <lua.h>

int il_channel_send_handle(lua_State *L);
int il_channel_receive_handle(lua_State *L);

#endif
