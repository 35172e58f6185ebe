/* SPDX-License-Identifier: MIT
 *
 * The slots of an ipc.SharedMemory on another machine: each access is an operation that waits for the answer, and
 * pushes the results of the call. Floor 4.
 */
#ifndef IL_SHARED_MEMORY_REMOTE_H
#define IL_SHARED_MEMORY_REMOTE_H

#include "shared_memory.h"

/* These raise what goes wrong. */
int il_shared_memory_read_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int count);
int il_shared_memory_write_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int64_t value);

/* These return nil, and why. */
int il_shared_memory_add_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int64_t n);
int il_shared_memory_swap_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int64_t expected,
	int64_t value);

/* The results of compare_and_swap. */
int il_shared_memory_push_swapped(lua_State *L, bool swapped, int64_t current);

#endif
