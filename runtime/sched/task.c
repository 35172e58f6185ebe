/* SPDX-License-Identifier: MIT
 *
 * Tasks and their scheduler, see task.h; what a task runs in is body.c. A coroutine that has ended well is used again,
 * since making one costs more than all the rest of a short task; not if it has a hook, for the debug library knows
 * that one by the coroutine. What a task returned stays on its coroutine's stack until the task is collected.
 * Floor 3.
 */
#include "sched/task.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "sched/await.h"
#include "sched/body.h"
#include "sched/interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

enum { IDLE_COROUTINES = 128, SPARE_TASKS = 16, LOOK_EVERY = 16 };

/* Tasks run for this long (ns) before the kernel is asked what else there is. */
static const int64_t BATCH = 50000;

struct il_sched il_sched;

static struct il_task *ready_first, **ready_last = &ready_first;
static int64_t polled; /* when the kernel was last asked */
static struct il_task *spare; /* tasks of callbacks, with their coroutines, linked by `next` */
static int spares;
static int idle;       /* coroutines that wait to be used again */
static char anchors, idle_coroutines; /* registry keys: their addresses */

static void woken(struct il_wait *w)
{
	il_task_ready(il_container_of(w, struct il_task, wait));
}

static void woken_main(struct il_wait *w)
{
	(void)w;
}

void il_sched_open(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	il_sched.main = lua_tothread(L, -1);
	lua_pop(L, 1);
	il_sched.main_wait.wake = woken_main;
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &idle_coroutines);
	il_body_open(L);
	idle = 0;
	il_sched.open = true;
}

/* Pushes a coroutine, a used one if there is one. */
static lua_State *push_coroutine(lua_State *L)
{
	lua_State *co;
	if (!idle) {
		co = lua_newthread(L);
	} else {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &idle_coroutines);
		lua_rawgeti(L, -1, idle--);
		lua_replace(L, -2);
		co = lua_tothread(L, -1);
	}
	if (lua_gethook(co) != lua_gethook(L))
		lua_sethook(co, lua_gethook(L), lua_gethookmask(L), lua_gethookcount(L));
	return co;
}

/* Pops the coroutine and keeps it. Does not raise: the place in the table exists or the coroutine is let go. */
static int keep_coroutine(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &idle_coroutines);
	lua_insert(L, -2);
	lua_rawseti(L, -2, idle + 1);
	idle++;
	return 0;
}

static void reuse(lua_State *L, struct il_task *t)
{
	if (idle >= IDLE_COROUTINES || lua_status(t->co) != LUA_OK || lua_gethook(t->co) || !lua_checkstack(L, 4))
		return;
	lua_settop(t->co, 0);
	lua_pushcfunction(L, keep_coroutine);
	lua_pushthread(t->co);
	lua_xmove(t->co, L, 1);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		lua_pop(L, 1);
	t->co = NULL;
}

struct il_task *il_task_new(lua_State *L, int nargs)
{
	luaL_checkstack(L, 6, "too many arguments");
	int fn = lua_gettop(L) - nargs;
	struct il_task *t = lua_newuserdatauv(L, sizeof *t, 1);
	memset(t, 0, sizeof *t);
	t->anchor = LUA_NOREF;
	t->status = IL_GONE;
	t->wait.wake = woken;
	il_list_init(&t->joiners);
	il_list_init(&t->holds);
	luaL_setmetatable(L, IL_TASK_CLASS);
	lua_State *co = push_coroutine(L);
	if (!lua_checkstack(co, nargs + LUA_MINSTACK / 2))
		luaL_error(L, "too many arguments for a task");
	lua_setiuservalue(L, -2, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors);
	lua_pushvalue(L, -2);
	t->anchor = luaL_ref(L, -2);
	lua_pop(L, 1);
	lua_insert(L, fn);
	lua_pushcfunction(co, il_body);
	lua_xmove(L, co, nargs + 1);
	t->co = co;
	t->id = ++il_sched.tasks;
	t->status = IL_READY;
	il_sched.alive++;
	il_sched.living++;
	return t;
}

void il_sched_changed(void)
{
	if (!il_sched.turning)
		il_loop_wake_outer();
}

void il_sched_release(void)
{
	il_sched.alive--;
	il_sched_changed();
}

void il_task_ready(struct il_task *t)
{
	if (!ready_first)
		il_sched_changed();
	t->status = IL_READY;
	t->next = NULL;
	*ready_last = t;
	ready_last = &t->next;
}

static struct il_task *pop_ready(void)
{
	struct il_task *t = ready_first;
	if (t && !(ready_first = t->next))
		ready_last = &ready_first;
	return t;
}

static void report(lua_State *L, struct il_task *t)
{
	il_sched.failed = true;
	if (!lua_checkstack(L, 6))
		return;
	il_task_traceback(L, t);
	const char *text = lua_tostring(L, -1);
	lua_writestringerror("ipc: task %s\n", text ? text : "failed: not enough memory");
	lua_pop(L, 1);
}

