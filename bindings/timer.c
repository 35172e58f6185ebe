/* SPDX-License-Identifier: MIT
 *
 * ipc.Timer: ticks without drift, served by a function or by wait.
 * Floor 4.
 */
#include "loop/timer.h"
#include "base/clock.h"
#include "bind.h"
#include "classes.h"
#include "sched/await.h"
#include "sched/event.h"
#include "sched/preempt.h"
#include "sched/run_queue.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/task.h"

#include <errno.h>
#include <math.h>

#define CLASS "ipc.Timer"
#define GUARD "ipc.timer guard"

static const char class[] = CLASS;

struct timer {
	struct il_object object;
	struct il_timer t;
	struct il_event event;
	struct il_list waiters;
	int64_t tick, missed; /* of the tick that is being served */
	int ref; /* it runs: kept, and keeps the program alive unless detached */
	bool has_function, once, running, detached, busy;
};

static struct timer *check_timer(lua_State *L)
{
	return il_self(L, class);
}

static void serve_waiters(struct timer *t);

/* In the loop: a tick is due. */
static void expired(struct il_timer *it)
{
	struct timer *t = il_container_of(it, struct timer, t);
	if (t->has_function)
		il_event_post(&t->event);
	else
		serve_waiters(t);
}

static void stop(lua_State *L, struct timer *t)
{
	il_timer_disarm(&t->t);
	il_event_withdraw(&t->event);
	if (t->running && t->has_function && !t->detached)
		il_sched_release();
	t->running = false;
	if (!t->busy)
		il_unref(L, &t->ref);
}

/* The function has ended: the next tick may come. Ticks that passed meanwhile count as missed then. */
static void ended(struct il_task *task)
{
	struct timer *t = task->owner;
	t->busy = false;
	if (t->running)
		il_timer_arm(&t->t, true); /* cannot fail: it has just left a place */
	else
		il_unref(il_sched()->main, &t->ref);
}

static void run(lua_State *L, struct il_event *e)
{
	struct timer *t = il_container_of(e, struct timer, event);
	int64_t missed;
	luaL_checkstack(L, 8, NULL);
	il_push_ref(L, t->ref);
	lua_getiuservalue(L, -1, 1);
	lua_insert(L, -2);
	int64_t before = t->t.served;
	il_timer_serve(&t->t, &missed);
	int64_t served = t->t.served;
	t->t.served = before; /* not served before the call is sure to happen */
	lua_pushinteger(L, t->once ? 0 : missed);
	struct il_task *task = il_task_prepare(L, 2, ended, t, t->detached);
	t->t.served = served;
	t->busy = true;
	if (t->once)
		stop(L, t);
	il_sched_run(L, task, e);
}

static int start(lua_State *L, struct timer *t, int64_t interval)
{
	stop(L, t);
	il_timer_start(&t->t, interval);
	if (t->has_function) {
		if (t->ref == LUA_NOREF)
			t->ref = il_ref(L, 1);
		int err = t->busy ? 0 : il_timer_arm(&t->t, false);
		if (err) {
			stop(L, t);
			return il_error(L, "not enough memory");
		}
		if (!t->detached)
			il_sched()->alive++;
	}
	t->running = true;
	il_sched_changed();
	il_preempt();
	return 0;
}

static int64_t check_interval(lua_State *L, int arg, bool once)
{
	double seconds = luaL_checknumber(L, arg);
	if (isnan(seconds))
		luaL_argerror(L, arg, once ? "seconds must not be NaN" : "the interval must be seconds, not NaN");
	if (once)
		luaL_argcheck(L, seconds >= 0, arg, "seconds must not be negative");
	else
		luaL_argcheck(L, seconds > 0, arg, "the interval must be seconds, more than 0");
	return il_nanoseconds(seconds);
}

static struct timer *push_timer(lua_State *L)
{
	struct timer *t = lua_newuserdatauv(L, sizeof *t, 1);
	*t = (struct timer){ .object.class = class, .ref = LUA_NOREF, .t.expired = expired };
	il_event_init(&t->event, run);
	il_list_init(&t->waiters);
	luaL_setmetatable(L, CLASS);
	return t;
}

/* A timer with a function is kept while it runs, so it needs no finaliser, which would cost more than the timer. One
 * without may be collected while a coroutine that was given up stands in its line: its user value, which refers
 * back to it, has the finaliser. */
static int guard__gc(lua_State *L)
{
	lua_getiuservalue(L, 1, 1);
	struct timer *t = il_test_object(L, -1, class);
	if (t) {
		stop(L, t);
		il_op_finish_all(&t->waiters, ECANCELED);
	}
	return 0;
}

static void push_guard(lua_State *L, int timer)
{
	lua_newuserdatauv(L, 0, 1);
	lua_pushvalue(L, timer);
	lua_setiuservalue(L, -2, 1);
	luaL_setmetatable(L, GUARD);
}

