/* SPDX-License-Identifier: MIT
 *
 * Waiting, see await.h. Floor 3.
 */
#include "sched/await.h"
#include "base/clock.h"
#include "base/reason.h"
#include "sched/cancel.h"
#include "sched/error.h"
#include "sched/late.h"
#include "sched/on_main.h"
#include "sched/park.h"
#include "sched/run_queue.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/suspend.h"
#include "sched/task.h"
#include "sched/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* To try one case of a select takes as long as to copy so many bytes. */
enum { CASE = 256 };

static char error_of_both; /* registry key, its address: see both() */

bool il_is_called_by_collector(lua_State *L)
{
	lua_Debug caller;
	if (il_sched()->collector->L != L || !lua_getstack(L, 1, &caller) || !lua_getinfo(L, "f", &caller))
		return false;
	bool called = lua_tocfunction(L, -1) == il_sched()->collector->by;
	lua_pop(L, 1);
	return called;
}

void il_await_open(lua_State *L)
{
	lua_pushboolean(L, 0); /* so that there is a place for it */
	lua_rawsetp(L, LUA_REGISTRYINDEX, &error_of_both);
}

int64_t il_deadline(lua_State *L, int arg)
{
	if (il_is_collected(L))
		il_error(L, "it has a timeout of its own: a select has one for all its cases");
	luaL_checktype(L, arg, LUA_TNUMBER);
	double seconds = lua_tonumber(L, arg);
	if (!(seconds >= 0))
		luaL_argerror(L, arg,
			seconds < 0 ? "timeout must be seconds, not negative" : "timeout must be seconds, not NaN");
	return seconds > 0 ? il_time_add(il_now(), il_nanoseconds(seconds)) : 0;
}

static int timed_out(lua_State *L)
{
	lua_pushnil(L);
	lua_pushliteral(L, "timeout");
	return 2;
}

/* With a zero byte behind, as a string has one. */
static bool own(const void **bytes, size_t size, bool *owned)
{
	char *copy = *owned || !*bytes || !size ? NULL : malloc(size + 1);
	if (!copy)
		return *owned || !*bytes || !size;
	copy[size] = 0;
	*bytes = memcpy(copy, *bytes, size);
	return *owned = true;
}

/* Stock coroutine.close takes the stack away from a coroutine that waits, and with it what its operations were given.
 * So there they have copies, and the memory of a select is kept in the registry, by the task. */
static bool own_payloads(struct il_op *ops, uint32_t count)
{
	for (struct il_op *op = ops; op < ops + count; op++) {
		const void *data = op->data, *name = op->name;
		bool copied = own(&data, op->size, &op->owned) && own(&name, op->name_size, &op->name_owned);
		op->data = (void *)data;
		op->name = name;
		if (!copied)
			return false;
	}
	return true;
}

static void keep_selection(lua_State *L, int memory)
{
	if (!il_sched()->current || il_sched()->guarded)
		return;
	if (memory)
		lua_pushvalue(L, memory);
	else
		lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, il_sched()->current);
}

/* For il_await_many the function that pushes is not the operation's but its caller's. */
typedef int push_function(lua_State *L, struct il_op *op);

static int results(lua_State *L, struct il_wait *w, push_function *push)
{
	w->state = IL_IDLE;
	if (push)
		keep_selection(L, 0);
	if (w->winner == IL_TIMEOUT)
		return push || w->count ? timed_out(L) : 0; /* neither: it slept */
	if (w->winner == IL_LATE)
		return il_late_raise(L);
	if (w->winner == IL_CANCELLED) {
		il_sched()->current->notified = true;
		return il_cancel_raise(L);
	}
	struct il_op *op = &w->ops[w->winner];
	return push ? push(L, op) : op->push(L, op);
}

static int resumed(lua_State *L, int status, lua_KContext push)
{
	(void)status;
	struct il_task *t = il_sched()->current;
	if (il_is_stranger(L))
		return il_send_away(L, push, resumed);
	if (t->wait.state != IL_DONE)
		return il_error(L, "what this coroutine waited for is gone");
	return results(L, &t->wait, (push_function *)push);
}

static bool main_waits(void)
{
	return il_sched()->main_wait.state == IL_WAITING;
}

static int turn_until_done(lua_State *L)
{
	while (main_waits())
		il_sched_turn(L, IL_NEVER, main_waits);
	return 0;
}

/* The wait has its result, and there is an error, too. What has failed for want of memory is tried again; but a hook
 * has only this occasion to raise, and then the results are built all the same, since a lock has to know its holder. */
