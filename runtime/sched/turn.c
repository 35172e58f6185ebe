/* SPDX-License-Identifier: MIT
 *
 * Turns for others, see turn.h. The clock costs a tenth of a call that is served at once, so it is read after some of
 * them; in a task whose calls, and what it does between them, take long, after each. Floor 3.
 */
#include "sched/turn.h"
#include "base/clock.h"
#include "sched/on_main.h"
#include "sched/run_queue.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/suspend.h"
#include "sched/task.h"

enum { MOST_CALLS = 32 };

/* ns: how long one runs through calls that are served at once, and the kernel is not asked for what else there is.
 * Twice: after the first time we only note how it stands; the second counts if we had the processor meanwhile. A task
 * that makes a few calls does not give a turn because another process came between. */
static const int64_t SLICE = 150000;

static int run_all(lua_State *L)
{
	il_sched_turn_all(L);
	return 0;
}

int il_turn_on_main(lua_State *L)
{
	int status = il_on_main(L, run_all, 0);
	il_sched_changed();
	return status;
}

static int requeued(lua_State *L, int status, lua_KContext results)
{
	(void)status;
	return il_is_stranger(L) ? il_send_away(L, results, requeued) : (int)results;
}

/* The task stands behind the others before the call returns. */
static int requeue(lua_State *L, int results)
{
	il_run_queue_add_late(il_sched()->current);
	return il_suspend(L, results, requeued);
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
	if (il_sched()->current)
		return requeue(L, results);
	int status = il_turn_on_main(L);
	if (status != LUA_OK && status != LUA_ERRMEM)
		return lua_error(L);
	if (status != LUA_OK)
		lua_pop(L, 1);
	return results;
}

int il_served(lua_State *L, int results)
{
	struct il_sched *s = il_sched();
	uint8_t *calls = s->current ? &s->current->calls : &s->calls_of_main;
	int64_t now = il_now(), before = s->clock_read > s->polled ? s->clock_read : s->polled;
	s->clock_read = now;
	if (now - before > SLICE / 4)
		*calls = 1;
	else if (*calls < MOST_CALLS)
		*calls *= 2;
	s->left = *calls;
	int64_t start = s->noted_now > s->polled ? s->noted_now : s->polled;
	if (now - start < SLICE)
		return results;
	int64_t cpu = il_cpu_time();
	bool ran = start == s->noted_now && cpu - s->noted_cpu >= SLICE / 2;
	s->noted_now = now;
	s->noted_cpu = cpu;
	s->polled = 0;
	return ran ? give_turn(L, results) : results;
}