/* Stack: seconds, function or nil. */
static int new_timer(lua_State *L, bool once)
{
	lua_settop(L, 2);
	int64_t interval = check_interval(L, 1, once);
	bool has_function = !lua_isnil(L, 2);
	if (has_function || once)
		luaL_checktype(L, 2, LUA_TFUNCTION);
	struct timer *t = push_timer(L);
	t->once = once;
	t->has_function = has_function;
	lua_replace(L, 1); /* timer, function */
	if (has_function)
		lua_pushvalue(L, 2);
	else
		push_guard(L, 1);
	lua_setiuservalue(L, 1, 1);
	start(L, t, interval);
	lua_settop(L, 1);
	return 1;
}

static int timer(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TFUNCTION) {
		lua_settop(L, 1);
		lua_pushnumber(L, 1);
		lua_insert(L, 1);
	} else if (lua_type(L, 1) != LUA_TNUMBER) {
		luaL_typeerror(L, 1, "seconds or function");
	}
	return new_timer(L, false);
}

static int after(lua_State *L)
{
	return new_timer(L, true);
}

static bool serve(struct timer *t)
{
	if (!t->running || !il_timer_due(&t->t))
		return false;
	t->tick = il_timer_serve(&t->t, &t->missed);
	return true;
}

static bool wait_attempt(struct il_op *op)
{
	struct timer *t = op->source;
	if (!t->running) {
		op->err = ECANCELED;
		return true;
	}
	return il_list_empty(&t->waiters) && serve(t);
}

static int wait_start(struct il_op *op)
{
	struct timer *t = op->source;
	int err = il_timer_arm(&t->t, false);
	if (!err)
		il_list_add(&t->waiters, &op->link);
	return err;
}

static bool wait_cancel(struct il_op *op)
{
	struct timer *t = op->source;
	il_list_del(&op->link);
	if (il_list_empty(&t->waiters))
		il_timer_disarm(&t->t);
	return false;
}

static void serve_waiters(struct timer *t)
{
	struct il_op *op = il_list_first(struct il_op, &t->waiters, link);
	if (!op || !serve(t))
		return;
	op->arg = t->tick;
	op->size = (size_t)t->missed;
	il_list_del(&op->link);
	il_op_finish(op, 0);
	if (!il_list_empty(&t->waiters))
		il_timer_arm(&t->t, false);
}

static int wait_push(lua_State *L, struct il_op *op)
{
	struct timer *t = op->source;
	if (op->err)
		return il_word(L, "closed");
	bool waited = op->arg != 0;
	lua_pushinteger(L, waited ? op->arg : t->tick);
	lua_pushinteger(L, waited ? (lua_Integer)op->size : t->missed);
	return 2;
}

static const struct il_await_type wait_type = { { "timer wait", wait_attempt, wait_start, wait_cancel }, wait_push };

static int timer_wait(lua_State *L)
{
	struct timer *t = check_timer(L);
	if (t->has_function)
		return il_error(L, "a timer that has a function cannot be waited for");
	return il_await(L, &wait_type, t, 0, 2);
}

static int timer_stop(lua_State *L)
{
	struct timer *t = check_timer(L);
	stop(L, t);
	il_op_finish_all(&t->waiters, ECANCELED);
	lua_settop(L, 1);
	return 1;
}

static int timer_start(lua_State *L)
{
	struct timer *t = check_timer(L);
	int64_t interval = lua_isnoneornil(L, 2) ? t->t.interval : check_interval(L, 2, t->once);
	start(L, t, interval);
	if (!il_list_empty(&t->waiters))
		il_timer_arm(&t->t, false);
	lua_settop(L, 1);
	return 1;
}

static int timer_detach(lua_State *L)
{
	struct timer *t = check_timer(L);
	if (t->running && t->has_function && !t->detached)
		il_sched_release();
	t->detached = true;
	lua_settop(L, 1);
	return 1;
}

static int timer__tostring(lua_State *L)
{
	struct timer *t = check_timer(L);
	il_push_number(L, (lua_Number)t->t.interval / 1e9);
	lua_pushfstring(L, CLASS " (%s, %s%s s)", t->running ? "running" : "stopped", t->once ? "after " : "every ",
		lua_tostring(L, -1));
	return 1;
}

static const luaL_Reg methods[] = {
	{ "wait", timer_wait },
	{ "stop", timer_stop },
	{ "start", timer_start },
	{ "detach", timer_detach },
	{ "close", timer_stop },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", timer__tostring },
	{ "__close", timer_stop },
	{ NULL, NULL },
};

static const luaL_Reg functions[] = { { "timer", timer }, { "after", after }, { NULL, NULL } };

static const luaL_Reg waits[] = { { "wait", timer_wait }, { NULL, NULL } };

static const struct il_cases cases = { .usual = "wait", .methods = waits };

void il_timer_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	luaL_setfuncs(L, functions, 0);
	luaL_newmetatable(L, GUARD);
	lua_pushcfunction(L, guard__gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
}
