/* SPDX-License-Identifier: MIT
 *
 * Tasks, see task.h: how they are made and end, and what they are asked. What a task runs in is task_entry.c, and
 * sched.c has it run. Each has a coroutine of its own, which nothing uses again: programs and libraries keep things by
 * it. What a task returned stays on its coroutine's stack until the task is collected. Floor 3.
 */
#include "sched/task.h"
#include "os/board.h"
#include "sched/await.h"
#include "sched/cancel.h"
#include "sched/error.h"
#include "sched/hook.h"
#include "sched/run_queue.h"
#include "sched/state.h"
#include "sched/suspend.h"
#include "sched/task_entry.h"
#include "sched/turn.h"

#include <lauxlib.h>
#include <string.h>

enum { MOST_UNUSED = 16 };

const char il_task_class[] = "ipc.Task";

void il_tasks_open(lua_State *L)
{
	lua_newtable(L);
	il_sched()->task_list = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_newmetatable(L, il_task_class);
	il_sched()->task_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
	il_sched()->places = il_sched()->free_place = 0;
	il_task_entry_open(L);
}

/* Pushes the list of the tasks that have not ended. */
static void push_list(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, il_sched()->task_list);
}

/* Pushes a coroutine for a function and nargs arguments, with the hook of its maker. */
static lua_State *new_coroutine(lua_State *L, lua_State *maker, int nargs)
{
	lua_State *co = lua_newthread(L);
	if (nargs > LUA_MINSTACK / 2 && !lua_checkstack(co, nargs + LUA_MINSTACK / 2)) /* it has LUA_MINSTACK */
		il_error(L, "too many arguments for a task");
	il_hook_hand_on(L, maker, co);
	return co;
}

/* Stack: the function, nargs arguments, the task, its coroutine → the task. Does not raise. */
static void begin(lua_State *L, struct il_task *t, lua_State *co, int nargs)
{
	struct il_sched *s = il_sched();
	t->co = co;
	lua_setiuservalue(L, -2, 1);
	lua_insert(L, -nargs - 2);
	il_task_entry_prepare(L, co, nargs);
	t->id = ++s->tasks;
	t->beginnings = il_fork.beginnings;
	t->begun = t->closed = false;
	t->calls = IL_FIRST_CALLS;
	t->interrupt = 0;
	t->status = IL_READY;
	s->alive++;
	s->living++;
}

/* As luaL_ref and luaL_unref, but in a third of the time. Stack: the task, its coroutine. */
static void ref(lua_State *L, struct il_task *t)
{
	struct il_sched *s = il_sched();
	int place = s->free_place, next = 0;
	push_list(L);
	if (place) {
		lua_rawgeti(L, -1, place);
		next = (int)lua_tointeger(L, -1);
		lua_pop(L, 1);
	}
	lua_pushvalue(L, -3);
	lua_rawseti(L, -2, place ? place : s->places + 1);
	lua_pop(L, 1);
	t->ref = place ? place : ++s->places;
	s->free_place = next;
}

/* Stack: the list. */
static void unref(lua_State *L, struct il_task *t)
{
	lua_pushinteger(L, il_sched()->free_place);
	lua_rawseti(L, -2, t->ref);
	il_sched()->free_place = t->ref;
	t->ref = 0;
}

static struct il_task *new (lua_State *L, lua_State *maker, int nargs, int name)
{
	size_t size = name ? lua_rawlen(L, name) + 1 : 0;
	struct il_task *t = lua_newuserdatauv(L, sizeof *t + size, 1);
	memset(t, 0, sizeof *t);
	if (name)
		memcpy(t->name, lua_tostring(L, name), size);
	t->named = name;
	t->object.class = il_task_class;
	t->status = IL_GONE;
	t->wait.wake = il_run_queue_wake;
	il_list_init(&t->joiners);
	il_list_init(&t->holds);
	lua_rawgeti(L, LUA_REGISTRYINDEX, il_sched()->task_metatable);
	lua_setmetatable(L, -2);
	lua_State *co = new_coroutine(L, maker, nargs);
	ref(L, t);
	begin(L, t, co, nargs);
	return t;
}

