/* SPDX-License-Identifier: MIT
 *
 * coroutine.resume, wrap and close, see coroutine.h. A coroutine that yielded in order to wait has il_waiting on its
 * stack (suspend.h); it stays there for as long as it waits, so no other code can resume it by mistake.
 * Floor 3.
 */
#include "sched/coroutine.h"
#include "sched/await.h"
#include "sched/error.h"
#include "sched/preempt.h"
#include "sched/state.h"
#include "sched/suspend.h"

#include <lauxlib.h>
#include <lualib.h>

static int fail(lua_State *L, const char *message)
{
	lua_pushstring(L, message);
	return -1;
}

static int resumed_after_wait(lua_State *L, int status, lua_KContext raises);

/* Runs co with nargs of its own values; its results, or -1 and its error, are left on L. -2: it waits. */
static int run(lua_State *L, lua_State *co, int nargs)
{
	lua_State *running = il_sched()->running;
	int results;
	il_sched()->running = co;
	il_preempt_switch();
	int status = lua_resume(co, L, nargs, &results);
	il_sched()->running = running;
	il_preempt_switch();
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		return -1;
	}
	if (status == LUA_YIELD && il_is_waiting(co))
		return -2;
	if (!lua_checkstack(L, results + 1)) {
		lua_pop(co, results);
		return fail(L, "too many results to resume");
	}
	lua_xmove(co, L, results);
	return results;
}

/* What lies on the stack of a coroutine that is to start, above the function. */
static int own_arguments(lua_State *co)
{
	lua_Debug frame;
	return lua_getstack(co, 0, &frame) ? 0 : lua_gettop(co) - 1;
}

static int belongs(lua_State *L)
{
	return il_error(L, "the coroutine belongs to a task: only the scheduler resumes and closes it");
}

/* A task's own coroutine that has not begun. */
static bool is_new_task(lua_State *co)
{
	lua_CFunction entry = il_sched()->task_entry;
	return lua_status(co) == LUA_OK && entry && lua_tocfunction(co, 1) == entry;
}

/* A task's own coroutine, or one of a task's that waits, is not resumed. */
static int begin(lua_State *L, lua_State *co, int nargs)
{
	int status = lua_status(co);
	if (status == LUA_YIELD && il_is_waiting(co))
		return il_is_own(co) ? belongs(L) : fail(L, "cannot resume a coroutine that waits");
	if (status == LUA_OK && (lua_gettop(co) == 0 || il_is_own(co)))
		return fail(L, "cannot resume dead coroutine");
	if (is_new_task(co))
		return belongs(L);
	if (!lua_checkstack(co, nargs))
		return fail(L, "too many arguments to resume");
	int own = status == LUA_OK ? own_arguments(co) : 0;
	lua_xmove(L, co, nargs);
	return run(L, co, own + nargs);
}