static void unanchor(lua_State *L, struct il_task *t)
{
	if (t->anchor == LUA_NOREF || !lua_checkstack(L, 3))
		return;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors);
	luaL_unref(L, -1, t->anchor);
	lua_pop(L, 1);
	t->anchor = LUA_NOREF;
}

/* Keeps the task of a callback for the next one. */
static bool keep_task(struct il_task *t)
{
	if (!t->callback || t->status != IL_FINISHED || spares >= SPARE_TASKS || lua_gethook(t->co))
		return false;
	lua_settop(t->co, 0);
	t->next = spare;
	spare = t;
	spares++;
	return true;
}

static void settle_holds(struct il_task *t, bool quietly)
{
	while (!il_list_empty(&t->holds)) {
		struct il_hold *h = il_container_of(t->holds.next, struct il_hold, node);
		il_list_del(&h->node);
		if (!quietly)
			h->ended(h, t->status != IL_FINISHED);
	}
}

/* The task has ended: tells who waits for it and lets go of it. Does not raise. */
static void end(lua_State *L, struct il_task *t, int results)
{
	bool joined = !il_list_empty(&t->joiners);
	t->results = results;
	il_sched.living--;
	if (t->status == IL_FAILED) {
		const char *err = lua_type(t->co, -results) == LUA_TSTRING ? lua_tostring(t->co, -results) : "";
		if (t->cancelled && strcmp(err, "cancelled") == 0)
			t->status = IL_GONE;
	} else {
		t->status = IL_FINISHED;
	}
	if (!t->detached)
		il_sched_release();
	settle_holds(t, false);
	if (t->status == IL_FAILED && !joined && !t->held)
		report(L, t);
	il_op_clear(&t->op);
	il_op_finish_all(&t->joiners, 0);
	if (t->ended)
		t->ended(t);
	if (keep_task(t))
		return;
	if (!results)
		reuse(L, t);
	unanchor(L, t);
}

/* The coroutine died outside of il_body's protection, or yielded what is no wait: its `<close>` variables run here. */
static int bury(lua_State *L, struct il_task *t, bool stray)
{
	t->status = IL_FAILED;
	if (stray)
		il_body_push_stray(L);
	else
		lua_xmove(t->co, L, 1);
	lua_resetthread(t->co);
	lua_settop(t->co, 0);
	lua_xmove(L, t->co, 1);
	return 1;
}

static void resume(lua_State *L, struct il_task *t)
{
	struct il_task *outer = il_sched.current;
	lua_State *running = il_running;
	int results = 0, nargs = lua_status(t->co) == LUA_OK ? lua_gettop(t->co) - 1 : 0;
	il_sched.switches++;
	il_sched.current = t;
	t->status = IL_RUNNING;
	il_running = t->co;
	il_preempt();
	int status = lua_resume(t->co, L, nargs, &results);
	il_running = running;
	il_sched.current = outer;
	if (status == LUA_YIELD && il_is_waiting(t->co)) {
		lua_pop(t->co, 1);
		if (t->status == IL_RUNNING)
			t->status = IL_WAITS;
	} else {
		if (status != LUA_OK)
			results = bury(L, t, status == LUA_YIELD);
		end(L, t, results);
	}
	if (running)
		il_preempt();
}

/* A task that has served a callback serves the next one: pops the function and its arguments, pushes the task. */
static struct il_task *reuse_task(lua_State *L, int nargs)
{
	struct il_task *t = spare;
	luaL_checkstack(L, 4, NULL);
	if (!lua_checkstack(t->co, nargs + LUA_MINSTACK / 2))
		luaL_error(L, "not enough memory");
	spare = t->next;
	spares--;
	lua_pushcfunction(t->co, il_body);
	lua_xmove(L, t->co, nargs + 1);
	il_task_push(L, t);
	t->id = ++il_sched.tasks;
	t->cancelled = t->held = false;
	t->status = IL_READY;
	il_sched.alive++;
	il_sched.living++;
	return t;
}

struct il_task *il_task_prepare(lua_State *L, int nargs, void (*ended)(struct il_task *), void *owner, bool detached)
{
	struct il_task *t = spare ? reuse_task(L, nargs) : il_task_new(L, nargs);
	t->callback = true;
	t->ended = ended;
	t->owner = owner;
	t->detached = detached;
	if (detached)
		il_sched.alive--;
	return t;
}

void il_task_run(lua_State *L, struct il_task *t, struct il_event *e)
{
	il_event_withdraw(e);
	e->active = true;
	resume(L, t);
	e->active = false;
	lua_pop(L, 1);
}

bool il_task_push(lua_State *L, struct il_task *t)
{
	if (t->anchor == LUA_NOREF)
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors);
	lua_rawgeti(L, -1, t->anchor);
	lua_replace(L, -2);
	t->callback = false;
	return true;
}

