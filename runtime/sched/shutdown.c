/* SPDX-License-Identifier: MIT
 *
 * The end of the program, see shutdown.h. Tasks that are left are cancelled as any task is, so their
 * coroutines unwind by themselves, and clean-up may wait. Tasks that these make meanwhile are cancelled when those
 * before them have ended: clean-up may need them. Floor 3.
 */
#include "sched/shutdown.h"
#include "base/clock.h"
#include "os/process.h"
#include "sched/event.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/task.h"
#include "stream/gathered.h"

#include <lauxlib.h>

static const int64_t BOUND = IL_SECOND;

static void count(struct il_task *t, bool ending)
{
	il_sched()->ending += ending - t->ending;
	t->ending = ending;
}

/* One that runs is below us: it has called os.exit, perhaps because it was asked to end. */
static void ask_to_end(lua_State *L, struct il_task *t, void *unused)
{
	bool ends = t->status != IL_RUNNING;
	(void)L;
	(void)unused;
	count(t, ends);
	if (ends)
		il_task_cancel(t);
}

static bool any_ending(void)
{
	return il_sched()->ending > 0;
}

static void say_where(lua_State *L, struct il_task *t, void *said)
{
	if (!t->ending || *(bool *)said)
		return;
	*(bool *)said = true;
	il_task_where(L, t);
	if (t->named) {
		lua_pushfstring(L, "%s, '%s'", lua_tostring(L, -1), t->name);
		lua_replace(L, -2);
	}
	lua_pushfstring(L, "ipc: %I task%s did not end within a second of the program's end, one at %s\n",
		(LUAI_UACINT)il_sched()->ending, il_sched()->ending > 1 ? "s" : "", lua_tostring(L, -1));
	lua_writestringerror("%s", lua_tostring(L, -1));
	lua_pop(L, 2);
}

static int end_tasks(lua_State *L)
{
	int64_t until = il_time_add(il_now(), BOUND);
	bool said = false;
	for (il_task_each(L, ask_to_end, NULL); any_ending() && !said;) {
		while (any_ending() && il_now() < until)
			il_sched_turn(L, until, any_ending);
		il_task_each(L, any_ending() ? say_where : ask_to_end, &said);
	}
	return 0;
}

/* It may stand on top of a turn. */
static void cancel_all(lua_State *L)
{
	lua_State *running = il_sched()->running;
	il_wait_drop(&il_sched()->main_wait);
	il_events_stop();
	il_sched()->current = NULL;
	il_sched()->turning = true;
	il_sched()->running = NULL;
	lua_pushcfunction(L, end_tasks);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK)
		lua_pop(L, 1); /* "interrupted", or out of memory: then there is no time */
	il_sched()->running = running;
}

void il_shutdown(lua_State *L)
{
	if (!il_sched()->open)
		return;
	if (il_sched()->living)
		cancel_all(L);
	il_sched()->over = true;
	lua_gc(L, LUA_GCSTOP, 0); /* all goes with the state; where memory is short it would collect for each task */
	il_sched_drop(L);
	il_sched()->over = false;
	il_gathered_flush();
	il_processes_kill_closing();
}
