/* SPDX-License-Identifier: MIT
 *
 * The loop on top of the main chunk, see on_main.h. Floor 3.
 */
#include "sched/on_main.h"
#include "sched/preempt.h"
#include "sched/state.h"

int il_on_main(lua_State *L, lua_CFunction turns, int64_t until)
{
	struct il_sched *s = il_sched();
	lua_State *running = s->running;
	s->turning = true;
	s->running = NULL;
	lua_pushcfunction(L, turns);
	lua_pushinteger(L, until);
	int status = lua_pcall(L, 1, 0, 0);
	s->turning = false;
	s->running = running;
	il_preempt();
	return status;
}