static int both(lua_State *L, int status, push_function *push)
{
	if (status == LUA_ERRMEM) {
		lua_pop(L, 1);
		return results(L, &il_sched()->main_wait, push);
	}
	lua_rawsetp(L, LUA_REGISTRYINDEX, &error_of_both);
	results(L, &il_sched()->main_wait, push);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &error_of_both);
	return lua_error(L);
}

/* The main chunk cannot be suspended: it runs the loop on top of itself until it has what it waits for. */
static int wait_on_main(lua_State *L, push_function *push)
{
	struct il_wait *w = &il_sched()->main_wait;
	int status = il_on_main(L, turn_until_done, 0);
	il_sched_changed();
	if (status == LUA_OK)
		return results(L, w, push);
	if (w->state == IL_DONE)
		return both(L, status, push);
	il_wait_drop(w);
	il_board_runs(il_sched()->main_board);
	return lua_error(L);
}

static int suspend(lua_State *L, push_function *push)
{
	if (!il_sched()->current)
		return wait_on_main(L, push);
	return il_suspend(L, (lua_KContext)push, resumed);
}

/* Raises where nothing can wait: better now than after something has been started. */
static void check_may_wait(lua_State *L, const struct il_task *t)
{
	if (!t) {
		if (il_sched()->turning)
			il_error(L, "cannot wait here: the loop is running already (a finaliser or a hook?)");
	} else if (!lua_isyieldable(L)) {
		il_error(L,
			"cannot wait inside a callback of a function that Lua cannot suspend "
			"(table.sort, string.gsub, a finaliser)");
	} else if (L != il_sched()->running) {
		il_error(L,
			"cannot wait in a coroutine that was resumed by stock coroutine.resume or "
			"coroutine.wrap: use ipc.coroutine, or ipc.coroutine.install()");
	}
}

static struct il_wait *own_wait(void)
{
	return il_sched()->current ? &il_sched()->current->wait : &il_sched()->main_wait;
}

static int cannot(lua_State *L, int err)
{
	lua_pushnil(L);
	lua_pushfstring(L, "cannot wait: %s", il_reason(err));
	lua_pushinteger(L, err);
	return 3;
}

static int start(lua_State *L, struct il_op *ops, uint32_t count, int64_t deadline, push_function *push, int memory,
	bool uncancellable)
{
	struct il_wait *w = own_wait();
	if (!uncancellable)
		il_late_check(L);
	if (il_sched()->current && !il_sched()->guarded && !own_payloads(ops, count))
		return cannot(L, ENOMEM);
	int64_t until = deadline ? deadline : IL_NEVER; /* 0: they end by themselves */
	int err = il_wait_start(w, ops, count, until);
	if (il_sched()->current)
		il_sched()->current->uncancellable = uncancellable;
	if (w->state == IL_WAITING)
		il_park(L, w, until, memory ? lua_touserdata(L, memory) : NULL);
	return err ? cannot(L, err) : suspend(L, push);
}

/* To the end of the run queue. */
static int requeue(lua_State *L, struct il_task *t, lua_KContext context, lua_KFunction then)
{
	il_run_queue_add(t);
	return il_suspend(L, context, then);
}

static inline bool is_refused(const struct il_task *t)
{
	return t && t->cancelled && !il_cancel_shielded(t);
}

/* False, too, in a task that is cancelled, and where a select asks what there is to wait for. */
static bool may_wait_now(lua_State *L)
{
	return il_may_wait(L) && !is_refused(il_sched()->current) && !il_is_collected(L);
}

static int refused(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	return il_is_stranger(L) ? il_send_away(L, context, refused) : il_cancel_raise(L);
}

/* Instead of a wait. One that goes on all the same, and waits again, lets the others have their turn first: it may do
 * so in a loop. */
static int refuse(lua_State *L, struct il_task *t)
{
	bool goes_on = t->notified;
	t->notified = true;
	return goes_on && il_may_wait(L) ? requeue(L, t, 0, refused) : il_cancel_raise(L);
}

/* Where the operation is to be: in the task that waits, or in the select that collects it. */
static inline struct il_op *place(lua_State *L, struct il_task *t, bool uncancellable)
{
	if (il_is_collected(L)) {
		il_sched()->collector->taken = true;
		return il_sched()->collector->op;
	}
	if (!uncancellable && is_refused(t))
		refuse(L, t);
	if ((t ? t->wait : il_sched()->main_wait).state != IL_IDLE)
		check_may_wait(L, t);
	return t ? &t->op : &il_sched()->main_op;
}

