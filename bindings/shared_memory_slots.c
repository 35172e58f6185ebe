/* SPDX-License-Identifier: MIT
 *
 * The slots of ipc.SharedMemory, see shared_memory_slots.h. Few instructions are what counts here: what is wrong is
 * found out when something is not as it should be. Floor 4.
 */
#include "shared_memory_slots.h"
#include "sched/await.h"
#include "shared_memory.h"
#include "shared_memory_remote.h"

#include <stdatomic.h>

enum { MAX_GET = 100000 };

static inline void check_sound(lua_State *L, const struct il_shared_memory *m)
{
	if (*m->lost)
		il_error(L, "shared memory %s is damaged; remove it", m->what);
}

/* A float may stand for an integer, a string may not. */
static bool to_integer(lua_State *L, int arg, lua_Integer *n)
{
	int is_integer;
	*n = lua_tointegerx(L, arg, &is_integer);
	return is_integer && lua_type(L, arg) == LUA_TNUMBER;
}

static void out_of_range(lua_State *L, const struct il_shared_memory *m, lua_Integer slot)
{
	il_error(L, "slot %I is out of range: shared memory %s has %I slots, from 0 on", (LUAI_UACINT)slot, m->what,
		(LUAI_UACINT)m->memory->count);
}

static size_t other_slot(lua_State *L, const struct il_shared_memory *m, int arg)
{
	lua_Integer slot;
	if (lua_type(L, arg) == LUA_TSTRING)
		il_error(L, "a slot is an integer, got '%s'", lua_tostring(L, arg));
	if (!to_integer(L, arg, &slot))
		il_error(L, "a slot is an integer, got %s", il_got(L, arg));
	if (slot < 0 || (size_t)slot >= m->memory->count)
		out_of_range(L, m, slot);
	return (size_t)slot;
}

static inline size_t check_slot(lua_State *L, const struct il_shared_memory *m, int arg)
{
	size_t slot = lua_isinteger(L, arg) ? (size_t)lua_tointegerx(L, arg, NULL) : SIZE_MAX;
	return slot < m->count ? slot : other_slot(L, m, arg);
}

/* `use`: " for new", of an argument that is one of several. */
static lua_Integer other_value(lua_State *L, int arg, size_t slot, const char *use)
{
	lua_Integer value;
	if (!to_integer(L, arg, &value))
		il_error(L, "slot %I takes integers, got %s%s", (LUAI_UACINT)slot, il_got(L, arg), use);
	return value;
}

static inline lua_Integer check_value(lua_State *L, int arg, size_t slot, const char *use)
{
	return lua_isinteger(L, arg) ? lua_tointegerx(L, arg, NULL) : other_value(L, arg, slot, use);
}

static int push_slot(lua_State *L, const struct il_shared_memory *m, size_t slot)
{
	int64_t value = atomic_load((const _Atomic int64_t *)&m->slots[slot]);
	check_sound(L, m);
	lua_pushinteger(L, value);
	return 1;
}

/* On this one -------------------------------------------------------------------------------------------- */

static int slow_index(lua_State *L, struct il_shared_memory *m)
{
	size_t slot = other_slot(L, m, 2);
	return m->slots ? push_slot(L, m, slot) : il_shared_memory_read_remote(L, m, slot, 1);
}

/* Methods are looked up here, too. Inlined it would cost each access the registers that it saves. */
static int __attribute__((noinline)) other_index(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return slow_index(L, il_shared_memory_check_open(L));
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	return il_error(L, "shared memory %s has no method '%s', and a slot is an integer",
		il_shared_memory_check_open(L)->what, lua_tostring(L, 2));
}

int il_shared_memory__index(lua_State *L)
{
	if (!lua_isinteger(L, 2))
		return other_index(L);
	struct il_shared_memory *m = il_shared_memory_check_open(L);
	size_t slot = (size_t)lua_tointegerx(L, 2, NULL);
	return slot < m->count ? push_slot(L, m, slot) : slow_index(L, m);
}

int il_shared_memory__newindex(lua_State *L)
{
	struct il_shared_memory *m = il_shared_memory_check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer value = check_value(L, 3, slot, "");
	if (!m->slots)
		return il_shared_memory_write_remote(L, m, slot, value);
	m->memory->ops->mapped.write(m->memory, slot, value);
	check_sound(L, m);
	return 0;
}

