/* SPDX-License-Identifier: MIT
 *
 * Errors, see error.h. A message handler runs before anything else of Lua's does, so one error at a time has a text.
 * Floor 3.
 */
#include "sched/error.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

static char error, text; /* registry keys: their addresses */

bool il_is_script(const lua_Debug *ar)
{
	return strncmp(ar->source, "=ipc.", 5) == 0;
}

void il_where_user(lua_State *L, int level)
{
	lua_Debug ar;
	while (lua_getstack(L, level++, &ar))
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0 && !il_is_script(&ar)) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			return;
		}
	lua_pushliteral(L, "");
}

/* luaL_where, but for a script of ours. */
static void where(lua_State *L, int level)
{
	lua_Debug ar;
	if (lua_getstack(L, level, &ar) && lua_getinfo(L, "S", &ar) && il_is_script(&ar))
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

int il_error_raise_as(lua_State *L)
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

bool il_error_take_text(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	bool known = lua_rawgetp(L, LUA_REGISTRYINDEX, &error) != LUA_TNIL && lua_rawequal(L, index, -1);
	lua_pop(L, 1);
	if (!known)
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

static const char *line_after(const char *line)
{
	return line + 1 + strcspn(line + 1, "\n");
}

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static bool is_script_line(const char *line)
{
	return begins(line, "\n\tipc.");
}

/* Is the next line, but for those of C functions, one of a script? */
static bool leads_to_script(const char *line)
{
	while (begins(line, "\n\t[C]:"))
		line = line_after(line);
	return is_script_line(line);
}

/* What a script has called is left out, and what it was called by the user for appears as a function in C. */
static void add_line(luaL_Buffer *b, const char *line)
{
	const char *end = line_after(line), *what = strstr(line, ": in ");
	bool script = is_script_line(line);
	if ((script || begins(line, "\n\t[C]:")) && leads_to_script(end))
		return;
	if (!script || !what || what > end) {
		luaL_addlstring(b, line, (size_t)(end - line));
	} else if (begins(what, ": in function <")) {
		luaL_addstring(b, "\n\t[C]: in ?");
	} else {
		luaL_addstring(b, "\n\t[C]");
		luaL_addlstring(b, what, (size_t)(end - what));
	}
}

void il_traceback(lua_State *L, const char *message, int level)
{
	luaL_traceback(L, L, message, level);
	const char *line = lua_tostring(L, -1) + strlen(message);
	if (!strstr(line, "\n\tipc."))
		return;
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	luaL_addstring(&b, message);
	for (; *line; line = line_after(line))
		add_line(&b, line);
	luaL_pushresult(&b);
	lua_remove(L, -2);
}

void il_error_show(lua_State *L, int index, int level)
{
	if (il_error_take_text(L, index))
		return;
	il_traceback(L, describe(L, index), level);
	lua_remove(L, -2);
}
