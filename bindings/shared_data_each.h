/* SPDX-License-Identifier: MIT
 *
 * ipc.Snapshot: the names of ipc.SharedData as they were at one moment.
 * Floor 4.
 */
#ifndef IL_SHARED_DATA_EACH_H
#define IL_SHARED_DATA_EACH_H

#include <lua.h>

/* Registers the class. */
void il_snapshot_open(lua_State *L);

int il_data_each(lua_State *L);

#endif