/* The results of a run as those of wrap's function: an error goes on, with the position, as in lcorolib.c. */
static int wrap_results(lua_State *L, lua_State *co, int results)
{
	if (results >= 0)
		return results;
	int status = lua_status(co);
	if (status != LUA_OK && status != LUA_YIELD) {
		status = lua_resetthread(co); /* its `<close>` variables */
		lua_xmove(co, L, 1); /* the error that they may have replaced */
	}
	if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int resume_results(lua_State *L, int results)
{
	lua_pushboolean(L, results >= 0);
	lua_insert(L, results >= 0 ? -(results + 1) : -2);
	return results >= 0 ? results + 1 : 2;
}

/* Passes the wait on to the coroutine that resumed us. The coroutine is at index 1 for resume, in the upvalue for wrap.
 */
static int pass_on(lua_State *L, lua_KContext wraps)
{
	lua_settop(L, wraps ? 0 : 1);
	return il_suspend(L, wraps, resumed_after_wait);
}

static int finish(lua_State *L, lua_State *co, int results, bool wraps)
{
	if (results == -2)
		return pass_on(L, wraps);
	return wraps ? wrap_results(L, co, results) : resume_results(L, results);
}

static int resumed_after_wait(lua_State *L, int status, lua_KContext wraps)
{
	lua_State *co = lua_tothread(L, wraps ? lua_upvalueindex(1) : 1);
	(void)status;
	if (il_is_stranger(L))
		return il_send_away(L, wraps, resumed_after_wait);
	lua_settop(L, wraps ? 0 : 1);
	if (lua_status(co) != LUA_YIELD || !il_is_waiting(co)) /* closed while it waited */
		return finish(L, co, fail(L, "cannot resume dead coroutine"), wraps);
	lua_pop(co, 1);
	return finish(L, co, run(L, co, 0), wraps);
}

static int coroutine_resume(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	luaL_argexpected(L, co, 1, "thread");
	return finish(L, co, begin(L, co, lua_gettop(L) - 1), false);
}

/* A task's that has left its results on the stack. */
static bool has_ended(lua_State *co)
{
	return lua_status(co) == LUA_OK && lua_gettop(co) > 0 && il_is_own(co);
}

/* What waits may be in the middle of an operation, and its task waits with it. The rest is the standard function's. */
static int coroutine_close(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	luaL_argexpected(L, co, 1, "thread");
	if (il_is_waiting(co) && lua_status(co) == LUA_YIELD)
		return il_is_own(co) ? belongs(L) : il_error(L, "cannot close a coroutine that waits");
	if (is_new_task(co))
		return belongs(L);
	if (has_ended(co)) {
		lua_pushboolean(L, 1);
		return 1;
	}
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int coroutine_status(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	if (!co || !has_ended(co))
		return lua_tocfunction(L, lua_upvalueindex(1))(L);
	lua_pushliteral(L, "dead");
	return 1;
}

static int wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	return finish(L, co, begin(L, co, lua_gettop(L)), true);
}

static int base_done(lua_State *L, int status, lua_KContext context)
{
	(void)context;
	return status == LUA_OK || status == LUA_YIELD ? lua_gettop(L) : lua_error(L);
}

/* An error that leaves the coroutine closes its `<close>` variables here, where they can wait; in lua_resetthread they
 * could not, and the tasks of a scope would outlive it. A program that does not use ipc does without: the base is one
 * more frame of its tracebacks. */
static int base(lua_State *L)
{
	return base_done(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, base_done), 0);
}

static int coroutine_wrap(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_State *co = lua_newthread(L);
	if (il_sched()->open)
		lua_pushcfunction(L, base);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, il_sched()->open ? 2 : 1);
	lua_pushcclosure(L, wrapped, 1);
	return 1;
}

/* While the other one runs, the frame of our function is on top here. */
lua_State *il_coroutine_resumed(lua_State *co)
{
	lua_Debug frame;
	int top = lua_gettop(co);
	if (!lua_checkstack(co, 2) || !lua_getstack(co, 0, &frame))
		return NULL;
	lua_getinfo(co, "f", &frame);
	lua_CFunction function = lua_tocfunction(co, -1);
	if (function == wrapped)
		lua_getupvalue(co, -1, 1);
	else if (function == coroutine_resume)
		lua_getlocal(co, &frame, 1);
	else
		lua_pushnil(co);
	lua_State *resumed = lua_tothread(co, -1);
	lua_settop(co, top);
	return resumed;
}

static const luaL_Reg functions[] = {
	{ "resume", coroutine_resume },
	{ "wrap", coroutine_wrap },
	{ NULL, NULL },
};

/* Ours has the standard one as an upvalue. */
static void put_before(lua_State *L, const char *name, lua_CFunction ours)
{
	lua_getfield(L, -1, name);
	if (lua_iscfunction(L, -1) && lua_tocfunction(L, -1) != ours) {
		lua_pushcclosure(L, ours, 1);
		lua_setfield(L, -2, name);
	} else {
		lua_pop(L, 1);
	}
}

/* Into the table at the top, which has the standard functions, or ours. */
static void put(lua_State *L)
{
	luaL_setfuncs(L, functions, 0);
	put_before(L, "close", coroutine_close);
	put_before(L, "status", coroutine_status);
}

/* Not again: a tool may have put something before them meanwhile. */
void il_coroutine_install(lua_State *L)
{
	if (lua_getglobal(L, LUA_COLIBNAME) == LUA_TTABLE) {
		lua_getfield(L, -1, "resume");
		bool done = lua_tocfunction(L, -1) == coroutine_resume;
		lua_pop(L, 1);
		if (!done)
			put(L);
	}
	lua_pop(L, 1);
	il_preempt_open(L);
}

static int install(lua_State *L)
{
	il_coroutine_install(L);
	return 0;
}

int il_coroutine_open(lua_State *L)
{
	lua_newtable(L);
	luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 0);
	for (lua_pushnil(L); lua_next(L, -2);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -5);
	}
	lua_pop(L, 1);
	put(L);
	lua_pushcfunction(L, install);
	lua_setfield(L, -2, "install");
	return 1;
}