void il_task_cancel(struct il_task *t)
{
	if (t->status >= IL_FINISHED)
		return;
	t->cancelled = true;
	if (!t->holds_on)
		il_wait_end(&t->wait, IL_CANCELLED);
}

/* Cancelled before it ever ran: it never will. */
static bool never_started(struct il_task *t)
{
	return t->cancelled && lua_status(t->co) == LUA_OK;
}

static void run_ready(lua_State *L)
{
	struct il_task *t;
	for (int n = 1; (t = pop_ready()); n++) {
		if (never_started(t)) {
			lua_settop(t->co, 0);
			lua_pushliteral(t->co, "cancelled");
			t->status = IL_FAILED;
			end(L, t, 1);
		} else {
			resume(L, t);
		}
		if (n % LOOK_EVERY == 0 && il_now() - polled > BATCH)
			break;
		if (il_sched.main_wait.state == IL_DONE)
			break;
	}
}

void il_turn(lua_State *L, int64_t until, bool (*wanted)(void))
{
	int err = il_loop_open(); /* first: a signal that comes after the check must be able to wake the loop */
	if (err)
		luaL_error(L, "the event loop failed: %s", strerror(err));
	il_check_interrupt(L);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	run_ready(L);
	if (!wanted()) {
		if (il_now() - polled <= BATCH)
			return;
		until = 0;
	}
	if (ready_first || il_events_due())
		until = 0;
	il_preempt_idle(until != 0);
	err = il_signal_arrived ? 0 : il_loop_poll(until);
	if (err)
		luaL_error(L, "the event loop failed: %s", strerror(err));
	polled = il_now();
	il_signal_drain();
	il_check_interrupt(L);
	il_events_run(L);
}

bool il_task_any_ready(void)
{
	return ready_first != NULL;
}

bool il_sched_alive(void)
{
	return il_sched.alive > 0 || il_events_due() || !il_list_empty(&il_loop.lingering);
}

void il_task_each(lua_State *L, void (*f)(lua_State *L, struct il_task *t, void *arg), void *arg)
{
	int top = lua_gettop(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors);
	for (lua_pushnil(L); lua_next(L, top + 1); lua_pop(L, 1)) {
		struct il_task *t = luaL_testudata(L, -1, IL_TASK_CLASS);
		if (t && t->status < IL_FINISHED)
			f(L, t, arg);
	}
	lua_settop(L, top);
}

void il_task_where(lua_State *L, struct il_task *t)
{
	lua_Debug ar;
	for (int level = 0; t->co && lua_getstack(t->co, level, &ar); level++)
		if (lua_getinfo(t->co, "Sl", &ar) && ar.currentline > 0) {
			lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
			return;
		}
	lua_pushliteral(L, "?");
}

/* A task that runs is on the C stack below us, so it must not be collected. */
static void drop(lua_State *L, struct il_task *t, void *quietly)
{
	bool runs = t->status == IL_RUNNING;
	il_wait_drop(&t->wait);
	il_op_clear(&t->op);
	t->status = IL_GONE;
	t->cancelled = true;
	if (runs || !t->co)
		return;
	if (*(bool *)quietly) {
		settle_holds(t, true);
		unanchor(L, t);
		return;
	}
	struct il_task *outer = il_sched.current;
	il_sched.current = t;
	lua_resetthread(t->co);
	lua_settop(t->co, 0);
	il_sched.current = outer;
	settle_holds(t, false);
}

void il_sched_drop(lua_State *L, bool quietly)
{
	il_wait_drop(&il_sched.main_wait);
	il_op_clear(&il_sched.main_op);
	il_task_each(L, drop, &quietly);
	if (!quietly)
		il_task_each(L, drop, &quietly); /* those that a `__close` made meanwhile */
	ready_first = NULL;
	ready_last = &ready_first;
	spare = NULL;
	spares = 0;
	il_sched.alive = il_sched.living = 0;
	il_sched.current = NULL;
	il_sched.turning = false;
	if (quietly)
		il_sched.failed = false;
}

void il_sched_forget(void)
{
	il_wait_drop(&il_sched.main_wait);
	il_op_clear(&il_sched.main_op);
	il_sched = (struct il_sched){ 0 };
	ready_first = NULL;
	ready_last = &ready_first;
	idle = 0;
	spare = NULL;
	spares = 0;
}

void il_task_traceback(lua_State *L, struct il_task *t)
{
	if (t->status != IL_FAILED || !t->co || t->results < 1) {
		lua_pushnil(L);
		return;
	}
	int error = -t->results;
	size_t size;
	const char *text = t->results > 1 ? lua_tolstring(t->co, error + 1, &size)
			 : lua_type(t->co, error) == LUA_TSTRING ? lua_tolstring(t->co, error, &size) : NULL;
	if (text)
		lua_pushlstring(L, text, size);
	else
		lua_pushliteral(L, "(error object is not a string)");
}
