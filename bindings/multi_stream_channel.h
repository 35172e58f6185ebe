/* SPDX-License-Identifier: MIT
 *
 * The class of hubs, for the file of its methods that send and receive many.
 * Floor 4.
 */
#ifndef IL_MULTI_STREAM_CHANNEL_H
#define IL_MULTI_STREAM_CHANNEL_H

#include "stream_channel.h"
#include "stream/hub.h"

#include <lua.h>
#include <stdbool.h>

struct il_multi_channel {
	struct il_channel channel; /* for its codec and options; it has no stream */
	struct il_hub hub;
	bool closed;
};

/* The hub at 1 of a method. Raises if it is closed, or another process's. */
struct il_multi_channel *il_multi_channel_check_open(lua_State *L);

/* Pushes a packet of the bytes at 2: of a message, or `framed` already. It lives as long as the call: it is on the
 * stack, or a select keeps it. Raises. */
struct il_packet *il_multi_channel_push_packet(lua_State *L, const struct il_multi_channel *h, bool framed);

/* For il_await: the results of send and of receive. */
int il_multi_channel_send_push(lua_State *L, struct il_op *op);
int il_multi_channel_receive_push(lua_State *L, struct il_op *op);

#endif
