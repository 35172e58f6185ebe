/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedMemory: numbers of 64 bits that processes share. Few instructions are what counts here: what is wrong is
 * found out when something is not as it should be. Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "engines/engine.h"
#include "key.h"
#include "key_object.h"
#include "option.h"
#include "sched/await.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define CLASS "ipc.SharedMemory"

static const char class[] = CLASS;

enum { MAX_SLOTS = 1 << 27, MAX_GET = 100000 };

struct memory {
	struct il_object object;
	struct il_memory *memory; /* NULL: closed */
	const int64_t *slots; /* the engine's; NULL: on another machine */
	size_t count; /* 0: closed, or on another machine */
	const volatile bool *lost;
	char what[];
};

/* The handle that was used last, and is open: most calls need no look at its class. */
static struct memory none, *last = &none;

/* Slots and values --------------------------------------------------------------------------------------- */

static struct memory *check_memory(lua_State *L)
{
	struct memory *m = il_self(L, class);
	if (!m->memory)
		il_error(L, "shared memory %s is closed", m->what);
	last = m;
	return m;
}

static inline struct memory *check_open(lua_State *L)
{
	struct memory *m = lua_touserdata(L, 1);
	return m == last ? m : check_memory(L);
}

static inline void check_sound(lua_State *L, const struct memory *m)
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

static void out_of_range(lua_State *L, const struct memory *m, lua_Integer slot)
{
	il_error(L, "slot %I is out of range: shared memory %s has %I slots, from 0 on", (LUAI_UACINT)slot, m->what,
		(LUAI_UACINT)m->memory->count);
}

static size_t other_slot(lua_State *L, const struct memory *m, int arg)
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

static inline size_t check_slot(lua_State *L, const struct memory *m, int arg)
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

static int push_slot(lua_State *L, const struct memory *m, size_t slot)
{
	int64_t value = atomic_load((const _Atomic int64_t *)&m->slots[slot]);
	check_sound(L, m);
	lua_pushinteger(L, value);
	return 1;
}

/* On another machine ------------------------------------------------------------------------------------- */

static int fail(lua_State *L, const struct memory *m, int err)
{
	if (err == ENOTSUP) {
		lua_pushnil(L);
		lua_pushfstring(L,
			"shared memory %s was made by another program, and has no room for what waiting needs",
			m->what);
		lua_pushinteger(L, err);
		return 3;
	}
	return il_shared_fail(L, m->memory ? err : ECANCELED, m->memory, "shared memory", m->what);
}

/* An access has no way to return what went wrong. */
static int cannot_access(lua_State *L, const struct memory *m, int err)
{
	if (!m->memory)
		return il_error(L, "shared memory %s is closed", m->what);
	fail(L, m, err);
	if (lua_isinteger(L, -1))
		lua_pop(L, 1);
	else
		lua_pushfstring(L, "shared memory %s: %s", m->what, lua_tostring(L, -1));
	return il_error(L, "%s", lua_tostring(L, -1));
}

static void make_op(struct il_op *op, struct memory *m, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, m->memory);
	op->handle = m;
	op->push = push;
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

static int ask_values(lua_State *L, struct memory *m, size_t slot, int count)
{
	struct il_op op;
	make_op(&op, m, &m->memory->ops->read, read_push);
	op.memory.slot = slot;
	op.memory.operand = count;
	return il_await_answer(L, &op);
}

static int write_push(lua_State *L, struct il_op *op)
{
	return op->err ? cannot_access(L, op->handle, op->err) : 0;
}

static int ask_to_write(lua_State *L, struct memory *m, size_t slot, int64_t value)
{
	struct il_op op;
	make_op(&op, m, &m->memory->ops->write, write_push);
	op.memory.slot = slot;
	op.memory.value = value;
	return il_await_answer(L, &op);
}

static int add_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	lua_pushinteger(L, op->memory.value);
	return 1;
}

static int ask_to_add(lua_State *L, struct memory *m, size_t slot, int64_t n)
{
	struct il_op op;
	make_op(&op, m, &m->memory->ops->add, add_push);
	op.memory.slot = slot;
	op.memory.operand = n;
	return il_await_answer(L, &op);
}

static int push_swapped(lua_State *L, bool swapped, int64_t current)
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
		return fail(L, op->handle, op->err);
	return push_swapped(L, !op->err, op->memory.value);
}

static int ask_to_swap(lua_State *L, struct memory *m, size_t slot, int64_t expected, int64_t value)
{
	struct il_op op;
	make_op(&op, m, &m->memory->ops->swap, swap_push);
	op.memory.slot = slot;
	op.memory.value = expected;
	op.memory.operand = value;
	return il_await_answer(L, &op);
}

