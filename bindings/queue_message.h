/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.Queue that send and receive.
 * Floor 4.
 */
#ifndef IL_QUEUE_MESSAGE_H
#define IL_QUEUE_MESSAGE_H

#include <lua.h>

int il_queue_send(lua_State *L);
int il_queue_receive(lua_State *L);
int il_queue_messages(lua_State *L);
int il_queue_peek(lua_State *L);

#endif
