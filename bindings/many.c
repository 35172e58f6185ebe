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
