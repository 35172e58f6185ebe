/* SPDX-License-Identifier: MIT
 *
 * Empty arrays, see array.h. Floor 4.
 */
#include "array.h"

#include <lauxlib.h>
#include <string.h>

static char mark; /* its address: the metatable in the registry */

static const char type_field[] = "__jsontype"; /* as dkjson has it */

static int is_constant(lua_State *L)
{
	return luaL_error(L, "ipc.empty_array cannot be changed: it is one table for all");
}

static void push_metatable(lua_State *L, const char *name)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__name");
	lua_pushliteral(L, "array");
	lua_setfield(L, -2, type_field);
}

void il_array_push(lua_State *L)
{
	lua_createtable(L, 0, 0);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &mark);
	lua_setmetatable(L, -2);
}

void il_array_open(lua_State *L)
{
	push_metatable(L, "ipc.array");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &mark);
	lua_createtable(L, 0, 0);
	push_metatable(L, "ipc.empty_array");
	lua_pushcfunction(L, is_constant);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "empty_array");
}

/* Is the value at the top the field of a loaded lua-cjson? No metamethod of anybody's is called. */
static bool is_of_cjson(lua_State *L, const char *field)
{
	int value = lua_gettop(L);
	const char *const names[] = { LUA_LOADED_TABLE, "cjson", field };
	lua_pushvalue(L, LUA_REGISTRYINDEX);
	for (size_t i = 0; i < sizeof names / sizeof names[0] && lua_istable(L, -1); i++) {
		lua_pushstring(L, names[i]);
		lua_rawget(L, -2);
	}
	bool same = lua_rawequal(L, -1, value);
	lua_settop(L, value);
	return same;
}

bool il_array_is_marked(lua_State *L, int table)
{
	int top = lua_gettop(L);
	if (!lua_getmetatable(L, table))
		return false;
	lua_pushstring(L, type_field);
	bool marked = lua_rawget(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "array") == 0;
	lua_pop(L, 1);
	if (!marked)
		marked = is_of_cjson(L, "array_mt") || is_of_cjson(L, "empty_array_mt");
	lua_settop(L, top);
	return marked;
}

bool il_array_is_foreign(lua_State *L, int value)
{
	lua_pushvalue(L, value);
	bool foreign = is_of_cjson(L, "empty_array");
	lua_pop(L, 1);
	return foreign;
}
