/* SPDX-License-Identifier: MIT
 *
 * Semaphores, mutexes and file locks for Lua, see lock.h. Floor 4.
 */
#include "lock.h"
#include "base/clock.h"
#include "bind.h"
#include "guard.h"
#include "key.h"
#include "key_object.h"
#include "option.h"
#include "sched/park.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const lua_Number SHORTEST_LEASE = 0.01, LONGEST_LEASE = 86400;

static struct il_lock_handle *check_handle(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = il_self(L, class->name);
	il_holds_notice_fork(handle);
	return handle;
}

struct il_lock *il_lock_check(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = check_handle(L, class);
	if (!handle->lock)
		il_error(L, "%s %s is closed", class->noun, handle->what);
	return handle->lock;
}

int il_lock_fail(lua_State *L, const struct il_lock_handle *handle, int err)
{
	return il_shared_fail(L, handle->lock ? err : ECANCELED, handle->lock, handle->class->noun, handle->what);
}

int il_lock_cannot(lua_State *L, const struct il_lock_handle *handle, const char *why)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s %s %s", handle->class->noun, handle->what, why);
	lua_pushinteger(L, ENOTSUP);
	return 3;
}

const char *const il_lock_options[] = { "create", "lease", "mode", NULL };

int64_t il_lease_option(lua_State *L, int arg)
{
	lua_Number seconds;
	if (!il_option_number(L, arg, "lease", &seconds))
		return 0;
	if (!(seconds >= SHORTEST_LEASE && seconds <= LONGEST_LEASE))
		il_option_refuse(L, arg, "lease must be from 0.01 to 86400 seconds");
	lua_pop(L, 1);
	return il_nanoseconds(seconds);
}

struct il_lock_handle *il_lock_push(lua_State *L, const struct il_lock_class *class, const char *what,
	uint64_t identity)
{
	size_t size = strlen(what) + 1;
	struct il_lock_handle *handle = lua_newuserdatauv(L, sizeof *handle + size, 0);
	handle->object.class = class->name;
	handle->lock = NULL;
	handle->class = class;
	handle->identity = identity;
	il_holds_init(handle);
	memcpy(handle->what, what, size);
	luaL_setmetatable(L, class->name);
	il_register_object(L);
	return handle;
}

static int opened(lua_State *L, struct il_lock_handle *h)
{
	il_warn_shared(L, &h->lock->shared, h->class->noun, h->what);
	return 1;
}

static int open_push(lua_State *L, struct il_op *op)
{
	struct il_lock_handle *h = op->handle;
	struct il_lock *l = h->lock;
	if (!op->err) {
		il_push_object(L, h);
		return opened(L, h);
	}
	const struct il_key *key = il_check_key(L);
	il_note_why(op->err, l);
	int results = h->class->cannot_open(L, op->err, key, l->max);
	h->lock = NULL;
	l->ops->close(l);
	return results;
}

int il_lock_open(lua_State *L, struct il_lock_handle *h, struct il_lock *l)
{
	struct il_op op;
	h->lock = l;
	l->owner = h;
	if (!l->ops->open.attempt)
		return opened(L, h);
	il_lock_op(&op, l, &l->ops->open, open_push);
	return il_await_answer(L, &op);
}

static int push_abandoned(lua_State *L, const struct il_op *op)
{
	if (!op->lock.abandoned)
		return 1;
	lua_pushliteral(L, "abandoned");
	return 2;
}

static int acquire_push(lua_State *L, struct il_op *op)
{
	struct il_lock_hold *h;
	if (op->err || (op->err = il_hold_add(op->handle, op->lock.grant, &h)))
		return il_lock_fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return push_abandoned(L, op);
}

static int hold_push(lua_State *L, struct il_op *op)
{
	struct il_lock_hold *h;
	if (op->err || (op->err = il_hold_add(op->handle, op->lock.grant, &h)))
		return il_lock_fail(L, op->handle, op->err);
	il_guard_push(L, h);
	return push_abandoned(L, op);
}

/* To wait for oneself without end is a mistake; with a timeout, or to try, is not. */
static void check_not_own(lua_State *L, struct il_lock *l, int timeout)
{
	const struct il_lock_handle *handle = l->owner;
	bool selecting = il_is_collected(L);
	if (!handle->class->counts && !selecting && lua_isnoneornil(L, timeout) && il_hold_own(handle))
		il_error(L, "%s %s is held by this task already, so acquire would wait for ever", handle->class->noun,
			handle->what);
}

static inline int acquire(lua_State *L, struct il_lock *l, bool shared, int64_t deadline,
	int (*push)(lua_State *L, struct il_op *op))
{
	struct il_op *op = il_await_begin(L, &l->ops->acquire, l, push);
	op->handle = l->owner;
	op->lock.shared = shared;
	op->lock.abandoned = false;
	return il_await_end(L, op, deadline);
}

