/* SPDX-License-Identifier: MIT
 *
 * Methods of ipc.Queue: many messages at once.
 * Floor 4.
 */
#ifndef IL_QUEUE_MANY_H
#define IL_QUEUE_MANY_H

#include <lua.h>

/* queue:send_many(type, messages [, timeout]) */
int il_queue_send_many(lua_State *L);

/* queue:receive_many(max [, type [, timeout]]) */
int il_queue_receive_many(lua_State *L);

#endif
