/* SPDX-License-Identifier: MIT
 *
 * Semaphores, mutexes and file locks for Lua, see lock.h. The engine counts what the handle holds; here are the tasks
 * that hold it. Floor 4.
 */
#include "lock.h"
#include "base/fork.h"
#include "base/clock.h"
#include "bind.h"
#include "key.h"
#include "key_object.h"
#include "option.h"
#include "sched/await.h"
#include "sched/state.h"
#include "sched/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GUARD "ipc.Guard"

static const lua_Number SHORTEST_LEASE = 0.01, LONGEST_LEASE = 86400;

struct il_lock_handle {
	struct il_object object;
	struct il_lock *lock; /* NULL: closed */
	const struct il_lock_class *class;
	struct il_list holds; /* of struct hold */
	struct hold *spare; /* one that is free */
	uint32_t generation; /* that holds them */
	char what[];
};

struct hold {
	struct il_hold of_task;
	struct il_list node;
	struct il_lock_handle *handle;
	struct il_task *task; /* NULL: the main chunk */
	bool left; /* by a task that has ended well: anybody may release it */
	bool given; /* it was to be released, and the engine could not: nothing is abandoned */
	int64_t grant; /* which of the lock's */
	struct guard *guard;
};

static const char guard_class[] = GUARD;

struct guard {
	struct il_object object;
	struct hold *hold; /* NULL: released */
};

static void forget(struct hold *h)
{
	if (h->guard)
		h->guard->hold = NULL;
	il_list_del(&h->of_task.node);
	il_list_del(&h->node);
	if (h->handle->spare)
		free(h);
	else
		h->handle->spare = h;
}

static void forget_all(struct il_lock_handle *handle)
{
	while (!il_list_empty(&handle->holds))
		forget(il_container_of(handle->holds.next, struct hold, node));
}

/* In a forked child nothing is held. */
static void notice_fork(struct il_lock_handle *handle)
{
	if (il_fork_is_own(handle->generation))
		return;
	forget_all(handle);
	handle->generation = il_fork.generation;
}

static struct il_lock_handle *handle_of(const struct il_lock *l)
{
	return l->owner;
}

static struct il_lock_handle *check_handle(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = il_self(L, class->name);
	notice_fork(handle);
	return handle;
}

struct il_lock *il_lock_check(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = check_handle(L, class);
	if (!handle->lock)
		il_error(L, "%s is closed", class->noun);
	return handle->lock;
}

static int fail(lua_State *L, const struct il_lock_handle *handle, int err)
{
	if (err == ENOTSUP)
		return il_fail(L, err, "%s %s: this kind of key cannot tell", handle->class->noun, handle->what);
	return il_shared_fail(L, handle->lock ? err : ECANCELED, handle->lock, handle->class->noun, handle->what);
}

int il_lock_fail(lua_State *L, const struct il_lock_handle *handle, int err)
{
	return fail(L, handle, err);
}

const char *const il_lock_options[] = { "lease", "mode", NULL };

int64_t il_lease_option(lua_State *L, int arg)
{
	int type = il_option(L, arg, "lease");
	lua_Number seconds = type == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
	if (type != LUA_TNIL && !(seconds >= SHORTEST_LEASE && seconds <= LONGEST_LEASE))
		luaL_argerror(L, arg, "lease must be from 0.01 to 86400 seconds");
	lua_pop(L, 1);
	return type == LUA_TNIL ? 0 : il_nanoseconds(seconds);
}

struct il_lock_handle *il_lock_push(lua_State *L, const struct il_lock_class *class, const char *what)
{
	size_t size = strlen(what) + 1;
	struct il_lock_handle *handle = lua_newuserdatauv(L, sizeof *handle + size, 0);
	handle->object.class = class->name;
	handle->lock = NULL;
	handle->spare = NULL;
	handle->class = class;
	handle->generation = il_fork.generation;
	il_list_init(&handle->holds);
	memcpy(handle->what, what, size);
	luaL_setmetatable(L, class->name);
	il_register_object(L);
	return handle;
}

void il_lock_op(struct il_op *op, struct il_lock *l, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, l);
	op->handle = handle_of(l);
	op->push = push;
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

int il_lock_open_handle(lua_State *L, struct il_lock_handle *h, struct il_lock *l)
{
	struct il_op op;
	h->lock = l;
	l->owner = h;
	if (!l->ops->open.attempt)
		return opened(L, h);
	il_lock_op(&op, l, &l->ops->open, open_push);
	return il_await_answer(L, &op);
}

/* The operation gives back what is held, told apart by its grant. What could not be given back is still held. False: it
 * has to be started. */
static bool give_back(struct hold *h, struct il_op *op, bool abandoned)
{
	op->lock.grant = h->grant;
	op->lock.abandoned = abandoned;
	if (!h->handle->lock->ops->release.attempt(op))
		return false;
	if (!op->err || op->err == EIDRM || op->err == EUCLEAN || op->err == ESTALE)
		forget(h);
	return true;
}

