/* SPDX-License-Identifier: MIT
 *
 * The path to a part of a value, see path.h. Floor 4.
 */
#include "path.h"
#include "bind.h"

#include <string.h>

enum { MAX_NAME = 40, MAX_PATH = 200 };

static bool identifier(const char *name, size_t size)
{
	static const char digits[] = "0123456789",
			  all[] = "0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	return size > 0 && size <= MAX_NAME && !strchr(digits, name[0]) && strspn(name, all) == size;
}

/* ["a b"], with escapes, and cut when it is long. */
static void push_quoted(lua_State *L, const char *name, size_t size)
{
	char text[4 * MAX_NAME + 16], *p = text;
	p = stpcpy(p, "[\"");
	for (size_t i = 0; i < size && i < MAX_NAME; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c < ' ' || c == 0x7f) {
			*p++ = '\\';
			*p++ = (char)('0' + c / 100);
			*p++ = (char)('0' + c / 10 % 10);
			*p++ = (char)('0' + c % 10);
			continue;
		}
		if (c == '"' || c == '\\')
			*p++ = '\\';
		*p++ = (char)c;
	}
	strcpy(p, size > MAX_NAME ? "...\"]" : "\"]");
	lua_pushstring(L, text);
}

static void push_scalar(lua_State *L, int key, int type)
{
	if (type == LUA_TNUMBER && !lua_isinteger(L, key))
		il_push_number(L, lua_tonumber(L, key));
	else
		luaL_tolstring(L, key, NULL);
	lua_pushfstring(L, "[%s]", lua_tostring(L, -1));
	lua_replace(L, -2);
}

void il_path_prepend(lua_State *L)
{
	size_t size;
	int key = lua_absindex(L, -3), type = lua_type(L, key);
	const char *name = type == LUA_TSTRING ? lua_tolstring(L, key, &size) : NULL;
	if (name && identifier(name, size))
		lua_pushfstring(L, ".%s", name);
	else if (name)
		push_quoted(L, name, size);
	else if (type == LUA_TNUMBER || type == LUA_TBOOLEAN)
		push_scalar(L, key, type);
	else
		lua_pushfstring(L, "[a %s]", lua_typename(L, type));
	lua_pushfstring(L, "%s%s", lua_tostring(L, -1), lua_tostring(L, key + 2));
	const char *path = lua_tolstring(L, -1, &size);
	if (size > MAX_PATH) {
		lua_pushlstring(L, path, MAX_PATH);
		lua_pushfstring(L, "%s...", lua_tostring(L, -1));
	}
	lua_replace(L, key);
	lua_settop(L, key);
}

int il_path_refuse(lua_State *L, const char *what, const char *why)
{
	return il_error(L, "cannot encode %s%s: %s", what, lua_tostring(L, -1), why);
}