int il_lock_acquire_as(lua_State *L, const struct il_lock_class *class, bool shared)
{
	struct il_lock *l = il_lock_check(L, class);
	if (!shared)
		check_not_own(L, l, 2);
	return acquire(L, l, shared, il_check_deadline(L, 2), acquire_push);
}

int il_lock_acquire(lua_State *L, const struct il_lock_class *class)
{
	return il_lock_acquire_as(L, class, false);
}

int il_lock_try_acquire(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	if (il_is_collected(L))
		il_deadline(L, 2);
	return acquire(L, l, false, 0, acquire_push);
}

int il_lock_hold(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	check_not_own(L, l, 2);
	return acquire(L, l, false, il_check_deadline(L, 2), hold_push);
}

static int push_done(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_lock_fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

/* Where there is no lease. */
static const struct il_op_type never_lost = { "lock lost", il_hold_is_over, il_op_join, il_op_leave };

int il_lock_lost(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	struct il_lock_handle *handle = l->owner;
	struct il_lock_hold *h = il_hold_own(handle);
	if (!h)
		return il_error(L, "%s %s is not held by this task", class->noun, handle->what);
	bool never = !l->ops->lost.attempt;
	int64_t deadline = il_check_deadline(L, 2);
	struct il_op *op =
		il_await_begin(L, never ? &never_lost : &l->ops->lost, never ? (void *)&handle->losses : l, push_done);
	op->handle = l->owner;
	op->state = h;
	op->lock.grant = h->grant;
	return il_await_end(L, op, deadline);
}

/* What it gives back is known when it is attempted: another case of the same select may have come before. */
bool il_lock_release_attempt(struct il_op *op)
{
	struct il_lock_hold *h = il_hold_to_release(op->handle);
	if (h)
		return il_hold_give_back(h, op, false);
	op->lock.grant = 0;
	op->err = EPERM;
	return true;
}

int il_lock_release_start(struct il_op *op)
{
	struct il_lock *l = op->source;
	struct il_lock_hold *h = il_hold_to_release(op->handle);
	int err = h ? l->ops->release.start(op) : EPERM;
	if (!err)
		il_hold_forget(h);
	return err;
}

bool il_lock_release_cancel(struct il_op *op)
{
	struct il_lock *l = op->source;
	return l->ops->release.cancel(op);
}

static int not_held(lua_State *L, const struct il_lock_handle *handle)
{
	const struct il_lock_class *class = handle->class;
	if (!class->owned && !il_list_empty(&handle->holds))
		return il_error(L, "%s %s is held by guards of other tasks, which release it", class->noun,
			handle->what);
	return il_error(L, "%s %s is not held by this %s", class->noun, handle->what, class->owned ? "task" : "handle");
}

int il_lock_push_released(lua_State *L, const struct il_lock_handle *handle, int err)
{
	if (err == ESTALE)
		return il_word(L, "expired");
	if (err)
		return il_lock_fail(L, handle, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int release_push(lua_State *L, struct il_op *op)
{
	struct il_lock_handle *handle = op->handle;
	if (op->err == EPERM)
		return not_held(L, handle);
	if (op->err && op->remote && op->lock.grant && handle->lock)
		il_hold_keep(handle, op->lock.grant);
	return il_lock_push_released(L, handle, op->err);
}

int il_lock_release(lua_State *L, const struct il_lock_class *class)
{
	struct il_op op;
	il_lock_op(&op, il_lock_check(L, class), &class->release, release_push);
	return il_await_answer(L, &op);
}

bool il_lock_is_open(const void *handle)
{
	return ((const struct il_lock_handle *)handle)->lock != NULL;
}

void il_lock_describe(const void *handle, struct il_described *d)
{
	const struct il_lock_handle *h = handle;
	*d = (struct il_described){ .key = h->what, .object = h->identity };
}

int il_lock_remove(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	struct il_op op;
	lua_settop(L, 1);
	il_lock_op(&op, l, &l->ops->remove, push_done);
	return il_await_answer(L, &op);
}

int il_lock_close(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = check_handle(L, class);
	struct il_lock *l = handle->lock;
	il_holds_fini(handle);
	handle->lock = NULL;
	if (l)
		l->ops->close(l);
	return 0;
}

static const char *state_of(lua_State *L, const struct il_lock_handle *handle)
{
	int held = 0, lost = 0;
	if (!handle->lock)
		return "closed";
	il_list_each(const struct il_lock_hold, h, &handle->holds, node)
		*(il_hold_is_lost(h) ? &lost : &held) += 1;
	return held > 1 ? lua_pushfstring(L, "held %d times", held) : held ? "held" : lost ? "lost" : "not held";
}

int il_lock__tostring(lua_State *L, const struct il_lock_class *class)
{
	const struct il_lock_handle *handle = check_handle(L, class);
	lua_pushfstring(L, "%s (%s, %s)", class->name, handle->what, state_of(L, handle));
	return 1;
}
