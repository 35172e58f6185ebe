/* SPDX-License-Identifier: MIT
 *
 * Semaphores, mutexes and file locks for Lua, see lock.h. The engine counts what the handle holds; here is who holds
 * it. Floor 4.
 */
#include "lock.h"
#include "base/fork.h"
#include "ask.h"
#include "base/clock.h"
#include "bind.h"
#include "key.h"
#include "option.h"
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

IL_ASKER(struct il_lock_handle, lock);

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

static char handles; /* registry key of a weak table: address → handle */

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
	return il_remote_fail(L, err, handle->lock ? handle->lock->remote : NULL, handle->class->noun, handle->what);
}

int il_lock_fail(lua_State *L, const struct il_lock *l, int err)
{
	return fail(L, handle_of(l), err);
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
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handles);
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, handle);
	lua_pop(L, 1);
	return handle;
}

struct il_lock **il_lock_place(lua_State *L, int handle)
{
	return &((struct il_lock_handle *)lua_touserdata(L, handle))->lock;
}

int il_lock_opened(lua_State *L, int handle)
{
	struct il_lock_handle *h = lua_touserdata(L, handle);
	h->lock->owner = h;
	il_remote_warn(L, h->lock->remote, h->class->noun, h->what);
	lua_settop(L, handle);
	return 1;
}

/* What the engine is to give back is told apart by its grant. What could not be given back is still held. */
static int give_back(struct hold *h, bool abandoned, bool heard)
{
	struct il_lock *l = h->handle->lock;
	l->grant = h->grant;
	if (l->remote)
		l->remote->unheard = !heard;
	int err = l->ops->release(l, abandoned);
	if (!err || l->remote || err == EIDRM || err == EUCLEAN)
		forget(h);
	return err;
}

/* The task that held it has ended. What is owned is abandoned, whatever it is; a permit may be meant for others to
 * release, if the task ended well. */
static void task_ended(struct il_hold *of_task, bool failed)
{
	struct hold *h = il_container_of(of_task, struct hold, of_task);
	h->task = NULL;
	h->left = true;
	if (failed || h->handle->class->owned)
		give_back(h, !h->given, false);
}

/* Records who holds it: 0; ENOMEM and it has been given back; ECANCELED: the handle has been closed since, and its lock
 * freed with all that it had. */
