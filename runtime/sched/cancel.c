/* SPDX-License-Identifier: MIT
 *
 * The value of a cancellation, see cancel.h. It is a userdata, so no user code makes another one or changes it, and no
 * position is put before it on its way. It is made once, so to raise it needs no memory.
 * A shield belongs to the coroutine that calls it, and ends as a `<close>` variable does. So it holds for a task that
 * has resumed this coroutine, while it runs or waits, and a generator that yields out of its shield takes it along.
 * Floor 3.
 */
#include "sched/cancel.h"
#include "sched/coroutine.h"
#include "sched/state.h"
#include "sched/task.h"

#include <lauxlib.h>

static char key, shields; /* of the registry, their addresses: the value; coroutine → how many shields, a weak table */

/* The value ---------------------------------------------------------------------------------------------- */

static int value__tostring(lua_State *L)
{
	lua_pushliteral(L, "cancelled");
	return 1;
}

/* Much code takes an error for a string: `"failed: " .. err`. */
static int value__concat(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	luaL_tolstring(L, 2, NULL);
	lua_concat(L, 2);
	return 1;
}

static const luaL_Reg value_meta[] = {
	{ "__tostring", value__tostring },
	{ "__concat", value__concat },
	{ NULL, NULL },
};

static void make_value(lua_State *L)
{
	il_sched()->cancelled = lua_newuserdatauv(L, 0, 0);
	luaL_newmetatable(L, "ipc.Cancelled");
	luaL_setfuncs(L, value_meta, 0);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	lua_setfield(L, -2, "cancelled");
}

void il_cancel_push(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
}

bool il_cancel_is(lua_State *L, int index)
{
	return lua_touserdata(L, index) == il_sched()->cancelled;
}

int il_cancel_raise(lua_State *L)
{
	il_cancel_push(L);
	return lua_error(L);
}

/* Shields ------------------------------------------------------------------------------------------------ */

/* Adds n to those of the coroutine that runs. */
static void count(lua_State *L, lua_Integer n)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &shields);
	lua_pushthread(L);
	lua_pushthread(L);
	lua_rawget(L, -3);
	lua_pushinteger(L, lua_tointeger(L, -1) + n);
	lua_replace(L, -2);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

static int end__close(lua_State *L)
{
	count(L, -1);
	return 0;
}

/* The table of shields, and in it at [1] a value whose only business is to be closed. */
static void make_shields(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, end__close);
	lua_setfield(L, -2, "__close");
	lua_setmetatable(L, -2);
	lua_rawseti(L, -2, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &shields);
}

static int shield_done(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L) - 1;
}

int il_cancel_shield(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &shields);
	lua_rawgeti(L, -1, 1);
	lua_insert(L, 1);
	lua_pop(L, 1);
	count(L, 0); /* now there is a place for the number, so to change it cannot raise */
	lua_toclose(L, 1);
	count(L, 1);
	il_sched()->shielded = true;
	lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, shield_done);
	return shield_done(L, LUA_OK, 0);
}

static bool is_shielded(lua_State *co)
{
	if (!lua_checkstack(co, 2))
		return false;
	lua_rawgetp(co, LUA_REGISTRYINDEX, &shields);
	lua_pushthread(co);
	lua_rawget(co, -2);
	bool is = lua_tointeger(co, -1) > 0;
	lua_pop(co, 2);
	return is;
}

bool il_cancel_shielded(const struct il_task *t)
{
	for (lua_State *co = il_sched()->shielded ? t->co : NULL; co; co = il_coroutine_resumed(co))
		if (is_shielded(co))
			return true;
	return false;
}

void il_cancel_open(lua_State *L)
{
	make_value(L);
	make_shields(L);
	il_sched()->shielded = false;
}
