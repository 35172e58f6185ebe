/* SPDX-License-Identifier: MIT
 *
 * Loads and stores of what several processes share.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_SHARED_ATOMIC_H
#define IL_BASE_SHARED_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

/* Stores into shared memory that others rely on: what was stored before is there, too. */
static inline void il_put(uint32_t *to, uint32_t value)
{
	atomic_store_explicit((_Atomic uint32_t *)to, value, memory_order_release);
}

static inline void il_put64(uint64_t *to, uint64_t value)
{
	atomic_store_explicit((_Atomic uint64_t *)to, value, memory_order_release);
}

static inline uint32_t il_get(const uint32_t *from)
{
	return atomic_load_explicit((const _Atomic uint32_t *)from, memory_order_acquire);
}

static inline uint64_t il_get64(const uint64_t *from)
{
	return atomic_load_explicit((const _Atomic uint64_t *)from, memory_order_acquire);
}

#endif
