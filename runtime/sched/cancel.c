/* SPDX-License-Identifier: MIT
 *
 * The value of a cancellation, see cancel.h. It is a userdata, so no user code makes another one or changes it, and no
 * position is put before it on its way. It is made once, so to raise it needs no memory.
 * Floor 3.
 */
#include "sched/cancel.h"

#include <lauxlib.h>

static char key; /* of the registry, its address: keeps the value */
static const void *value;

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

static const luaL_Reg meta[] = { { "__tostring", value__tostring }, { "__concat", value__concat }, { NULL, NULL } };

void il_cancel_open(lua_State *L)
{
	value = lua_newuserdatauv(L, 0, 0);
	luaL_newmetatable(L, "ipc.Cancelled");
	luaL_setfuncs(L, meta, 0);
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
	return lua_touserdata(L, index) == value;
}

int il_cancel_raise(lua_State *L)
{
	il_cancel_push(L);
	return lua_error(L);
}
