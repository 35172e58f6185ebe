/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.SharedMemory that read, change and wait for slots. Floor 4.
 */
#ifndef IL_SHARED_MEMORY_SLOTS_H
#define IL_SHARED_MEMORY_SLOTS_H

#include <lua.h>

int il_shared_memory__index(lua_State *L);
int il_shared_memory__newindex(lua_State *L);
int il_shared_memory__len(lua_State *L);
int il_shared_memory_add(lua_State *L);
int il_shared_memory_compare_and_swap(lua_State *L);
int il_shared_memory_accessors(lua_State *L);
int il_shared_memory_wait(lua_State *L);

#endif
