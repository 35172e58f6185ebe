/* SPDX-License-Identifier: MIT
 *
 * See hook.h. debug.sethook has one hook in C for all, which looks into a table of the registry for the function that
 * is the coroutine's (ldblib.c). Floor 3.
 */
#include "sched/hook.h"
#include "sched/preempt.h"

#include <lauxlib.h>

static const char *const TABLE = "_HOOKKEY";

static void push_thread(lua_State *L, lua_State *co)
{
	if (!lua_checkstack(co, 1))
		luaL_error(L, "not enough memory");
	lua_pushthread(co);
	lua_xmove(co, L, 1);
}

static void hand_on_function(lua_State *L, lua_State *from, lua_State *to)
{
	int top = lua_gettop(L);
	if (lua_getfield(L, LUA_REGISTRYINDEX, TABLE) == LUA_TTABLE) {
		push_thread(L, to);
		push_thread(L, from);
		if (lua_rawget(L, -3) != LUA_TNIL)
			lua_rawset(L, -3);
	}
	lua_settop(L, top);
}

void il_hook_hand_on(lua_State *L, lua_State *from, lua_State *to)
{
	lua_Hook hook;
	int mask, count;
	if (!lua_gethook(from) && !lua_gethook(to))
		return;
	il_preempt_behind(from, &hook, &mask, &count);
	lua_sethook(to, hook, mask, count);
	if (hook)
		hand_on_function(L, from, to);
}
