/* SPDX-License-Identifier: MIT
 *
 * Yielding in order to wait, see suspend.h. Floor 3.
 */
#include "sched/suspend.h"

const char il_waiting[2];

/* What it was resumed with lies above the token. */
int il_send_away(lua_State *L, lua_KContext context, lua_KFunction resumed)
{
	while (!il_is_waiting(L) && lua_gettop(L) > 0)
		lua_pop(L, 1);
	lua_pushnil(L);
	lua_pushliteral(L, "cannot resume a coroutine that waits in a task");
	return lua_yieldk(L, 2, context, resumed);
}

bool il_may_wait(lua_State *L)
{
	return il_sched()->current ? lua_isyieldable(L) && L == il_sched()->running : !il_sched()->turning;
}
