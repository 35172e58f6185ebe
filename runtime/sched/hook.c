/* SPDX-License-Identifier: MIT
 *
 * See hook.h. debug.sethook has one hook in C for all, which looks into a table of the registry for the function that is
 * the coroutine's (ldblib.c).
 * Floor 3.
 */
#include "sched/hook.h"
#include "sched/interrupt.h"
#include "sched/sched.h"

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

static lua_Hook known; /* of the main chunk's coroutine, when it began to wait, or since its last call */

static lua_Hook hook_of_main(int *mask, int *count)
{
	lua_Hook hook;
	il_interrupt_behind(il_sched.main, &hook, mask, count);
	return hook;
}

void il_hook_main_waits(void)
{
	int mask, count;
	known = hook_of_main(&mask, &count);
}

static int nothing(lua_State *L)
{
	(void)L;
	return 0;
}

static int call_nothing(lua_State *L)
{
	lua_pushcfunction(L, nothing);
	return lua_pcall(L, 0, 0, 0);
}

/* A hook is called at the next call. Where a coroutine of the main chunk waits it is lent the hook for that one; a hook that raises
 * has had its say. */
void il_hook_main_called(lua_State *L)
{
	int mask, count, own_mask = lua_gethookmask(L), own_count = lua_gethookcount(L);
	lua_Hook hook = hook_of_main(&mask, &count), own = lua_gethook(L);
	if (hook == known)
		return;
	known = hook;
	if (L != il_sched.main)
		lua_sethook(L, hook, mask, count);
	int status = hook ? call_nothing(L) : LUA_OK;
	if (L != il_sched.main)
		lua_sethook(L, own, own_mask, own_count);
	if (status == LUA_OK)
		return;
	lua_sethook(il_sched.main, NULL, 0, 0);
	lua_error(L);
}

void il_hook_hand_on(lua_State *L, lua_State *from, lua_State *to)
{
	lua_Hook hook;
	int mask, count;
	if (!lua_gethook(from) && !lua_gethook(to))
		return;
	il_interrupt_behind(from, &hook, &mask, &count);
	lua_sethook(to, hook, mask, count);
	if (hook)
		hand_on_function(L, from, to);
}
