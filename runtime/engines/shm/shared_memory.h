/* SPDX-License-Identifier: MIT
 *
 * How shared memory for Lua is laid out in a segment: its head, the words that slots.h wants, and the slots.
 * Floor 2.
 */
#ifndef IL_SHM_SHARED_MEMORY_H
#define IL_SHM_SHARED_MEMORY_H

#include "engines/shm/segment.h"
#include "engines/waiters.h"

enum { IL_SHM_MEMORY_LINE = 64, IL_SHM_MEMORY_MARKS = 16, IL_SHM_MEMORY_WAITERS = 64 };

struct il_shm_memory_shared {
	struct il_head head;
	uint64_t slots; /* how many */
	uint32_t marks[IL_SHM_MEMORY_MARKS];
	struct il_waiters_head waiting;
	struct il_waiter waiters[IL_SHM_MEMORY_WAITERS];
};

/* Of a cache line of their own, so that changes of slots do not slow down the readers of the words. */
enum {
	IL_SHM_MEMORY_SLOTS_AT =
		(sizeof(struct il_shm_memory_shared) + IL_SHM_MEMORY_LINE - 1) / IL_SHM_MEMORY_LINE * IL_SHM_MEMORY_LINE
};

static inline size_t il_shm_memory_size(size_t slots)
{
	return IL_SHM_MEMORY_SLOTS_AT + slots * sizeof(int64_t);
}

#endif