/* An answer from another machine is not waited for. */
static int drop(struct hold *h, bool abandoned)
{
	struct il_lock *l = h->handle->lock;
	struct il_op op;
	il_lock_op(&op, l, &l->ops->release, NULL);
	op.last = true;
	give_back(h, &op, abandoned);
	return op.err;
}

/* The task that held it has ended. What is owned is abandoned, whatever it is; a permit may be meant for others to
 * release, if the task ended well. */
static void task_ended(struct il_hold *of_task, bool failed)
{
	struct hold *h = il_container_of(of_task, struct hold, of_task);
	h->task = NULL;
	h->left = true;
	if (failed || h->handle->class->owned)
		drop(h, !h->given);
}

/* Records the task that holds it: 0; ENOMEM and it has been given back; ECANCELED: the handle has been closed since,
 * and its lock freed with all that it had. */
static int record(struct il_lock_handle *handle, int64_t grant, struct hold **result)
{
	if (!handle->lock)
		return ECANCELED;
	struct hold *h = handle->spare ? handle->spare : malloc(sizeof *h);
	if (!h) {
		struct il_op op;
		il_lock_op(&op, handle->lock, &handle->lock->ops->release, NULL);
		op.last = true;
		op.lock.grant = grant;
		op.lock.abandoned = handle->lock->untold;
		op.type->attempt(&op);
		return ENOMEM;
	}
	handle->lock->untold = false;
	handle->spare = NULL;
	*h = (struct hold){ .of_task.ended = task_ended,
		.handle = handle,
		.task = il_sched()->current,
		.grant = grant };
	il_list_init(&h->of_task.node);
	il_list_add(&handle->holds, &h->node);
	if (h->task)
		il_list_add(&h->task->holds, &h->of_task.node);
	*result = h;
	return 0;
}

static int acquire_push(lua_State *L, struct il_op *op)
{
	struct hold *h;
	if (op->err || (op->err = record(op->handle, op->lock.grant, &h)))
		return fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	if (!op->lock.abandoned)
		return 1;
	lua_pushliteral(L, "abandoned");
	return 2;
}

static int hold_push(lua_State *L, struct il_op *op)
{
	struct hold *h;
	if (op->err || (op->err = record(op->handle, op->lock.grant, &h)))
		return fail(L, op->handle, op->err);
	struct guard *g = lua_newuserdatauv(L, sizeof *g, 1);
	*g = (struct guard){ .object.class = guard_class };
	luaL_setmetatable(L, GUARD);
	il_push_object(L, h->handle);
	lua_setiuservalue(L, -2, 1);
	g->hold = h;
	h->guard = g;
	if (!op->lock.abandoned)
		return 1;
	lua_pushliteral(L, "abandoned");
	return 2;
}

static bool is_own(const struct hold *h)
{
	return !h->left && h->task == il_sched()->current;
}

/* The running task's; the latest, for one whose lease has ended stays until it is released. */
static struct hold *own_hold(const struct il_lock_handle *handle)
{
	struct hold *latest = NULL;
	for (struct il_list *l = handle->holds.next; l != &handle->holds; l = l->next)
		if (is_own(il_container_of(l, struct hold, node)))
			latest = il_container_of(l, struct hold, node);
	return latest;
}

/* What release() gives back: the task's own, or what anybody may release; what a guard stands for only if there is
 * nothing else, and only if the guard is the task's. */
static struct hold *hold_to_release(const struct il_lock_handle *handle)
{
	struct hold *guarded = NULL, *other = NULL;
	for (struct il_list *l = handle->holds.next; l != &handle->holds; l = l->next) {
		struct hold *h = il_container_of(l, struct hold, node);
		if (is_own(h) && !h->guard)
			return h;
		if (is_own(h))
			guarded = h;
		else if (!h->guard && !handle->class->owned)
			other = h;
	}
	return other ? other : guarded;
}

/* To wait for oneself without end is a mistake; with a timeout, or to try, is not. */
static void check_not_own(lua_State *L, struct il_lock *l, int timeout)
{
	const struct il_lock_handle *handle = handle_of(l);
	bool selecting = il_is_collected(L);
	if (!handle->class->counts && !selecting && lua_isnoneornil(L, timeout) && own_hold(handle))
		il_error(L, "%s is held by this task already, it would wait for ever", handle->class->noun);
}

static inline int acquire(lua_State *L, struct il_lock *l, bool shared, int64_t deadline,
	int (*push)(lua_State *L, struct il_op *op))
{
	struct il_op *op = il_await_begin(L, &l->ops->acquire, l, push);
	op->handle = handle_of(l);
	op->lock.shared = shared;
	op->lock.abandoned = false;
	return il_await_end(L, op, deadline);
}

int il_lock_acquire(lua_State *L, const struct il_lock_class *class, bool shared)
{
	struct il_lock *l = il_lock_check(L, class);
	if (!shared)
		check_not_own(L, l, 2);
	return acquire(L, l, shared, il_check_deadline(L, 2), acquire_push);
}

