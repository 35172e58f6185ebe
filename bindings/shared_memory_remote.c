/* SPDX-License-Identifier: MIT
 *
 * The slots of an ipc.SharedMemory on another machine, see shared_memory_remote.h. Floor 4.
 */
#include "shared_memory_remote.h"
#include "sched/await.h"

#include <errno.h>

/* An access has no way to return what went wrong. */
static int cannot_access(lua_State *L, const struct il_shared_memory *m, int err)
{
	if (!m->memory)
		return il_error(L, "shared memory %s is closed", m->what);
	il_shared_memory_fail(L, m, err);
	if (lua_isinteger(L, -1))
		lua_pop(L, 1);
	else
		lua_pushfstring(L, "shared memory %s: %s", m->what, lua_tostring(L, -1));
	return il_error(L, "%s", lua_tostring(L, -1));
}

static int read_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return cannot_access(L, op->handle, op->err);
	if (op->memory.operand == 1) {
		lua_pushinteger(L, op->memory.value);
		return 1;
	}
	const int64_t *values = op->data;
	int count = (int)op->memory.operand;
	luaL_checkstack(L, count, "too many slots to return");
	for (int i = 0; i < count; i++)
		lua_pushinteger(L, values[i]);
	return count;
}

int il_shared_memory_read_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int count)
{
	struct il_op op;
	il_shared_memory_op(&op, m, &m->memory->ops->read, read_push);
	op.memory.slot = slot;
	op.memory.operand = count;
	return il_await_answer(L, &op);
}

static int write_push(lua_State *L, struct il_op *op)
{
	return op->err ? cannot_access(L, op->handle, op->err) : 0;
}

int il_shared_memory_write_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int64_t value)
{
	struct il_op op;
	il_shared_memory_op(&op, m, &m->memory->ops->write, write_push);
	op.memory.slot = slot;
	op.memory.value = value;
	return il_await_answer(L, &op);
}

static int add_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_shared_memory_fail(L, op->handle, op->err);
	lua_pushinteger(L, op->memory.value);
	return 1;
}

int il_shared_memory_add_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int64_t n)
{
	struct il_op op;
	il_shared_memory_op(&op, m, &m->memory->ops->add, add_push);
	op.memory.slot = slot;
	op.memory.operand = n;
	return il_await_answer(L, &op);
}

int il_shared_memory_push_swapped(lua_State *L, bool swapped, int64_t current)
{
	lua_pushboolean(L, swapped);
	if (swapped)
		return 1;
	lua_pushinteger(L, current);
	return 2;
}

static int swap_push(lua_State *L, struct il_op *op)
{
	if (op->err && op->err != ESTALE)
		return il_shared_memory_fail(L, op->handle, op->err);
	return il_shared_memory_push_swapped(L, !op->err, op->memory.value);
}

int il_shared_memory_swap_remote(lua_State *L, struct il_shared_memory *m, size_t slot, int64_t expected, int64_t value)
{
	struct il_op op;
	il_shared_memory_op(&op, m, &m->memory->ops->swap, swap_push);
	op.memory.slot = slot;
	op.memory.value = expected;
	op.memory.operand = value;
	return il_await_answer(L, &op);
}
