/* SPDX-License-Identifier: MIT
 *
 * Turns for others, see turn.h. The clock costs a tenth of a call that is served at once, so it is looked at after some of them:
 * the longer they take, the fewer.
 * Floor 3.
 */
#include "sched/turn.h"
#include "base/clock.h"
#include "sched/await.h"
#include "sched/interrupt.h"

enum { MOST_CALLS = 32 };

/* ns: how long a task may run through calls that are served at once */
static const int64_t SLICE = 250000;

static int64_t looked; /* at the clock */
static int calls = 1;  /* from one look to the next */

static int run_all(lua_State *L)
{
	il_turn_all(L);
	return 0;
}

int il_turn_on_main(lua_State *L)
{
	lua_State *running = il_running;
	il_sched.turning = true;
	il_running = NULL;
	lua_pushcfunction(L, run_all);
	int status = lua_pcall(L, 0, 0, 0);
	il_sched.turning = false;
	il_sched.since = 0;
	il_sched_changed();
	il_running = running;
	il_preempt();
	return status;
}

/* A finaliser on the main chunk may wait, but it need not run all the others: Lua answers -1 there. */
static bool in_finaliser(lua_State *L)
{
	return lua_gc(L, LUA_GCISRUNNING) < 0;
}

/* The call has succeeded: that there was no memory to run others is for them to tell. */
static int give_turn(lua_State *L, int results)
{
	if (!il_may_wait(L) || !lua_checkstack(L, LUA_MINSTACK) || in_finaliser(L))
		return results;
	if (il_sched.current)
		return il_await_again(L, results);
	int status = il_turn_on_main(L);
	if (status != LUA_OK && status != LUA_ERRMEM)
		return lua_error(L);
	if (status != LUA_OK)
		lua_pop(L, 1);
	return results;
}

int il_served(lua_State *L, int results)
{
	int64_t now = il_now();
	calls = now - looked > SLICE / 4 ? (calls + 3) / 4 : calls < MOST_CALLS ? calls + 1 : calls;
	looked = now;
	il_sched.left = calls;
	if (!il_sched.since)
		il_sched.since = now;
	if (now - il_sched.since < SLICE)
		return results;
	il_sched_ask();
	return give_turn(L, results);
}
