/* SPDX-License-Identifier: MIT
 *
 * The base of a task's stack, see task_entry.h. The traceback has to be taken where the error is raised, before the
 * stack is unwound, and is wanted when the task has ended; until then a table has it, by coroutine. Floor 3.
 */
#include "sched/task_entry.h"
#include "sched/cancel.h"
#include "sched/error.h"
#include "sched/state.h"
#include "sched/task.h"

#include <lauxlib.h>

static char failures; /* registry key, its address: coroutine → traceback; [1]: the message for an illegal yield */

/* Keeps the traceback of the coroutine. The error itself stays as it is: `<close>` variables are still to see it. */
static int traceback(lua_State *L)
{
	if (il_cancel_is(L, 1))
		return 1;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &failures);
	lua_pushthread(L);
	il_error_show(L, 1, 1);
	lua_rawset(L, -3);
	lua_settop(L, 1);
	return 1;
}

/* Pushes the traceback that is kept for this coroutine, and forgets it; false and nothing without. */
static bool take_traceback(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &failures);
	lua_pushthread(L);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		lua_pop(L, 2);
		return false;
	}
	lua_pushthread(L);
	lua_pushnil(L);
	lua_rawset(L, -4);
	lua_remove(L, -2);
	return true;
}

/* The scheduler has resumed it. */
static bool is_own(const lua_State *L)
{
	return il_sched()->current && il_sched()->current->co == L;
}

/* What is below a task's function: a guard where programs have stock coroutine.close, and the message handler. */
static int below(void)
{
	return il_sched()->guarded ? 1 : 2;
}

static int entry_done(lua_State *L, int status, lua_KContext context)
{
	(void)context;
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - below();
	il_sched()->current->status = IL_FAILED;
	return take_traceback(L) ? 2 : 1;
}

/* __close of the guard: the task has ended, or its coroutine is being closed. */
static int guard__close(lua_State *L)
{
	if (!is_own(L))
		il_task_closed(L);
	return 0;
}

/* The base of every task's stack: the message handler, the task's function and its arguments → its results, or the
 * error and the traceback, if there is one, and the task is IL_FAILED. Protected, and by a call that can be suspended:
 * so a
 * `<close>` variable may wait while an error unwinds. */
static int entry(lua_State *L)
{
	if (!il_sched()->guarded) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, il_sched()->task_guard);
		lua_insert(L, 1);
		lua_toclose(L, 1);
	}
	int status = lua_pcallk(L, lua_gettop(L) - below() - 1, LUA_MULTRET, below(), 0, entry_done);
	return entry_done(L, status, 0);
}

static int let_go(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	if (is_own(L))
		return 0;
	lua_pushnil(L);
	lua_pushliteral(L, "the coroutine belongs to a task: only the scheduler resumes it");
	return lua_yieldk(L, 2, 0, let_go);
}

/* What stock coroutine.resume calls, if it comes first. */
static int sentinel(lua_State *L)
{
	return let_go(L, LUA_OK, 0);
}

void il_task_entry_open(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, guard__close);
	lua_setfield(L, -2, "__close");
	lua_pushvalue(L, -1);
	lua_setmetatable(L, -2);
	il_sched()->task_guard = luaL_ref(L, LUA_REGISTRYINDEX);
	il_sched()->task_entry = entry;
	lua_newtable(L);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_pushvalue(L, -1);
	lua_setmetatable(L, -2);
	lua_pushliteral(L, "coroutine.yield in a task: use ipc.yield, or yield in a coroutine of your own");
	lua_rawseti(L, -2, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &failures);
}

void il_task_entry_prepare(lua_State *L, lua_State *co, int nargs)
{
	lua_pushcfunction(co, entry);
	lua_pushcfunction(co, traceback);
	lua_xmove(L, co, nargs + 1);
	if (!il_sched()->guarded)
		lua_pushcfunction(co, sentinel);
}

int il_task_entry_begin(lua_State *L, lua_State *co)
{
	int results;
	if (!il_sched()->guarded && lua_status(co) == LUA_OK)
		lua_pop(co, 1);
	else if (!il_sched()->guarded)
		lua_resume(co, L, 0, &results); /* it ends, with what is below it */
	return lua_gettop(co) - 1;
}

void il_task_entry_fail(lua_State *L, struct il_task *t, bool illegal_yield)
{
	t->status = IL_FAILED;
	if (illegal_yield) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &failures);
		lua_rawgeti(L, -1, 1);
		lua_replace(L, -2);
	} else {
		lua_xmove(t->co, L, 1);
	}
	lua_resetthread(t->co);
	lua_settop(t->co, 0);
	lua_xmove(L, t->co, 1);
	t->results = 1;
}