int il_lock_try(lua_State *L, const struct il_lock_class *class)
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

static int push_lost(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

int il_lock_lost(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	const struct hold *h = own_hold(handle_of(l));
	if (!h)
		return il_error(L, "%s is not held by this task", class->noun);
	if (!l->ops->lost.attempt)
		return fail(L, handle_of(l), ENOTSUP);
	int64_t deadline = il_check_deadline(L, 2);
	struct il_op *op = il_await_begin(L, &l->ops->lost, l, push_lost);
	op->handle = handle_of(l);
	op->lock.grant = h->grant;
	return il_await_end(L, op, deadline);
}

/* Releasing ------------------------------------------------------------------------------------------------ */

/* What it gives back is known when it is attempted: another case of the same select may have come before. */
bool il_lock_release_attempt(struct il_op *op)
{
	struct hold *h = hold_to_release(op->handle);
	if (h)
		return give_back(h, op, false);
	op->lock.grant = 0;
	op->err = EPERM;
	return true;
}

int il_lock_release_start(struct il_op *op)
{
	struct il_lock *l = op->source;
	struct hold *h = hold_to_release(op->handle);
	int err = h ? l->ops->release.start(op) : EPERM;
	if (!err)
		forget(h);
	return err;
}

bool il_lock_release_cancel(struct il_op *op)
{
	struct il_lock *l = op->source;
	return l->ops->release.cancel(op);
}

/* The engine could not give it back: it is held as before. */
static void hold_on(struct il_lock *l, int64_t grant)
{
	struct hold *h;
	bool untold = l->untold;
	if (record(handle_of(l), grant, &h))
		return;
	l->untold = untold;
	h->given = true;
}

static int not_held(lua_State *L, const struct il_lock_handle *handle)
{
	const struct il_lock_class *class = handle->class;
	if (!class->owned && !il_list_empty(&handle->holds))
		return il_error(L, "%s is held by guards of other tasks, which release it", class->noun);
	return il_error(L, "%s is not held by this %s", class->noun, class->owned ? "task" : "handle");
}

static int push_released(lua_State *L, struct il_lock_handle *handle, int err)
{
	if (err == ESTALE)
		return il_word(L, "expired");
	if (err)
		return fail(L, handle, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int release_push(lua_State *L, struct il_op *op)
{
	struct il_lock_handle *handle = op->handle;
	if (op->err == EPERM)
		return not_held(L, handle);
	if (op->err && op->remote && op->lock.grant && handle->lock)
		hold_on(handle->lock, op->lock.grant);
	return push_released(L, handle, op->err);
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

int64_t il_lock_grant(struct il_lock *l)
{
	const struct hold *h = own_hold(handle_of(l));
	return h ? h->grant : 0;
}

static int remove_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

int il_lock_remove(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	struct il_op op;
	lua_settop(L, 1);
	il_lock_op(&op, l, &l->ops->remove, remove_push);
	return il_await_answer(L, &op);
}

int il_lock_close(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = check_handle(L, class);
	struct il_lock *l = handle->lock;
	forget_all(handle);
	free(handle->spare);
	handle->spare = NULL;
	handle->lock = NULL;
	if (l)
		l->ops->close(l);
	return 0;
}

int il_lock_tostring(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock_handle *handle = check_handle(L, class);
	int held = 0;
	for (struct il_list *l = handle->holds.next; l != &handle->holds; l = l->next)
		held++;
	lua_pushfstring(L, "%s (%s, ", class->name, handle->what);
	if (!handle->lock)
		lua_pushliteral(L, "closed)");
	else if (held > 1)
		lua_pushfstring(L, "held %d times)", held);
	else
		lua_pushstring(L, held ? "held)" : "not held)");
	lua_concat(L, 2);
	return 1;
}

/* Guards --------------------------------------------------------------------------------------------- */

static int let_go(struct guard *g)
{
	if (g->hold)
		notice_fork(g->hold->handle);
	return g->hold ? drop(g->hold, false) : 0;
}

static int guard_close(lua_State *L)
{
	struct guard *g = il_self(L, guard_class);
	struct il_lock_handle *handle = g->hold ? g->hold->handle : NULL;
	return push_released(L, handle, let_go(g));
}

static int guard__close(lua_State *L)
{
	let_go(il_self(L, guard_class));
	return 0;
}

static int guard__tostring(lua_State *L)
{
	struct guard *g = il_self(L, guard_class);
	lua_pushfstring(L, GUARD " (%s)", g->hold ? g->hold->handle->what : "released");
	return 1;
}

static const luaL_Reg guard_methods[] = { { "close", guard_close }, { NULL, NULL } };

static const luaL_Reg guard_meta[] = {
	{ "__tostring", guard__tostring },
	{ "__gc", guard__close },
	{ "__close", guard__close },
	{ NULL, NULL },
};

void il_lock_open(lua_State *L)
{
	il_class(L, GUARD, guard_methods, guard_meta, NULL);
}
