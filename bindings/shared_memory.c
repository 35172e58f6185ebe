/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedMemory: numbers of 64 bits that processes share. Few instructions are what counts here: what is wrong is
 * found out when something is not as it should be. Floor 4.
 */
#include "ask.h"
#include "bind.h"
#include "engines/engine.h"
#include "key.h"
#include "option.h"
#include "sched/await.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define CLASS "ipc.SharedMemory"

static const char class[] = CLASS;

enum { MAX_SLOTS = 1 << 27 };

struct memory {
	struct il_object object;
	struct il_memory *memory; /* NULL: closed */
	const int64_t *slots; /* the engine's; NULL: on another machine */
	size_t count; /* 0: closed, or on another machine */
	const volatile bool *lost;
	char what[];
};

IL_ASKER(struct memory, memory);

/* The handle that was used last, and is open: most calls need no look at its class. */
static struct memory none, *last = &none;

/* Slots and values --------------------------------------------------------------------------------------- */

static struct memory *check_memory(lua_State *L)
{
	struct memory *m = il_self(L, class);
	if (!m->memory)
		il_error(L, "shared memory is closed");
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

static const char *what_it_is(lua_State *L, int arg)
{
	return lua_type(L, arg) == LUA_TNUMBER ? luaL_tolstring(L, arg, NULL) : luaL_typename(L, arg);
}

static size_t other_slot(lua_State *L, const struct memory *m, int arg)
{
	lua_Integer slot;
	if (!to_integer(L, arg, &slot))
		il_error(L, "a slot is an integer, got %s", what_it_is(L, arg));
	if (slot < 0 || (size_t)slot >= m->memory->count)
		il_error(L, "slot %I is out of range: shared memory %s has %I slots, from 0 on", (LUAI_UACINT)slot,
			m->what, (LUAI_UACINT)m->memory->count);
	return (size_t)slot;
}

static inline size_t check_slot(lua_State *L, const struct memory *m, int arg)
{
	size_t slot = lua_isinteger(L, arg) ? (size_t)lua_tointegerx(L, arg, NULL) : SIZE_MAX;
	return slot < m->count ? slot : other_slot(L, m, arg);
}

static lua_Integer other_value(lua_State *L, int arg, size_t slot)
{
	lua_Integer value;
	if (!to_integer(L, arg, &value))
		il_error(L, "slot %I takes integers, got %s", (LUAI_UACINT)slot, what_it_is(L, arg));
	return value;
}

static inline lua_Integer check_value(lua_State *L, int arg, size_t slot)
{
	return lua_isinteger(L, arg) ? lua_tointegerx(L, arg, NULL) : other_value(L, arg, slot);
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
	return il_remote_fail(L, err, m->memory ? m->memory->remote : NULL, "shared memory", m->what);
}

/* An access has no way to return what went wrong. */
static int cannot_access(lua_State *L, const struct memory *m, int err)
{
	fail(L, m, err);
	if (lua_isinteger(L, -1))
		lua_pop(L, 1);
	else
		lua_pushfstring(L, "shared memory %s: %s", m->what, lua_tostring(L, -1));
	return il_error(L, "%s", lua_tostring(L, -1));
}

static int remote_read(lua_State *L)
{
	const struct memory *m = check_open(L);
	int64_t value;
	lua_settop(L, 2);
	int err = m->memory->ops->ask(m->memory, IL_MEMORY_READ, other_slot(L, m, 2), &value, 0);
	if (err == EINPROGRESS)
		return il_ask_or_raise(L, 1, remote_read);
	if (err)
		return cannot_access(L, m, err);
	lua_pushinteger(L, value);
	return 1;
}

static int remote_write(lua_State *L)
{
	const struct memory *m = check_open(L);
	size_t slot = other_slot(L, m, 2);
	lua_settop(L, 3);
	int err = m->memory->ops->ask(m->memory, IL_MEMORY_WRITE, slot, NULL, other_value(L, 3, slot));
	if (err == EINPROGRESS)
		return il_ask_or_raise(L, 1, remote_write);
	return err ? cannot_access(L, m, err) : 0;
}

static int remote_add(lua_State *L)
{
	const struct memory *m = check_open(L);
	size_t slot = other_slot(L, m, 2);
	int64_t value;
	lua_settop(L, 3);
	int err = m->memory->ops->ask(m->memory, IL_MEMORY_ADD, slot, &value, other_value(L, 3, slot));
	if (err == EINPROGRESS)
		return il_ask(L, 1, remote_add);
	if (err)
		return fail(L, m, err);
	lua_pushinteger(L, value);
	return 1;
}

static int remote_swap(lua_State *L)
{
	const struct memory *m = check_open(L);
	size_t slot = other_slot(L, m, 2);
	int64_t current = other_value(L, 3, slot);
	lua_settop(L, 4);
	int err = m->memory->ops->ask(m->memory, IL_MEMORY_SWAP, slot, &current, other_value(L, 4, slot));
	if (err == EINPROGRESS)
		return il_ask(L, 1, remote_swap);
	if (err && err != ESTALE)
		return fail(L, m, err);
	lua_pushboolean(L, !err);
	if (!err)
		return 1;
	lua_pushinteger(L, current);
	return 2;
}

/* On this one -------------------------------------------------------------------------------------------- */

static int slow_index(lua_State *L, const struct memory *m)
{
	size_t slot = other_slot(L, m, 2);
	return m->slots ? push_slot(L, m, slot) : remote_read(L);
}

/* Methods are looked up here, too. */
static int other_index(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return slow_index(L, check_open(L));
	lua_settop(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	return 1;
}

static int memory__index(lua_State *L)
{
	if (!lua_isinteger(L, 2))
		return other_index(L);
	const struct memory *m = check_open(L);
	size_t slot = (size_t)lua_tointegerx(L, 2, NULL);
	return slot < m->count ? push_slot(L, m, slot) : slow_index(L, m);
}

static int memory__newindex(lua_State *L)
{
	const struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer value = check_value(L, 3, slot);
	if (!m->slots)
		return remote_write(L);
	m->memory->ops->write(m->memory, slot, value);
	check_sound(L, m);
	return 0;
}

static int memory_add(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer n = check_value(L, 3, slot);
	if (!m->slots)
		return remote_add(L);
	int64_t value = m->memory->ops->add(m->memory, slot, n);
	check_sound(L, m);
	lua_pushinteger(L, value);
	return 1;
}

static int memory_compare_and_swap(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	int64_t current = check_value(L, 3, slot);
	lua_Integer value = check_value(L, 4, slot);
	if (!m->slots)
		return remote_swap(L);
	bool swapped = m->memory->ops->swap(m->memory, slot, &current, value);
	check_sound(L, m);
	lua_pushboolean(L, swapped);
	if (swapped)
		return 1;
	lua_pushinteger(L, current);
	return 2;
}

static int memory__len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check_open(L)->memory->count);
	return 1;
}

