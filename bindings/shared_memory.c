/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedMemory: numbers of 64 bits that processes share. Here is how a handle is opened, removed and closed.
 * Floor 4.
 */
#include "shared_memory.h"
#include "classes.h"
#include "key.h"
#include "key_object.h"
#include "option.h"
#include "sched/await.h"
#include "shared_memory_slots.h"
#include "sched/park.h"

#include <errno.h>
#include <string.h>

const char il_shared_memory_class[] = "ipc.SharedMemory";

enum { MAX_SLOTS = 1 << 27 };

static struct il_shared_memory none;
struct il_shared_memory *il_shared_memory_last = &none;

struct il_shared_memory *il_shared_memory_check(lua_State *L)
{
	struct il_shared_memory *m = il_self(L, il_shared_memory_class);
	if (!m->memory)
		il_error(L, "shared memory %s is closed", m->what);
	il_shared_memory_last = m;
	return m;
}

int il_shared_memory_fail(lua_State *L, const struct il_shared_memory *m, int err)
{
	if (err == ENOTSUP) {
		lua_pushnil(L);
		lua_pushfstring(L,
			"shared memory %s was made by another program, and has no room for what waiting needs",
			m->what);
		lua_pushinteger(L, err);
		return 3;
	}
	return il_shared_fail(L, m->memory ? err : ECANCELED, m->memory, NOUN, m->what);
}

static int open_fail(lua_State *L, int err, const struct il_key *key, size_t found, size_t slots)
{
	if (err == EEXIST)
		return il_fail(L, err, "shared memory %s has %I slots, not %I", key->text, (LUAI_UACINT)found,
			(LUAI_UACINT)slots);
	if (err == ENOMEM)
		return il_fail(L, err, "shared memory %s of %I slots", key->text, (LUAI_UACINT)slots);
	return il_key_fail(L, err, NOUN, key);
}

static const char *const options[] = { "create", "mode", NULL };

static struct il_memory_options check_options(lua_State *L)
{
	struct il_memory_options o = { .slots = (size_t)il_check_range(L, 2, 1, MAX_SLOTS, "slots") };
	o.mode = il_mode_option(L, 3);
	return o;
}

static int opened(lua_State *L, struct il_shared_memory *m)
{
	il_warn_shared(L, &m->memory->shared, NOUN, m->what);
	m->slots = m->memory->slots;
	m->count = m->slots ? m->memory->count : 0;
	m->lost = m->memory->lost;
	lua_settop(L, 4);
	return 1;
}

/* Stack: the key, slots, options, and the handle that is to be opened. */
static int open_push(lua_State *L, struct il_op *op)
{
	struct il_shared_memory *m = op->handle;
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

static int open_memory(lua_State *L, const struct il_key *key, struct il_shared_memory *m)
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
	il_shared_memory_op(&op, m, &m->memory->ops->open, open_push);
	return il_await_answer(L, &op);
}

static int shared_memory(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 3);
	il_options(L, 3, options);
	check_options(L);
	size_t size = strlen(key->text) + 1;
	struct il_shared_memory *m = lua_newuserdatauv(L, sizeof *m + size, 0);
	*m = (struct il_shared_memory){ .object.class = il_shared_memory_class };
	memcpy(m->what, key->text, size);
	m->identity = il_key_identity(key, NOUN);
	luaL_setmetatable(L, il_shared_memory_class);
	return open_memory(L, key, m);
}

static int remove_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_shared_memory_fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static int memory_remove(lua_State *L)
{
	struct il_shared_memory *m = il_shared_memory_check_open(L);
	struct il_op op;
	lua_settop(L, 1);
	il_shared_memory_op(&op, m, &m->memory->ops->remove, remove_push);
	return il_await_answer(L, &op);
}

static int memory_close(lua_State *L)
{
	struct il_shared_memory *m = il_self(L, il_shared_memory_class);
	struct il_memory *engine = m->memory;
	il_shared_memory_last = il_shared_memory_last == m ? &none : il_shared_memory_last;
	m->memory = NULL;
	m->slots = NULL;
	m->count = 0;
	if (engine)
		engine->ops->close(engine);
	return 0;
}

static int memory__tostring(lua_State *L)
{
	struct il_shared_memory *m = il_self(L, il_shared_memory_class);
	if (!m->memory)
		lua_pushfstring(L, "ipc.SharedMemory (%s, closed)", m->what);
	else if (m->memory->ops->removed(m->memory))
		lua_pushfstring(L, "ipc.SharedMemory (%s, removed)", m->what);
	else
		lua_pushfstring(L, "ipc.SharedMemory (%s, %I slots)", m->what, (LUAI_UACINT)m->memory->count);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "add", il_shared_memory_add },
	{ "compare_and_swap", il_shared_memory_compare_and_swap },
	{ "accessors", il_shared_memory_accessors },
	{ "wait", il_shared_memory_wait },
	{ "remove", memory_remove },
	{ "close", memory_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__newindex", il_shared_memory__newindex },
	{ "__len", il_shared_memory__len },
	{ "__tostring", memory__tostring },
	{ "__gc", memory_close },
	{ "__close", memory_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = { { "wait", il_shared_memory_wait }, { NULL, NULL } };

static bool is_open(const void *object)
{
	return ((const struct il_shared_memory *)object)->memory != NULL;
}

static void describe(const void *memory, struct il_described *d)
{
	const struct il_shared_memory *m = memory;
	*d = (struct il_described){ .key = m->what, .object = m->identity };
}

static const struct il_cases cases = { .methods = waits, .open = is_open, .describe = describe };

void il_shared_memory_open(lua_State *L)
{
	il_class(L, il_shared_memory_class, methods, meta, &cases);
	il_fields(L, il_shared_memory_class, il_shared_memory__index);
	lua_pushcfunction(L, shared_memory);
	lua_setfield(L, -2, "shared_memory");
}
