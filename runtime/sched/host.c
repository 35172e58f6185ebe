/* SPDX-License-Identifier: MIT
 *
 * The runtime as a host program uses it, see host.h.
 * Floor 3.
 */
#include "sched/host.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/loop.h"
#include "os/signal.h"
#include "sched/await.h"
#include "sched/error.h"
#include "sched/event.h"
#include "sched/interrupt.h"
#include "sched/late.h"
#include "sched/on_main.h"
#include "sched/preempt.h"
#include "sched/run_queue.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/task.h"
#include "stream/gathered.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <sys/epoll.h>

static int turn_while_alive(lua_State *L)
{
	while (il_sched_alive())
		il_sched_turn(L, IL_NEVER, il_sched_alive);
	return 0;
}

static bool always(void)
{
	return true;
}

static int turn_once(lua_State *L)
{
	il_sched_turn(L, lua_tointeger(L, 1), always);
	return 0;
}

static void run_turns(lua_State *L, lua_CFunction turns, int64_t until, const char *name)
{
	if (il_sched()->current || il_sched()->turning || il_sched()->main_wait.state != IL_IDLE)
		il_error(L, "%s is for the main chunk, not for a task or a callback", name);
	if (il_on_main(L, turns, until) != LUA_OK)
		lua_error(L);
}

int il_host_run(lua_State *L)
{
	if (il_sched()->open)
		run_turns(L, turn_while_alive, 0, "ipc.run");
	il_sched_changed();
	lua_pushboolean(L, 1);
	return 1;
}

int il_host_step(lua_State *L)
{
	int64_t deadline = il_check_deadline(L, 1);
	run_turns(L, turn_once, deadline, "ipc.step");
	il_gathered_flush();
	il_loop_nested(!il_run_queue_empty() || il_events_due() ? 1 : il_loop_next());
	lua_pushboolean(L, il_sched_alive());
	return 1;
}

bool il_host_failed(void)
{
	return il_sched()->failed;
}

static void begin_anew(void)
{
	lua_State *L = il_sched()->running;
	il_preempt_drop();
	il_events_drop();
	il_interrupt_drop();
	il_late_drop();
	il_sched_leave();
	il_sched()->running = L;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_TASKS, .anew = begin_anew };

void il_host_init(void)
{
	il_fork_add(&fork_hook);
}
