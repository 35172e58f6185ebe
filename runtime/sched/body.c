/* SPDX-License-Identifier: MIT
 *
 * The base of a task's stack, see body.h. The traceback has to be taken where the error is raised, before the stack is
 * unwound, and is wanted when the task has ended; until then a table has it, by coroutine.
 * Floor 3.
 */
#include "sched/body.h"
#include "sched/cancel.h"
#include "sched/task.h"
#include "sched/error.h"

#include <lauxlib.h>

static char failures; /* registry key, its address: coroutine → traceback; [1]: the message for a stray yield */

void il_body_open(lua_State *L)
{
	lua_newtable(L);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_pushvalue(L, -1);
	lua_setmetatable(L, -2);
	lua_pushliteral(L, "coroutine.yield in a task: use ipc.yield, or yield in a coroutine of your own");
	lua_rawseti(L, -2, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &failures);
}

void il_body_push_stray(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &failures);
	lua_rawgeti(L, -1, 1);
	lua_replace(L, -2);
}

static int to_string(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

/* Pushes the text of an error object. A __tostring that fails must not take the error's place. */
static const char *describe(lua_State *L, int index)
{
	lua_pushcfunction(L, to_string);
	lua_pushvalue(L, index);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK)
		return lua_tostring(L, -1);
	lua_pop(L, 1);
	return lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
}

/* Keeps the traceback of the coroutine. The error itself stays as it is: `<close>` variables are still to see it. */
static int traceback(lua_State *L)
{
	if (il_cancel_is(L, 1))
		return 1;
	const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : describe(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &failures);
	lua_pushthread(L);
	if (!il_told(L, 1))
		luaL_traceback(L, L, text, 1);
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

static int body_done(lua_State *L, int status, lua_KContext context)
{
	(void)context;
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - 1;
	il_sched.current->status = IL_FAILED;
	return take_traceback(L) ? 2 : 1;
}

int il_body(lua_State *L)
{
	lua_pushcfunction(L, traceback);
	lua_insert(L, 1);
	int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_done);
	return body_done(L, status, 0);
}
