/* SPDX-License-Identifier: MIT
 *
 * Turns for others, see turn.h. The clock costs a tenth of a call that is served at once, so it is looked at after some
 * of them; in a task whose calls, and what it does between them, take long, after each. Floor 3.
 */
#include "sched/turn.h"
#include "base/clock.h"
#include "sched/await.h"
#include "sched/interrupt.h"
#include "sched/task.h"

enum { MOST_CALLS = 16 };

/* ns: how long one runs through calls that are served at once, and the kernel is not asked for what else there is.
 * Twice: after the first time we only note how it stands; the second counts if we had the processor meanwhile. A task
 * that makes a few calls does not give a turn because another process came between. */
static const int64_t SLICE = 150000;

static int64_t looked; /* at the clock */
static struct {
	int64_t now, cpu;
} noted;
static uint8_t calls_of_main = IL_FIRST_CALLS;

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
	uint8_t *calls = il_sched.current ? &il_sched.current->calls : &calls_of_main;
	int64_t now = il_now(), before = looked > il_sched.polled ? looked : il_sched.polled;
	looked = now;
	if (now - before > SLICE / 4)
		*calls = 1;
	else if (*calls < MOST_CALLS)
		*calls *= 2;
	il_sched.left = *calls;
	int64_t start = noted.now > il_sched.polled ? noted.now : il_sched.polled;
	if (now - start < SLICE)
		return results;
	int64_t cpu = il_cpu_time();
	bool ran = start == noted.now && cpu - noted.cpu >= SLICE / 2;
	noted.now = now;
	noted.cpu = cpu;
	il_sched.polled = 0;
	return ran ? give_turn(L, results) : results;
}
