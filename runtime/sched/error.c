/* SPDX-License-Identifier: MIT
 *
 * Errors, see error.h. A message handler runs before anything else of Lua's does, so there is one told error at a time.
 * Floor 3.
 */
#include "sched/error.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

static char error, text; /* registry keys: their addresses */

static bool is_script(const lua_Debug *ar)
{
	return strncmp(ar->source, "=ipc.", 5) == 0;
}

void il_where_user(lua_State *L, int level)
{
	lua_Debug ar;
	while (lua_getstack(L, level++, &ar))
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0 && !is_script(&ar)) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			return;
		}
	lua_pushliteral(L, "");
}

/* luaL_where, but for a script of ours. */
static void where(lua_State *L, int level)
{
	lua_Debug ar;
	if (lua_getstack(L, level, &ar) && lua_getinfo(L, "S", &ar) && is_script(&ar))
		il_where_user(L, level + 1);
	else
		luaL_where(L, level);
}

int il_error(lua_State *L, const char *format, ...)
{
	va_list args;
	where(L, 1);
	va_start(args, format);
	lua_pushvfstring(L, format, args);
	va_end(args);
	lua_concat(L, 2);
	return lua_error(L);
}

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

static int to_string(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

/* Pushes the text of an error object. */
static const char *describe(lua_State *L, int index)
{
	lua_pushcfunction(L, to_string);
	lua_pushvalue(L, index);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK)
		return lua_tostring(L, -1);
	lua_pop(L, 1);
	return lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
}

void il_error_show(lua_State *L, int index, int level)
{
	if (il_told(L, index))
		return;
	luaL_traceback(L, L, describe(L, index), level);
	lua_remove(L, -2);
}