struct il_task *il_task_new(lua_State *L, int nargs, int name)
{
	return new (L, L, nargs, name);
}

static void report(lua_State *L, struct il_task *t)
{
	il_sched()->failed = true;
	if (!lua_checkstack(L, 6))
		return;
	il_task_traceback(L, t);
	const char *text = lua_tostring(L, -1);
	lua_writestringerror("ipc: task %s\n", text ? text : "failed: not enough memory");
	lua_pop(L, 1);
}

/* What it returned stays on its coroutine's stack, with a token above that says whose it is; a coroutine without any
 * goes at once. */
static void release(lua_State *L, struct il_task *t)
{
	if (t->results && lua_checkstack(t->co, 1))
		lua_pushlightuserdata(t->co, (void *)&il_waiting[1]);
	if (!t->ref || !lua_checkstack(L, 3))
		return;
	push_list(L);
	if (!t->results) {
		lua_rawgeti(L, -1, t->ref);
		lua_pushnil(L);
		lua_setiuservalue(L, -2, 1);
		lua_pop(L, 1);
		t->co = NULL;
	}
	unref(L, t);
	lua_pop(L, 1);
}

/* Keeps the task of a callback for the next one. */
static bool keep_task(struct il_task *t)
{
	if (!t->callback || t->status != IL_FINISHED || il_sched()->unused_count >= MOST_UNUSED)
		return false;
	t->next = il_sched()->unused;
	il_sched()->unused = t;
	il_sched()->unused_count++;
	return true;
}

static void finalize_holds(struct il_task *t)
{
	il_list_drain(struct il_hold, h, &t->holds, node)
		h->type->ended(h, t->status != IL_FINISHED);
}

void il_task_end(lua_State *L, struct il_task *t)
{
	bool joined = !il_list_empty(&t->joiners);
	il_sched()->living--;
	if (t->ending)
		il_sched()->ending--;
	if (t->status < IL_FINISHED)
		t->status = IL_FINISHED;
	else if (t->status == IL_FAILED && il_cancel_is(t->co, 1))
		t->status = IL_GONE;
	if (!t->detached)
		il_sched_release();
	finalize_holds(t);
	if (t->status == IL_FAILED && !joined && !t->held)
		report(L, t);
	il_op_clear(&t->op);
	il_op_finish_all(&t->joiners, 0);
	if (t->board) {
		il_board_give(t->board);
		t->board = 0;
	}
	if (t->ended)
		t->ended(t);
	if (!keep_task(t))
		release(L, t);
}

/* A task that has served a callback serves the next one: pops the function and its arguments, pushes the task. A
 * callback interrupts whatever runs; its hook is the main chunk's. */
static struct il_task *reuse_task(lua_State *L, int nargs)
{
	lua_State *co = new_coroutine(L, il_sched()->main, nargs);
	struct il_task *t = il_sched()->unused;
	il_sched()->unused = t->next;
	il_sched()->unused_count--;
	il_task_push(L, t);
	lua_insert(L, -2);
	begin(L, t, co, nargs);
	t->cancelled = t->notified = t->held = false;
	return t;
}

struct il_task *il_task_prepare(lua_State *L, int nargs, void (*ended)(struct il_task *), void *owner, bool detached)
{
	luaL_checkstack(L, 6, "too many arguments");
	struct il_task *t = il_sched()->unused ? reuse_task(L, nargs) : new (L, il_sched()->main, nargs, 0);
	t->callback = true;
	t->ended = ended;
	t->owner = owner;
	t->detached = detached;
	if (detached)
		il_sched()->alive--;
	return t;
}

bool il_task_push(lua_State *L, struct il_task *t)
{
	if (!t->ref)
		return false;
	push_list(L);
	lua_rawgeti(L, -1, t->ref);
	lua_replace(L, -2);
	t->callback = false;
	return true;
}