struct il_op *il_await_place(lua_State *L)
{
	return place(L, il_sched()->current, false);
}

static int slow(lua_State *L, struct il_op *op, int64_t deadline, bool uncancellable)
{
	if (il_is_collectors(op))
		return lua_gettop(L); /* select keeps it all alive: the payload may be a string that was just made */
	if (deadline == 0 && !op->remote)
		return il_serve(0) ? timed_out(L) : il_served(L, timed_out(L));
	check_may_wait(L, il_sched()->current);
	return start(L, op, 1, deadline, NULL, 0, uncancellable);
}

int il_await_slow(lua_State *L, struct il_op *op, int64_t deadline)
{
	return slow(L, op, deadline, false);
}

static int await(lua_State *L, const struct il_await_type *type, struct il_op *op, int64_t deadline, bool uncancellable)
{
	op->push = type->push;
	if (!il_await_first(&type->op, op, deadline))
		return slow(L, op, deadline, uncancellable);
	return il_serve(op->size) ? type->push(L, op) : il_served(L, type->push(L, op));
}

int il_await_answer_slow(lua_State *L, struct il_op *op)
{
	if (il_is_collected(L)) {
		il_sched()->collector->taken = true;
		*il_sched()->collector->op = *op;
		il_list_init(&il_sched()->collector->op->link);
		return lua_gettop(L);
	}
	if (il_sched()->collector && op->type->attempt(op))
		return op->push(L, op);
	op->last = !may_wait_now(L);
	if (op->last && op->type->attempt(op))
		return op->push(L, op);
	struct il_op *own = place(L, il_sched()->current, false);
	check_may_wait(L, il_sched()->current);
	il_op_clear(own);
	*own = *op;
	il_list_init(&own->link);
	return start(L, own, 1, IL_NEVER, NULL, 0, false);
}

/* The file may be closed and the text collected while it waits. */
int il_await_handle(lua_State *L, const struct il_await_type *type, void *source, int fd, const void *data, size_t size,
	int timeout)
{
	int64_t deadline = il_check_deadline(L, timeout);
	struct il_op *op = place(L, il_sched()->current, false);
	il_op_init(op, &type->op, source, 0);
	op->data = malloc(size);
	op->owned = true;
	op->fd = op->data ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (op->fd < 0) {
		op->err = op->data ? errno : ENOMEM;
		il_op_clear(op);
		if (il_is_collectors(op))
			il_sched()->collector->taken = false; /* there is no operation: the results are the case's */
		return type->push(L, op);
	}
	memcpy(op->data, data, size);
	op->size = size;
	return await(L, type, op, deadline, false);
}

int il_await_uncancellable(lua_State *L, const struct il_await_type *type, void *source, int64_t arg, int64_t deadline)
{
	struct il_op *op = place(L, il_sched()->current, true);
	il_op_init(op, &type->op, source, arg);
	return await(L, type, op, deadline, true);
}

int il_await_many(lua_State *L, struct il_op *ops, uint32_t count, int memory, int64_t deadline, push_function *push)
{
	struct il_task *t = il_sched()->current;
	if (is_refused(t))
		return refuse(L, t);
	bool remote = false;
	for (uint32_t i = 0; i < count; i++) {
		ops[i].once = deadline == 0;
		if (ops[i].type->attempt(&ops[i]) || ops[i].begun) {
			bool more = il_serve(ops[i].size + (size_t)i * CASE);
			int results = push(L, &ops[i]);
			return more ? results : il_served(L, results);
		}
		remote |= ops[i].remote;
	}
	if (deadline == 0 && !remote)
		return il_serve((size_t)count * CASE) ? timed_out(L) : il_served(L, timed_out(L));
	check_may_wait(L, t);
	if (memory)
		keep_selection(L, memory);
	return start(L, ops, count, deadline, push, memory, false);
}

int il_await_deadline(lua_State *L, int64_t deadline)
{
	return il_await_many(L, NULL, 0, 0, deadline, NULL);
}

static int turned(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	if (il_is_stranger(L))
		return il_send_away(L, context, turned);
	if (is_refused(il_sched()->current))
		return refuse(L, il_sched()->current);
	il_late_check(L);
	return 0;
}

int il_await_turn(lua_State *L)
{
	struct il_task *t = il_sched()->current;
	if (is_refused(t))
		return refuse(L, t);
	check_may_wait(L, t);
	if (t)
		return requeue(L, t, 0, turned);
	return il_turn_on_main(L) == LUA_OK ? 0 : lua_error(L);
}
