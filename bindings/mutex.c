/* SPDX-License-Identifier: MIT
 *
 * ipc.Mutex: one holder, a task of some process, which alone may release it.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "key.h"
#include "key_object.h"
#include "lock.h"
#include "option.h"

#include <errno.h>

static int cannot_open(lua_State *L, int err, const struct il_key *key, int found)
{
	if (err == EEXIST)
		return il_fail(L, err, "mutex %s is a semaphore with a max of %d", key->text, found);
	return il_key_fail(L, err, "mutex", key);
}

static const struct il_lock_class class = {
	.name = "ipc.Mutex",
	.noun = "mutex",
	.owned = true,
	IL_LOCK_RELEASE("mutex"),
	.cannot_open = cannot_open,
};

static int mutex(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 2);
	il_options(L, 2, il_lock_options);
	struct il_lock_options o = { .max = 1, .mode = il_mode_option(L, 2), .lease = il_lease_option(L, 2) };
	struct il_lock_handle *handle = il_lock_push(L, &class, key->text, il_key_identity(key, "mutex"));
	struct il_lock *l;
	bool collected = false;
	int err;
	do
		err = key->engine->mutex ? key->engine->mutex(key, &o, &l) : ENOTSUP;
	while (il_collect(L, err, &collected));
	return err ? cannot_open(L, err, key, o.found) : il_lock_open(L, handle, l);
}

static int holder_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_lock_fail(L, op->handle, op->err);
	if (op->lock.pid)
		lua_pushinteger(L, op->lock.pid);
	else
		lua_pushnil(L);
	return 1;
}

/* The pid of the holder, or nil. */
static int mutex_holder(lua_State *L)
{
	struct il_lock *l = il_lock_check(L, &class);
	struct il_op op;
	il_lock_op(&op, l, &l->ops->holder, holder_push);
	return il_await_answer(L, &op);
}

/* The number of what this task holds, or of what the handle had last; nil if it never had it. */
static int mutex_token(lua_State *L)
{
	struct il_lock *l = il_lock_check(L, &class);
	int64_t token;
	const struct il_lock_hold *h = il_hold_own(l->owner);
	if (!l->ops->token)
		return il_lock_cannot(L, l->owner, "has no tokens: only that of a Redis key has");
	int err = l->ops->token(l, h ? h->grant : 0, &token);
	if (err)
		return il_lock_fail(L, l->owner, err);
	if (token)
		lua_pushinteger(L, token);
	else
		lua_pushnil(L);
	return 1;
}

IL_LOCK_METHOD(mutex, acquire)
IL_LOCK_METHODS(mutex)

static const luaL_Reg methods[] = {
	{ "acquire", mutex_acquire },
	{ "try_acquire", mutex_try_acquire },
	{ "hold", mutex_hold },
	{ "release", mutex_release },
	{ "lost", mutex_lost },
	{ "holder", mutex_holder },
	{ "token", mutex_token },
	{ "remove", mutex_remove },
	{ "close", mutex_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", mutex__tostring },
	{ "__gc", mutex_close },
	{ "__close", mutex_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "acquire", mutex_acquire },
	{ "hold", mutex_hold },
	{ "release", mutex_release },
	{ "lost", mutex_lost },
	{ "holder", mutex_holder },
	{ NULL, NULL },
};

static const struct il_cases cases = { .usual = "acquire",
	.methods = waits,
	.open = il_lock_is_open,
	.describe = il_lock_describe };

void il_mutex_open(lua_State *L)
{
	il_class(L, class.name, methods, meta, &cases);
	lua_pushcfunction(L, mutex);
	lua_setfield(L, -2, "mutex");
}
