/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.SharedData that change it.
 * Floor 4.
 */
#ifndef IL_SHARED_DATA_WRITE_H
#define IL_SHARED_DATA_WRITE_H

#include <lua.h>

int il_data_set(lua_State *L);
int il_data_add(lua_State *L);
int il_data_delete(lua_State *L);
int il_data_clear(lua_State *L);
int il_data_update(lua_State *L);

/* For update: (name, value or nil, version) → true | nil, why... */
int il_data_swap(lua_State *L);

int il_data_change(lua_State *L);

/* For change: (name) → the same, a string; (name, value, options) → bytes, ttl; (list of items) → true | nil, why... */
int il_data_name(lua_State *L);
int il_data_encode(lua_State *L);
int il_data_commit(lua_State *L);

#endif