static int record(struct il_lock_handle *handle, int64_t grant, struct hold **result)
{
	if (!handle->lock)
		return ECANCELED;
	struct hold *h = handle->spare ? handle->spare : malloc(sizeof *h);
	if (!h) {
		handle->lock->grant = grant;
		handle->lock->ops->release(handle->lock, handle->lock->untold);
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

bool il_lock_attempt(struct il_op *op)
{
	struct il_lock *l = op->source;
	return l->ops->acquire.attempt(op);
}

int il_lock_start(struct il_op *op)
{
	struct il_lock *l = op->source;
	return l->ops->acquire.start(op);
}

bool il_lock_cancel(struct il_op *op)
{
	struct il_lock *l = op->source;
	return l->ops->acquire.cancel(op);
}

int il_lock_push_acquired(lua_State *L, struct il_op *op)
{
	struct hold *h;
	if (op->err || (op->err = record(op->data, op->arg, &h)))
		return fail(L, op->data, op->err);
	lua_pushboolean(L, 1);
	if (op->size != IL_ABANDONED)
		return 1;
	lua_pushliteral(L, "abandoned");
	return 2;
}

int il_lock_push_guard(lua_State *L, struct il_op *op)
{
	struct hold *h;
	if (op->err || (op->err = record(op->data, op->arg, &h)))
		return fail(L, op->data, op->err);
	struct guard *g = lua_newuserdatauv(L, sizeof *g, 1);
	*g = (struct guard){ .object.class = guard_class };
	luaL_setmetatable(L, GUARD);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handles);
	lua_rawgetp(L, -1, h->handle);
	lua_setiuservalue(L, -3, 1);
	lua_pop(L, 1);
	g->hold = h;
	h->guard = g;
	if (op->size != IL_ABANDONED)
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

/* The handle goes along, since the lock may be gone before the results are built. */
static inline __attribute__((always_inline)) int await(lua_State *L, const struct il_await_type *type,
	struct il_lock *l, int64_t how)
{
	return il_await_data(L, type, l, how, handle_of(l), 0, 2);
}

int il_lock_acquire(lua_State *L, const struct il_lock_class *class, int64_t how)
{
	struct il_lock *l = il_lock_check(L, class);
	if (how == IL_EXCLUSIVE)
		check_not_own(L, l, 2);
	return await(L, &class->acquire, l, how);
}

int il_lock_try(lua_State *L, const struct il_lock_class *class)
{
	lua_settop(L, 1);
	lua_pushinteger(L, 0);
	return il_lock_acquire(L, class, IL_EXCLUSIVE);
}

int il_lock_hold(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	check_not_own(L, l, 2);
	return await(L, &class->hold, l, IL_EXCLUSIVE);
}

static bool lost_attempt(struct il_op *op)
{
	return ((struct il_lock *)op->source)->lost->attempt(op);
}

static int lost_start(struct il_op *op)
{
	return ((struct il_lock *)op->source)->lost->start(op);
}

static bool lost_cancel(struct il_op *op)
{
	return ((struct il_lock *)op->source)->lost->cancel(op);
}

static int push_lost(lua_State *L, struct il_op *op)
{
	if (op->err)
		return fail(L, op->data, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct il_await_type lost = { { "lock lost", lost_attempt, lost_start, lost_cancel }, push_lost };

int il_lock_lost(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	const struct hold *h = own_hold(handle_of(l));
	if (!h)
		return il_error(L, "%s is not held by this task", class->noun);
	return l->lost ? await(L, &lost, l, h->grant) : il_lock_fail(L, l, ENOTSUP);
}

static int released(lua_State *L, struct il_lock *l, int err);

static int release_again(lua_State *L)
{
	struct il_lock *l = ((struct il_lock_handle *)lua_touserdata(L, 1))->lock;
	return released(L, l, l->ops->release(l, false));
}

/* The engine could not give it back: it is held as before. */
static void hold_on(struct il_lock *l)
{
	struct hold *h;
	bool untold = l->untold;
	if (record(handle_of(l), l->grant, &h))
		return;
	l->untold = untold;
	h->given = true;
}

static int released(lua_State *L, struct il_lock *l, int err)
{
	if (err == EINPROGRESS)
		return il_ask(L, 1, release_again);
	if (err == ESTALE)
		return il_word(L, "expired");
	if (err && l->remote && l->grant)
		hold_on(l);
	if (err)
		return il_lock_fail(L, l, err);
	lua_pushboolean(L, 1);
	return 1;
}

int il_lock_release(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	struct il_lock_handle *handle = handle_of(l);
	struct hold *h = hold_to_release(handle);
	if (!h && !class->owned && !il_list_empty(&handle->holds))
		return il_error(L, "%s is held by guards of other tasks, which release it", class->noun);
	if (!h)
		return il_error(L, "%s is not held by this %s", class->noun, class->owned ? "task" : "handle");
	lua_settop(L, 1);
	return released(L, l, give_back(h, false, true));
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

static int remove_again(lua_State *L)
{
	return il_lock_remove(L, ((struct il_lock_handle *)lua_touserdata(L, 1))->class);
}

int il_lock_remove(lua_State *L, const struct il_lock_class *class)
{
	struct il_lock *l = il_lock_check(L, class);
	lua_settop(L, 1);
	int err = l->ops->remove(l);
	if (err == EINPROGRESS)
		return il_ask(L, 1, remove_again);
	if (err)
		return il_lock_fail(L, l, err);
	lua_pushboolean(L, 1);
	return 1;
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

/* Of another machine the answer is not waited for. */
static int let_go(struct guard *g)
{
	if (g->hold)
		notice_fork(g->hold->handle);
	int err = g->hold ? give_back(g->hold, false, false) : 0;
	return err == EINPROGRESS ? 0 : err;
}

static int guard_close(lua_State *L)
{
	struct guard *g = il_self(L, guard_class);
	struct il_lock *l = g->hold ? g->hold->handle->lock : NULL;
	return released(L, l, let_go(g));
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
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &handles);
}
