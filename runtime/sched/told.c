/* SPDX-License-Identifier: MIT
 *
 * Told errors, see told.h. A message handler runs before anything else of Lua's does, so there is one at a time.
 * Floor 3.
 */
#include "sched/told.h"

#include <lauxlib.h>

static char error, text; /* registry keys: their addresses */

int il_told_raise(lua_State *L)
{
	lua_rawsetp(L, LUA_REGISTRYINDEX, &text);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &error);
	return lua_error(L);
}

static void forget(lua_State *L, const void *what)
{
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, what);
}

bool il_told(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	bool told = lua_rawgetp(L, LUA_REGISTRYINDEX, &error) != LUA_TNIL && lua_rawequal(L, index, -1);
	lua_pop(L, 1);
	if (!told)
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &text);
	forget(L, &error);
	forget(L, &text);
	return true;
}
