/* SPDX-License-Identifier: MIT
 *
 * Helpers of all classes, see bind.h. Floor 4.
 */
#include "bind.h"
#include "base/number.h"
#include "base/reason.h"
#include "os/process.h"
#include "os/signal.h"
#include "sched/park.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static char objects; /* registry key of a weak table: address → userdata */

void il_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta,
	const struct il_cases *cases)
{
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, meta, 0);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	if (cases) {
		il_select_class(L, cases);
		il_park_class(name, cases);
	}
	lua_pop(L, 1);
}

/* The table of methods stays reachable as __methods. */
void il_fields(lua_State *L, const char *name, lua_CFunction index)
{
	luaL_getmetatable(L, name);
	lua_getfield(L, -1, "__index");
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "__methods");
	lua_pushcclosure(L, index, 1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

int il_fail(lua_State *L, int err, const char *format, ...)
{
	va_list args;
	lua_pushnil(L);
	va_start(args, format);
	lua_pushvfstring(L, format, args);
	va_end(args);
	lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), il_reason(err));
	lua_replace(L, -2);
	lua_pushinteger(L, err);
	return 3;
}

bool il_collect(lua_State *L, int err, bool *collected)
{
	bool again = !*collected && (il_is_shortage(err) || err == ENOSPC);
	*collected = true;
	if (!again)
		return false;
	il_processes_reap();
	lua_gc(L, LUA_GCCOLLECT);
	return true;
}

int il_word(lua_State *L, const char *word)
{
	lua_pushnil(L);
	lua_pushstring(L, word);
	return 2;
}

/* A message that is nil would end the loop as if there were no more. */
int il_next_message(lua_State *L, int n)
{
	int first = lua_gettop(L) - n + 1;
	if (!lua_isnil(L, first))
		return n;
	if (n == 1 || lua_type(L, first + 1) != LUA_TSTRING)
		return il_error(L, "a message is nil, which would end the loop: use receive");
	const char *why = lua_tostring(L, first + 1);
	if (strcmp(why, "closed") == 0 || strcmp(why, "removed") == 0)
		return 0;
	return il_error(L, "%s", why);
}

void il_push_number(lua_State *L, lua_Number n)
{
	char text[40];
	il_number_write(text, sizeof text, 14, n);
	lua_pushfstring(L, text[strspn(text, "-0123456789")] ? "%s" : "%s.0", text);
}

static bool is_called_by_script(lua_State *L, lua_Debug *caller)
{
	return lua_getstack(L, 1, caller) && lua_getinfo(L, "Sn", caller) && strncmp(caller->source, "=ipc.", 5) == 0;
}

int il_bad_argument(lua_State *L, int arg, const char *text)
{
	lua_Debug caller;
	if (!is_called_by_script(L, &caller) || !caller.name)
		return luaL_argerror(L, arg, text);
	if (strcmp(caller.namewhat, "method") == 0)
		arg--;
	return il_error(L, "bad argument #%d to '%s' (%s)", arg, caller.name, text);
}

void il_check_last(lua_State *L, int arg, const char *why)
{
	if (lua_gettop(L) > arg)
		luaL_argerror(L, arg + 1, why);
}

int il_missing(lua_State *L, int arg, const char *noun, const char *wanted)
{
	bool reason = lua_isnil(L, arg) && lua_type(L, arg + 1) == LUA_TSTRING && lua_isinteger(L, arg + 2);
	if (!reason)
		return luaL_typeerror(L, arg, wanted);
	return luaL_argerror(L, arg, lua_pushfstring(L, "no %s: %s", noun, lua_tostring(L, arg + 1)));
}

const char *il_got(lua_State *L, int arg)
{
	return lua_type(L, arg) == LUA_TNUMBER ? luaL_tolstring(L, arg, NULL) : luaL_typename(L, arg);
}

static int out_of_range(lua_State *L, int arg, lua_Integer low, lua_Integer high, const char *what)
{
	int isnum;
	lua_Integer n = lua_tointegerx(L, arg, &isnum);
	const char *text;
	if (!isnum)
		text = lua_pushfstring(L, "%s must be an integer, got %s", what, il_got(L, arg));
	else if (high == LUA_MAXINTEGER)
		text = lua_pushfstring(L, "%s must be %I or more, got %I", what, (LUAI_UACINT)low, (LUAI_UACINT)n);
	else
		text = lua_pushfstring(L, "%s must be from %I to %I, got %I", what, (LUAI_UACINT)low, (LUAI_UACINT)high,
			(LUAI_UACINT)n);
	return il_bad_argument(L, arg, text);
}

lua_Integer il_check_range(lua_State *L, int arg, lua_Integer low, lua_Integer high, const char *what)
{
	int isnum;
	lua_Integer n = lua_tointegerx(L, arg, &isnum);
	if (!isnum || n < low || n > high)
		return out_of_range(L, arg, low, high, what);
	return n;
}

const char *il_check_text(lua_State *L, int arg, const char *what)
{
	size_t length;
	const char *text = luaL_checklstring(L, arg, &length);
	if (strlen(text) != length)
		luaL_argerror(L, arg, lua_pushfstring(L, "%s has a zero byte", what));
	return text;
}

void il_push_counters(lua_State *L, const struct il_counter *counters, size_t count)
{
	lua_createtable(L, 0, (int)count);
	for (size_t i = 0; i < count; i++) {
		lua_pushinteger(L, counters[i].value);
		lua_setfield(L, -2, counters[i].name);
	}
}

int il_check_signal(lua_State *L, int arg)
{
	int number = 0;
	if (lua_type(L, arg) == LUA_TSTRING) {
		number = il_signal_number(lua_tostring(L, arg));
		if (!number)
			luaL_argerror(L, arg, lua_pushfstring(L, "no signal is named '%s'", lua_tostring(L, arg)));
	} else {
		int isnum;
		lua_Integer n = lua_tointegerx(L, arg, &isnum);
		if (!isnum)
			luaL_typeerror(L, arg, "a signal's name or number");
		if (n < 1 || n > 64 || !il_signal_name((int)n))
			luaL_argerror(L, arg, lua_pushfstring(L, "no signal has the number %I", (LUAI_UACINT)n));
		number = (int)n;
	}
	return number;
}

static void push_objects(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &objects) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &objects);
}

void il_register_object(lua_State *L)
{
	push_objects(L);
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, lua_touserdata(L, -3));
	lua_pop(L, 1);
}

/* In a method it is at 1, but for one that a select has called. */
void il_push_object(lua_State *L, const void *userdata)
{
	if (lua_touserdata(L, 1) == userdata) {
		lua_pushvalue(L, 1);
		return;
	}
	push_objects(L);
	lua_rawgetp(L, -1, userdata);
	lua_replace(L, -2);
}

int il_ref(lua_State *L, int index)
{
	lua_pushvalue(L, index);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

void il_unref(lua_State *L, int *ref)
{
	if (*ref == LUA_NOREF || !lua_checkstack(L, 2))
		return;
	luaL_unref(L, LUA_REGISTRYINDEX, *ref);
	*ref = LUA_NOREF;
}

bool il_push_ref(lua_State *L, int ref)
{
	return lua_rawgeti(L, LUA_REGISTRYINDEX, ref) != LUA_TNIL;
}
