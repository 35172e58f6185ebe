/* SPDX-License-Identifier: MIT
 *
 * ipc.Semaphore: permits that processes share.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "key.h"
#include "key_object.h"
#include "lock.h"
#include "option.h"

#include <errno.h>

enum { MAX_PERMITS = 32767 };

static struct il_lock_options check_options(lua_State *L)
{
	struct il_lock_options o = { .max = (int)il_check_range(L, 2, 1, MAX_PERMITS, "max") };
	o.mode = il_mode_option(L, 3);
	o.lease = il_lease_option(L, 3);
	return o;
}

/* Stack: the key, max, options. */
static int cannot_open(lua_State *L, int err, const struct il_key *key, int found)
{
	if (err == EEXIST)
		return il_fail(L, err, "semaphore %s has a max of %d, not %d", key->text, found, check_options(L).max);
	return il_key_fail(L, err, "semaphore", key);
}

static const struct il_lock_class class = {
	.name = "ipc.Semaphore",
	.noun = "semaphore",
	.counts = true,
	IL_LOCK_RELEASE("semaphore"),
	.cannot_open = cannot_open,
};

static int semaphore(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 3);
	il_options(L, 3, il_lock_options);
	struct il_lock_options o = check_options(L);
	struct il_lock_handle *handle = il_lock_push(L, &class, key->text, il_key_identity(key, "semaphore"));
	struct il_lock *l;
	bool collected = false;
	int err;
	do
		err = key->engine->semaphore ? key->engine->semaphore(key, &o, &l) : ENOTSUP;
	while (il_collect(L, err, &collected));
	return err ? cannot_open(L, err, key, o.found) : il_lock_open(L, handle, l);
}

static int value_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_lock_fail(L, op->handle, op->err);
	lua_pushinteger(L, op->lock.permits);
	return 1;
}

static int semaphore_value(lua_State *L)
{
	struct il_lock *l = il_lock_check(L, &class);
	struct il_op op;
	il_lock_op(&op, l, &l->ops->value, value_push);
	return il_await_answer(L, &op);
}

IL_LOCK_METHOD(semaphore, acquire)
IL_LOCK_METHODS(semaphore)

static const luaL_Reg methods[] = {
	{ "acquire", semaphore_acquire },
	{ "try_acquire", semaphore_try_acquire },
	{ "hold", semaphore_hold },
	{ "release", semaphore_release },
	{ "lost", semaphore_lost },
	{ "value", semaphore_value },
	{ "remove", semaphore_remove },
	{ "close", semaphore_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", semaphore__tostring },
	{ "__gc", semaphore_close },
	{ "__close", semaphore_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "acquire", semaphore_acquire },
	{ "hold", semaphore_hold },
	{ "release", semaphore_release },
	{ "lost", semaphore_lost },
	{ "value", semaphore_value },
	{ NULL, NULL },
};

static const struct il_cases cases = { .usual = "acquire",
	.methods = waits,
	.open = il_lock_is_open,
	.describe = il_lock_describe };

void il_semaphore_open(lua_State *L)
{
	il_class(L, class.name, methods, meta, &cases);
	lua_pushcfunction(L, semaphore);
	lua_setfield(L, -2, "semaphore");
}
