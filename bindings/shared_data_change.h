/* SPDX-License-Identifier: MIT
 *
 * The method change of ipc.SharedData, and what its script is made of.
 * Floor 4.
 */
#ifndef IL_SHARED_DATA_CHANGE_H
#define IL_SHARED_DATA_CHANGE_H

#include <lua.h>

int il_data_change(lua_State *L);

/* For the script: (name) → the same, a string. Raises. */
int il_data_name(lua_State *L);

/* (name, value, options) → bytes, ttl. Raises what the codec cannot carry. */
int il_data_encode(lua_State *L);

/* (list: of each name four elements, see ITEM) → true | nil, why... */
int il_data_commit(lua_State *L);

#endif
