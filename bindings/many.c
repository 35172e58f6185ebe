/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, see many.h. Floor 4.
 */
#include "many.h"
#include "bind.h"

#include <string.h>

enum { EXPECTED = 64 };

/* It is made for each of a list, so without printf. */
const char *il_many_name(lua_Integer index, char text[IL_MANY_NAME])
{
	static const char list[] = "messages[";
	char *at = text + IL_MANY_NAME;
	if (!index)
		return "message";
	*--at = 0;
	*--at = ']';
	for (; index; index /= 10)
		*--at = (char)('0' + index % 10);
	return memcpy(at - (sizeof list - 1), list, sizeof list - 1);
}

int il_many_hole(lua_State *L, int arg, lua_Integer i)
{
	return luaL_argerror(L, arg, lua_pushfstring(L, "messages[%I] is nil", (LUAI_UACINT)i));
}

/* Raises for the key at the top, which is behind n messages. */
static void check_key(lua_State *L, int arg, lua_Integer n)
{
	int isint = lua_isinteger(L, -1);
	lua_Integer i = lua_tointeger(L, -1);
	if (isint && i >= 1 && i <= n)
		return;
	if (isint && i > n)
		il_many_hole(L, arg, n + 1);
	lua_pushfstring(L, "messages must be a list, but has a field %s",
		lua_type(L, -1) == LUA_TSTRING ? lua_pushfstring(L, "'%s'", lua_tostring(L, -1))
					       : luaL_tolstring(L, -1, NULL));
	luaL_argerror(L, arg, lua_tostring(L, -1));
}

lua_Integer il_many_check_list(lua_State *L, int arg)
{
	luaL_checktype(L, arg, LUA_TTABLE);
	lua_Integer n = luaL_len(L, arg);
	if (lua_getmetatable(L, arg)) { /* it may say where its messages are */
		lua_pop(L, 1);
		return n;
	}
	lua_pushnil(L);
	if (n) {
		lua_pop(L, 1);
		lua_pushinteger(L, n);
	}
	while (lua_next(L, arg)) {
		lua_pop(L, 1);
		check_key(L, arg, n);
	}
	return n;
}

lua_Integer il_many_check_max(lua_State *L, int arg)
{
	return il_check_range(L, arg, 1, LUA_MAXINTEGER, "max");
}

int il_many_room(lua_Integer max)
{
	return max < EXPECTED ? (int)max : EXPECTED;
}

int il_many_collect(lua_State *L, lua_CFunction add, int lists, void *source, lua_Integer max)
{
	int top = lua_gettop(L), count = top - lists + 1;
	lua_pushcfunction(L, add);
	for (int i = lists; i <= top; i++)
		lua_pushvalue(L, i);
	lua_pushlightuserdata(L, source);
	lua_pushinteger(L, max);
	int status = lua_pcall(L, count + 2, 0, 0);
	if (status != LUA_OK && status != LUA_ERRMEM)
		return lua_error(L);
	lua_settop(L, top);
	return count;
}
