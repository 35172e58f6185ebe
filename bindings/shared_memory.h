/* SPDX-License-Identifier: MIT
 *
 * What the files of ipc.SharedMemory share: the handle (shared_memory.c), its slots (shared_memory_slots.c), and those
 * of an object on another machine (shared_memory_remote.c). Floor 4.
 */
#ifndef IL_SHARED_MEMORY_H
#define IL_SHARED_MEMORY_H

#include "bind.h"
#include "engines/engine.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOUN "shared memory"

extern const char il_shared_memory_class[];

struct il_shared_memory {
	struct il_object object;
	struct il_memory *memory; /* NULL: closed */
	const int64_t *slots; /* the engine's; NULL: on another machine */
	size_t count; /* 0: closed, or on another machine */
	const volatile bool *lost;
	uint64_t identity; /* as on a board */
	char what[];
};

/* The handle that was used last, and is open: most calls need no look at its class. */
extern struct il_shared_memory *il_shared_memory_last;

/* The handle at 1, for il_shared_memory_check_open. Raises if it is closed. */
struct il_shared_memory *il_shared_memory_check(lua_State *L);

static inline struct il_shared_memory *il_shared_memory_check_open(lua_State *L)
{
	struct il_shared_memory *m = lua_touserdata(L, 1);
	return m == il_shared_memory_last ? m : il_shared_memory_check(L);
}

/* An operation of its engine, for il_await_answer. */
static inline void il_shared_memory_op(struct il_op *op, struct il_shared_memory *m, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, m->memory);
	op->handle = m;
	op->push = push;
}

/* nil, and why. */
int il_shared_memory_fail(lua_State *L, const struct il_shared_memory *m, int err);

#endif