/* On this one -------------------------------------------------------------------------------------------- */

static int slow_index(lua_State *L, struct memory *m)
{
	size_t slot = other_slot(L, m, 2);
	return m->slots ? push_slot(L, m, slot) : ask_values(L, m, slot, 1);
}

/* Methods are looked up here, too. Inlined it would cost each access the registers that it saves. */
static int __attribute__((noinline)) other_index(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return slow_index(L, check_open(L));
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	return il_error(L, "shared memory %s has no method '%s', and a slot is an integer", check_open(L)->what,
		lua_tostring(L, 2));
}

static int memory__index(lua_State *L)
{
	if (!lua_isinteger(L, 2))
		return other_index(L);
	struct memory *m = check_open(L);
	size_t slot = (size_t)lua_tointegerx(L, 2, NULL);
	return slot < m->count ? push_slot(L, m, slot) : slow_index(L, m);
}

static int memory__newindex(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer value = check_value(L, 3, slot, "");
	if (!m->slots)
		return ask_to_write(L, m, slot, value);
	m->memory->ops->mapped.write(m->memory, slot, value);
	check_sound(L, m);
	return 0;
}

static int memory_add(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer n = check_value(L, 3, slot, " for n");
	if (!m->slots)
		return ask_to_add(L, m, slot, n);
	int64_t value = m->memory->ops->mapped.add(m->memory, slot, n);
	check_sound(L, m);
	lua_pushinteger(L, value);
	return 1;
}

static int memory_compare_and_swap(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	int64_t current = check_value(L, 3, slot, " for expected");
	lua_Integer value = check_value(L, 4, slot, " for new");
	if (!m->slots)
		return ask_to_swap(L, m, slot, current, value);
	bool swapped = m->memory->ops->mapped.swap(m->memory, slot, &current, value);
	check_sound(L, m);
	return push_swapped(L, swapped, current);
}

static int memory__len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check_open(L)->memory->count);
	return 1;
}

/* Accessors ---------------------------------------------------------------------------------------------- */

