/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.SharedData that change it.
 * Floor 4.
 */
#ifndef IL_SHARED_DATA_WRITE_H
#define IL_SHARED_DATA_WRITE_H

#include "shared_data_handle.h"

#include <lua.h>
#include <stdint.h>

int il_data_set(lua_State *L);
int il_data_add(lua_State *L);
int il_data_delete(lua_State *L);
int il_data_clear(lua_State *L);
int il_data_update(lua_State *L);

/* For update: (name, value or nil, version) → true | nil, why... */
int il_data_swap(lua_State *L);

/* The bytes take the place of the value at index `value`. Raises what the codec cannot carry. */
void il_data_encode_at(lua_State *L, struct il_shared_data *d, int value);

/* The ttl of the options at arg, which may be nil. Raises. */
int64_t il_data_ttl_option(lua_State *L, int arg);

/* nil, and why something could not be set: with EMSGSIZE op->size is the bytes of a value. */
int il_data_write_fail(lua_State *L, const struct il_op *op);

#endif