/* Waiting ------------------------------------------------------------------------------------------------ */

/* The handle may be closed, and the engine's object gone, before the results are built. */
static bool wait_attempt(struct il_op *op)
{
	struct il_memory *m = op->source;
	op->handle = m->owner;
	return m->ops->wait.attempt(op);
}

static int wait_start(struct il_op *op)
{
	return ((struct il_memory *)op->source)->ops->wait.start(op);
}

static bool wait_cancel(struct il_op *op)
{
	return ((struct il_memory *)op->source)->ops->wait.cancel(op);
}

static int wait_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	lua_pushinteger(L, op->arg);
	return 1;
}

static const struct il_await_type wait_type = { { "memory wait", wait_attempt, wait_start, wait_cancel }, wait_push };

static int memory_wait(lua_State *L)
{
	struct memory *m = check_open(L);
	size_t slot = check_slot(L, m, 2);
	lua_Integer value = check_value(L, 3, slot);
	lua_settop(L, 4);
	return il_await_data(L, &wait_type, m->memory, value, NULL, slot, 4);
}

/* Beginning and end -------------------------------------------------------------------------------------- */

static int open_fail(lua_State *L, int err, const struct il_key *key, const struct il_memory_options *o)
{
	if (err == EEXIST)
		return il_fail(L, err, "shared memory %s has %I slots, not %I", key->text, (LUAI_UACINT)o->found,
			(LUAI_UACINT)o->slots);
	if (err == ENOMEM)
		return il_fail(L, err, "shared memory %s of %I slots", key->text, (LUAI_UACINT)o->slots);
	return il_key_fail(L, err, "shared memory", key);
}

static const char *const options[] = { "mode", NULL };

static struct il_memory_options check_options(lua_State *L)
{
	struct il_memory_options o = { .slots = (size_t)il_check_range(L, 2, 1, MAX_SLOTS, "slots") };
	o.mode = il_mode_option(L, 3);
	return o;
}

/* Stack: the key, slots, options, and the handle that is to be opened. */
static int open_memory(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	struct il_memory_options o = check_options(L);
	struct memory *m = lua_touserdata(L, 4);
	bool collected = false;
	int err;
	do
		err = key->engine->memory ? key->engine->memory(key, &o, &m->memory) : ENOTSUP;
	while (il_collect(L, err, &collected));
	if (err == EINPROGRESS)
		return il_ask(L, 4, open_memory);
	if (err)
		return open_fail(L, err, key, &o);
	m->memory->owner = m;
	il_remote_warn(L, m->memory->remote, "shared memory", m->what);
	m->slots = m->memory->slots;
	m->count = m->slots ? m->memory->count : 0;
	m->lost = m->memory->lost;
	lua_settop(L, 4);
	return 1;
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
	return open_memory(L);
}

static int memory_remove(lua_State *L)
{
	struct memory *m = check_open(L);
	lua_settop(L, 1);
	int err = m->memory->ops->remove(m->memory);
	if (err == EINPROGRESS)
		return il_ask(L, 1, memory_remove);
	if (err)
		return fail(L, m, err);
	lua_pushboolean(L, 1);
	return 1;
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

static const struct il_cases cases = { NULL, waits, is_open };

void il_shared_memory_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	il_fields(L, CLASS, memory__index);
	lua_pushcfunction(L, shared_memory);
	lua_setfield(L, -2, "shared_memory");
}