void il_task_cancel(struct il_task *t)
{
	if (t->status >= IL_FINISHED)
		return;
	t->cancelled = true;
	if (t->wait.state == IL_WAITING && !t->uncancellable && !il_cancel_shielded(t))
		il_wait_end(&t->wait, IL_CANCELLED);
}

void il_task_each(lua_State *L, void (*f)(lua_State *L, struct il_task *t, void *arg), void *arg)
{
	int top = lua_gettop(L);
	push_list(L);
	for (lua_pushnil(L); lua_next(L, top + 1); lua_pop(L, 1)) {
		struct il_task *t = il_test_object(L, -1, il_task_class);
		if (t && t->status < IL_FINISHED)
			f(L, t, arg);
	}
	lua_settop(L, top);
}

struct search {
	lua_State *co;
	struct il_task *found;
};

static void compare(lua_State *L, struct il_task *t, void *arg)
{
	struct search *s = arg;
	(void)L;
	if (t->co == s->co)
		s->found = t;
}

void il_task_closed(lua_State *co)
{
	struct search s = { .co = co };
	il_task_each(co, compare, &s);
	if (!s.found)
		return;
	s.found->closed = true;
	il_wait_drop(&s.found->wait);
	if (s.found->status == IL_WAITS)
		il_run_queue_add(s.found);
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
static void drop(lua_State *L, struct il_task *t, void *arg)
{
	bool runs = t->status == IL_RUNNING;
	(void)arg;
	il_wait_drop(&t->wait);
	il_op_clear(&t->op);
	t->status = IL_GONE;
	t->cancelled = true;
	if (runs || !t->co)
		return;
	struct il_task *outer = il_sched()->current;
	il_sched()->current = t;
	if (lua_resetthread(t->co) != LUA_OK && !il_cancel_is(t->co, -1)) {
		t->status = IL_FAILED;
		t->results = 1;
		report(L, t);
		t->status = IL_GONE;
	}
	lua_settop(t->co, 0);
	il_sched()->current = outer;
	finalize_holds(t);
}

/* The second time those that a `__close` made meanwhile. */
void il_tasks_drop(lua_State *L)
{
	il_task_each(L, drop, NULL);
	il_task_each(L, drop, NULL);
	il_tasks_forget();
}

void il_tasks_prepare_fork(lua_State *L)
{
	if (il_sched()->next_list)
		return;
	lua_newtable(L);
	il_sched()->next_list = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The tasks of the parent stay where they are, and in their list, since to change each takes a copy of its page of
 * memory. Nothing runs or finds them any more, but handles that Lua has. */
void il_tasks_leave(void)
{
	struct il_sched *s = il_sched();
	s->task_list = s->next_list;
	s->next_list = s->places = s->free_place = 0;
	il_tasks_forget();
}

void il_task_inherit(struct il_task *t)
{
	t->beginnings = il_fork.beginnings;
	if (t->status >= IL_FINISHED)
		return;
	t->wait.state = IL_IDLE;
	t->board = 0;
	t->status = IL_GONE;
	t->cancelled = true;
}

void il_tasks_forget(void)
{
	il_sched()->unused = NULL;
	il_sched()->unused_count = 0;
}

void il_task_traceback(lua_State *L, struct il_task *t)
{
	if (t->status != IL_FAILED || !t->co || lua_gettop(t->co) < t->results) {
		lua_pushnil(L);
		return;
	}
	size_t size;
	const char *text = t->results > 1           ? lua_tolstring(t->co, 2, &size)
		: lua_type(t->co, 1) == LUA_TSTRING ? lua_tolstring(t->co, 1, &size)
						    : NULL;
	if (text)
		lua_pushlstring(L, text, size);
	else
		lua_pushliteral(L, "(error object is not a string)");
	if (t->named) {
		lua_pushfstring(L, "\n\t[task '%s']", t->name);
		lua_concat(L, 2);
	}
}
