/* SPDX-License-Identifier: MIT
 *
 * The scripts of scripts/ipc: how the classes call them, and how they raise. Their errors are about a line of the
 * user's, never about one of their own. Floor 4.
 */
#include "script.h"
#include "bind.h"
#include "embed.h"
#include "option.h"
#include "owner.h"

#include <string.h>

static const struct il_embed *embedded(const char *name)
{
	const struct il_embed *e = il_embedded;
	while (strcmp(e->name, name) != 0)
		e++;
	return e;
}

void il_script_load(lua_State *L, int ipc, const char *name)
{
	const struct il_embed *e = embedded(name);
	luaL_checkstack(L, 8, NULL);
	lua_pushfstring(L, "=%s", name);
	if (luaL_loadbufferx(L, e->source, e->size, lua_tostring(L, -1), "t") != LUA_OK)
		lua_error(L);
	lua_replace(L, -2);
	lua_pushvalue(L, ipc);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	lua_call(L, 2, 1);
}

/* To read all scripts when the module is loaded would be half of what that takes. */
static void push_loaded(lua_State *L, const char *name)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.scripts");
	if (lua_getfield(L, -1, name) == LUA_TNIL) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, il_owner_key());
		lua_replace(L, -2);
		il_script_load(L, lua_gettop(L), name);
		lua_replace(L, -2);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, name);
	}
	lua_replace(L, -2);
}

void il_push_script(lua_State *L, const char *module, const char *name)
{
	push_loaded(L, module);
	lua_getfield(L, -1, name);
	lua_replace(L, -2);
}

/* script(name): what another script returns. */
static int script(lua_State *L)
{
	push_loaded(L, luaL_checkstring(L, 1));
	return 1;
}

/* where([level]): "file:line: " of what is at this level, as error has it; without one, of the user's line that called
 * a script. */
static int where(lua_State *L)
{
	if (lua_isinteger(L, 1))
		luaL_where(L, (int)lua_tointeger(L, 1));
	else
		il_where_user(L, 1);
	return 1;
}

/* fail(text): a mistake of the user's, with its line. */
static int fail(lua_State *L)
{
	luaL_checkstring(L, 1);
	lua_settop(L, 1);
	il_where_user(L, 1);
	lua_insert(L, 1);
	lua_concat(L, 2);
	return lua_error(L);
}

/* raise(error [, text]): as error(error, 0), but this text (the error itself) is all that is ever shown of it. */
static int raise(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_pushvalue(L, 1);
		lua_replace(L, 2);
	}
	if (lua_type(L, 2) == LUA_TSTRING)
		return il_error_raise_as(L);
	lua_settop(L, 1);
	return lua_error(L);
}

/* trace(error): for message handlers: the text of a string, or of what has one, with where it comes from. */
static int trace(lua_State *L)
{
	il_error_show(L, 1, 2);
	return 1;
}

static const luaL_Reg core[] = {
	{ "fail", fail },
	{ "options", il_script_options },
	{ "raise", raise },
	{ "script", script },
	{ "where", where },
	{ "trace", trace },
	{ NULL, NULL },
};

void il_script_open(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	luaL_setfuncs(L, core, 0);
	lua_pop(L, 1);
}