int il_shared_memory_add(lua_State *L)
{
	struct il_shared_memory *m = il_shared_memory_check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer n = check_value(L, 3, slot, " for n");
	if (!m->slots)
		return il_shared_memory_add_remote(L, m, slot, n);
	int64_t value = m->memory->ops->mapped.add(m->memory, slot, n);
	check_sound(L, m);
	lua_pushinteger(L, value);
	return 1;
}

int il_shared_memory_compare_and_swap(lua_State *L)
{
	struct il_shared_memory *m = il_shared_memory_check_open(L);
	size_t slot = check_slot(L, m, 2);
	int64_t current = check_value(L, 3, slot, " for expected");
	lua_Integer value = check_value(L, 4, slot, " for new");
	if (!m->slots)
		return il_shared_memory_swap_remote(L, m, slot, current, value);
	bool swapped = m->memory->ops->mapped.swap(m->memory, slot, &current, value);
	check_sound(L, m);
	return il_shared_memory_push_swapped(L, swapped, current);
}

int il_shared_memory__len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)il_shared_memory_check_open(L)->memory->count);
	return 1;
}

/* Accessors ---------------------------------------------------------------------------------------------- */

/* Functions that have the handle as an upvalue: Lua calls them without looking for a metamethod. */
static inline struct il_shared_memory *accessed(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static size_t other_accessed_slot(lua_State *L, const struct il_shared_memory *m)
{
	if (!m->memory)
		il_error(L, "shared memory %s is closed", m->what);
	return other_slot(L, m, 1);
}

static inline size_t accessed_slot(lua_State *L, const struct il_shared_memory *m)
{
	size_t slot = lua_isinteger(L, 1) ? (size_t)lua_tointegerx(L, 1, NULL) : SIZE_MAX;
	return slot < m->count ? slot : other_accessed_slot(L, m);
}

static int get_many(lua_State *L, struct il_shared_memory *m, size_t slot)
{
	int count = (int)il_check_range(L, 2, 1, MAX_GET, "the number of slots");
	if ((size_t)count > m->memory->count - slot)
		out_of_range(L, m, (lua_Integer)(slot + (size_t)count - 1));
	if (!m->slots)
		return il_shared_memory_read_remote(L, m, slot, count);
	luaL_checkstack(L, count, "too many slots to return");
	for (int i = 0; i < count; i++)
		lua_pushinteger(L, atomic_load((const _Atomic int64_t *)&m->slots[slot + (size_t)i]));
	check_sound(L, m);
	return count;
}

static int accessor_get(lua_State *L)
{
	struct il_shared_memory *m = accessed(L);
	size_t slot = accessed_slot(L, m);
	if (lua_gettop(L) > 1)
		return get_many(L, m, slot);
	return m->slots ? push_slot(L, m, slot) : il_shared_memory_read_remote(L, m, slot, 1);
}

static int accessor_set(lua_State *L)
{
	struct il_shared_memory *m = accessed(L);
	size_t slot = accessed_slot(L, m);
	lua_Integer value = check_value(L, 2, slot, "");
	if (!m->slots)
		return il_shared_memory_write_remote(L, m, slot, value);
	m->memory->ops->mapped.write(m->memory, slot, value);
	check_sound(L, m);
	return 0;
}

int il_shared_memory_accessors(lua_State *L)
{
	il_shared_memory_check_open(L);
	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, accessor_get, 1);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, accessor_set, 1);
	return 2;
}

/* Waiting ------------------------------------------------------------------------------------------------ */

/* The handle may be closed, and the engine's object gone, before the results are built. */
static int wait_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_shared_memory_fail(L, op->handle, op->err);
	lua_pushinteger(L, op->memory.value);
	return 1;
}

int il_shared_memory_wait(lua_State *L)
{
	struct il_shared_memory *m = il_shared_memory_check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer value = check_value(L, 3, slot, " for value");
	int64_t deadline = il_check_deadline(L, 4);
	struct il_op *op = il_await_begin(L, &m->memory->ops->wait, m->memory, wait_push);
	op->handle = m;
	op->memory.slot = slot;
	op->memory.value = value;
	return il_await_end(L, op, deadline);
}
