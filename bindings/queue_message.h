/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.Queue that send and receive, and what those of queue_many.c and queue_jobs.c have in common with
 * them.
 * Floor 4.
 */
#ifndef IL_QUEUE_MESSAGE_H
#define IL_QUEUE_MESSAGE_H

#include "base/clock.h"
#include "queue_handle.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

int il_queue_send(lua_State *L);
int il_queue_receive(lua_State *L);
int il_queue_messages(lua_State *L);
int il_queue_peek(lua_State *L);

/* How large a message may be, and where that comes from. */
size_t il_queue_limit(const struct il_queue_handle *q, const char **reason);

/* nil, "message of ... bytes is over this queue's limit ...", EMSGSIZE. `index`: which of a list of messages it is, or
 * 0. */
int il_queue_too_large(lua_State *L, const struct il_queue_handle *q, lua_Integer index, size_t size);

/* Why the operation has not sent its message, or that of a list, of so many bytes. */
int il_queue_send_fail(lua_State *L, const struct il_queue_handle *q, const struct il_op *op, lua_Integer index,
	size_t size);

/* The bytes take the place of the message at index `value`. Raises; so it does if the encoder has closed the queue. */
void il_queue_encode(lua_State *L, struct il_queue_handle *q, int value);

/* Replaces the bytes at the top by the message, or by nil and why not; returns how many values. */
int il_queue_decode(lua_State *L, struct il_queue_handle *q, lua_Integer type);

/* A timeout that was given, at 4, as a deadline. Raises. */
int64_t il_queue_send_timeout(lua_State *L);

static inline int64_t il_queue_send_deadline(lua_State *L)
{
	return lua_isnoneornil(L, 4) ? IL_NEVER : il_queue_send_timeout(L);
}

/* The type that is wanted, at arg: 0 without. Raises. */
lua_Integer il_queue_optional_type(lua_State *L, int arg);

#endif
