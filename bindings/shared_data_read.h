/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.SharedData that read it.
 * Floor 4.
 */
#ifndef IL_SHARED_DATA_READ_H
#define IL_SHARED_DATA_READ_H

#include "shared_data_handle.h"
#include <lua.h>
#include <stdbool.h>

/* Replaces the bytes at the top by the value: true. Or by nil and what is wrong with them. */
bool il_data_decode(lua_State *L, struct il_shared_data *d, const char *name);

/* Replaces the bytes at the top by the value and its version; or by nil and why it cannot be decoded. How many. */
int il_data_push_value(lua_State *L, struct il_shared_data *d, const char *name, int64_t version);

/* The version that the handle got last of the name: both are indices. 0: there was none. Leaves something on the stack,
 * and collects no garbage. */
void il_data_remember(lua_State *L, int handle, int name, int64_t version);

/* Raises why an operation of a loop has failed. */
int il_data_raise(lua_State *L, const struct il_op *op);

int il_data_get(lua_State *L);
int il_data__pairs(lua_State *L);
int il_data_count(lua_State *L);
int il_data_stat(lua_State *L);
int il_data_wait(lua_State *L);

/* For update: get, of which the handle remembers nothing. */
int il_data_query(lua_State *L);

/* For change: the same of the bytes; (name, bytes) → value | nil, why it cannot be decoded. */
int il_data_query_raw(lua_State *L);
int il_data_decoded(lua_State *L);

#endif
