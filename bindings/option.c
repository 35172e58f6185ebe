/* SPDX-License-Identifier: MIT
 *
 * Tables of options, see option.h. Floor 4.
 */
#include "option.h"
#include "bind.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static bool is_known(lua_State *L, int name, const char *const *names)
{
	size_t size;
	const char *given = lua_type(L, name) == LUA_TSTRING ? lua_tolstring(L, name, &size) : NULL;
	for (; given && *names; names++)
		if (strlen(*names) == size && memcmp(*names, given, size) == 0)
			return true;
	return false;
}

/* Pushes what is wrong with the name at the top; `where` is what stands before it. */
static const char *push_unknown(lua_State *L, const char *where, const char *const *names)
{
	luaL_Buffer text;
	if (lua_isstring(L, -1))
		lua_pushfstring(L, "unknown option '%s%s'; it knows ", where, lua_tostring(L, -1));
	else
		lua_pushfstring(L, "unknown option, a %s; it knows ", luaL_typename(L, -1));
	luaL_buffinit(L, &text);
	for (const char *const *name = names; *name; name++) {
		luaL_addstring(&text, name == names ? "" : ", ");
		luaL_addstring(&text, *name);
	}
	luaL_pushresult(&text);
	lua_concat(L, 2);
	return lua_tostring(L, -1);
}

/* Leaves the first name at the top that is not in the list; false and nothing: all are. */
static bool find_unknown(lua_State *L, int table, const char *const *names)
{
	for (lua_pushnil(L); lua_next(L, table);) {
		lua_pop(L, 1);
		if (!is_known(L, -1, names))
			return true;
	}
	return false;
}

static void push_copy(lua_State *L, int table, const char *const *names)
{
	lua_newtable(L);
	for (; *names; names++) {
		lua_getfield(L, table, *names);
		lua_setfield(L, -2, *names);
	}
}

void il_check_option_name(lua_State *L, int arg, const char *const *names)
{
	if (!is_known(L, -1, names))
		il_bad_argument(L, arg, push_unknown(L, "", names));
}

void il_options(lua_State *L, int arg, const char *const *names)
{
	if (lua_isnoneornil(L, arg))
		return;
	if (lua_type(L, arg) != LUA_TTABLE)
		il_bad_argument(L, arg, lua_pushfstring(L, "table expected, got %s", luaL_typename(L, arg)));
	if (find_unknown(L, arg, names))
		il_bad_argument(L, arg, push_unknown(L, "", names));
	push_copy(L, arg, names);
	lua_replace(L, arg);
}

int il_option(lua_State *L, int arg, const char *name)
{
	if (lua_isnoneornil(L, arg)) {
		lua_pushnil(L);
		return LUA_TNIL;
	}
	return lua_getfield(L, arg, name);
}

int il_option_refuse(lua_State *L, int arg, const char *wanted)
{
	bool text = lua_type(L, -1) == LUA_TSTRING;
	const char *got = text ? lua_pushfstring(L, "'%s'", lua_tostring(L, -1)) : il_got(L, lua_gettop(L));
	return il_bad_argument(L, arg, lua_pushfstring(L, "%s, got %s", wanted, got));
}

lua_Integer il_option_integer(lua_State *L, int arg, const char *name, lua_Integer low, lua_Integer high,
	const char *unit, lua_Integer otherwise)
{
	lua_Integer n = otherwise;
	int type = il_option(L, arg, name);
	if (type != LUA_TNIL) {
		int isnum;
		n = lua_tointegerx(L, -1, &isnum);
		if (type != LUA_TNUMBER || !isnum || n < low || n > high) {
			const char *wanted = lua_pushfstring(L, "%s must be from %I to %I%s%s", name, (LUAI_UACINT)low,
				(LUAI_UACINT)high, *unit ? " " : "", unit);
			lua_insert(L, -2);
			il_option_refuse(L, arg, wanted);
		}
	}
	lua_pop(L, 1);
	return n;
}

bool il_option_number(lua_State *L, int arg, const char *name, lua_Number *number)
{
	int type = il_option(L, arg, name);
	if (type == LUA_TNIL) {
		lua_pop(L, 1);
		return false;
	}
	*number = type == LUA_TNUMBER ? lua_tonumber(L, -1) : (lua_Number)NAN;
	return true;
}

int il_script_options(lua_State *L)
{
	const char *where = luaL_optstring(L, 3, "");
	size_t n = (size_t)lua_rawlen(L, 2);
	const char **names = lua_newuserdatauv(L, (n + 1) * sizeof *names, 0);
	for (size_t i = 0; i < n; i++) { /* the list keeps them */
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		names[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	names[n] = NULL;
	if (find_unknown(L, 1, names)) {
		push_unknown(L, where, names);
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	push_copy(L, 1, names);
	return 1;
}