/* Functions that have the handle as an upvalue: Lua calls them without looking for a metamethod. */
static inline struct memory *accessed(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static size_t other_accessed_slot(lua_State *L, const struct memory *m)
{
	if (!m->memory)
		il_error(L, "shared memory %s is closed", m->what);
	return other_slot(L, m, 1);
}

static inline size_t accessed_slot(lua_State *L, const struct memory *m)
{
	size_t slot = lua_isinteger(L, 1) ? (size_t)lua_tointegerx(L, 1, NULL) : SIZE_MAX;
	return slot < m->count ? slot : other_accessed_slot(L, m);
}

static int get_many(lua_State *L, struct memory *m, size_t slot)
{
	int count = (int)il_check_range(L, 2, 1, MAX_GET, "the number of slots");
	if ((size_t)count > m->memory->count - slot)
		out_of_range(L, m, (lua_Integer)(slot + (size_t)count - 1));
	if (!m->slots)
		return ask_values(L, m, slot, count);
	luaL_checkstack(L, count, "too many slots to return");
	for (int i = 0; i < count; i++)
		lua_pushinteger(L, atomic_load((const _Atomic int64_t *)&m->slots[slot + (size_t)i]));
	check_sound(L, m);
	return count;
}

static int accessor_get(lua_State *L)
{
	struct memory *m = accessed(L);
	size_t slot = accessed_slot(L, m);
	if (lua_gettop(L) > 1)
		return get_many(L, m, slot);
	return m->slots ? push_slot(L, m, slot) : ask_values(L, m, slot, 1);
}

static int accessor_set(lua_State *L)
{
	struct memory *m = accessed(L);
	size_t slot = accessed_slot(L, m);
	lua_Integer value = check_value(L, 2, slot, "");
	if (!m->slots)
		return ask_to_write(L, m, slot, value);
	m->memory->ops->mapped.write(m->memory, slot, value);
	check_sound(L, m);
	return 0;
}

static int memory_accessors(lua_State *L)
{
	check_open(L);
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
		return fail(L, op->handle, op->err);
	lua_pushinteger(L, op->memory.value);
	return 1;
}

static int memory_wait(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer value = check_value(L, 3, slot, " for value");
	int64_t deadline = il_check_deadline(L, 4);
	struct il_op *op = il_await_begin(L, &m->memory->ops->wait, m->memory, wait_push);
	op->handle = m;
	op->memory.slot = slot;
	op->memory.value = value;
	return il_await_end(L, op, deadline);
}

/* Beginning and end -------------------------------------------------------------------------------------- */

static int open_fail(lua_State *L, int err, const struct il_key *key, size_t found, size_t slots)
{
	if (err == EEXIST)
		return il_fail(L, err, "shared memory %s has %I slots, not %I", key->text, (LUAI_UACINT)found,
			(LUAI_UACINT)slots);
	if (err == ENOMEM)
		return il_fail(L, err, "shared memory %s of %I slots", key->text, (LUAI_UACINT)slots);
	return il_key_fail(L, err, "shared memory", key);
}

static const char *const options[] = { "mode", NULL };

static struct il_memory_options check_options(lua_State *L)
{
	struct il_memory_options o = { .slots = (size_t)il_check_range(L, 2, 1, MAX_SLOTS, "slots") };
	o.mode = il_mode_option(L, 3);
	return o;
}

static int opened(lua_State *L, struct memory *m)
{
	il_warn_shared(L, &m->memory->shared, "shared memory", m->what);
	m->slots = m->memory->slots;
	m->count = m->slots ? m->memory->count : 0;
	m->lost = m->memory->lost;
	lua_settop(L, 4);
	return 1;
}

/* Stack: the key, slots, options, and the handle that is to be opened. */
static int open_push(lua_State *L, struct il_op *op)
{
	struct memory *m = op->handle;
	struct il_memory *memory = m->memory;
	if (!op->err)
		return opened(L, m);
	const struct il_key *key = il_check_key(L);
	il_note_why(op->err, memory);
	int results = open_fail(L, op->err, key, memory->count, check_options(L).slots);
	m->memory = NULL;
	memory->ops->close(memory);
	return results;
}

static int open_memory(lua_State *L, const struct il_key *key, struct memory *m)
{
	struct il_memory_options o = check_options(L);
	struct il_op op;
	bool collected = false;
	int err;
	do
		err = key->engine->memory ? key->engine->memory(key, &o, &m->memory) : ENOTSUP;
	while (il_collect(L, err, &collected));
	if (err)
		return open_fail(L, err, key, o.found, o.slots);
	if (!m->memory->ops->open.attempt)
		return opened(L, m);
	make_op(&op, m, &m->memory->ops->open, open_push);
	return il_await_answer(L, &op);
}

static int shared_memory(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 3);
	il_options(L, 3, options);
	check_options(L);
	size_t size = strlen(key->text) + 1;
	struct memory *m = lua_newuserdatauv(L, sizeof *m + size, 0);
	*m = (struct memory){ .object.class = class };
	memcpy(m->what, key->text, size);
	luaL_setmetatable(L, CLASS);
	return open_memory(L, key, m);
}

static int remove_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static int memory_remove(lua_State *L)
{
	struct memory *m = check_open(L);
	struct il_op op;
	lua_settop(L, 1);
	make_op(&op, m, &m->memory->ops->remove, remove_push);
	return il_await_answer(L, &op);
}

static int memory_close(lua_State *L)
{
	struct memory *m = il_self(L, class);
	struct il_memory *engine = m->memory;
	last = last == m ? &none : last;
	m->memory = NULL;
	m->slots = NULL;
	m->count = 0;
	if (engine)
		engine->ops->close(engine);
	return 0;
}

static int memory__tostring(lua_State *L)
{
	struct memory *m = il_self(L, class);
	if (!m->memory)
		lua_pushfstring(L, CLASS " (%s, closed)", m->what);
	else if (m->memory->ops->removed(m->memory))
		lua_pushfstring(L, CLASS " (%s, removed)", m->what);
	else
		lua_pushfstring(L, CLASS " (%s, %I slots)", m->what, (LUAI_UACINT)m->memory->count);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "add", memory_add },
	{ "compare_and_swap", memory_compare_and_swap },
	{ "accessors", memory_accessors },
	{ "wait", memory_wait },
	{ "remove", memory_remove },
	{ "close", memory_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__newindex", memory__newindex },
	{ "__len", memory__len },
	{ "__tostring", memory__tostring },
	{ "__gc", memory_close },
	{ "__close", memory_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = { { "wait", memory_wait }, { NULL, NULL } };

static bool is_open(const void *object)
{
	return ((const struct memory *)object)->memory != NULL;
}

static const struct il_cases cases = { .methods = waits, .open = is_open };

void il_shared_memory_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	il_fields(L, CLASS, memory__index);
	lua_pushcfunction(L, shared_memory);
	lua_setfield(L, -2, "shared_memory");
}
