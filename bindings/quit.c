/* SPDX-License-Identifier: MIT
 *
 * SIGQUIT in the host, see quit.h. It is watched as the program's own signals are, so it is answered also while Lua is
 * busy; a program that does something with it takes it away for good. Floor 4.
 */
#include "quit.h"
#include "os/signal.h"
#include "sched/event.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/task.h"
#include "script.h"

#include <lauxlib.h>
#include <signal.h>

static void run(lua_State *L, struct il_event *e)
{
	luaL_checkstack(L, 10, NULL);
	il_push_script(L, "ipc.explain", "report");
	struct il_task *task = il_task_prepare(L, 0, NULL, NULL, false);
	il_sched_run(L, task, e);
}

static struct il_event event;

static void arrived(struct il_sigwatch *w, const struct il_siginfo *info)
{
	(void)w;
	(void)info;
	if (!event.due)
		il_event_post(&event);
}

static struct il_sigwatch watch = { .node = IL_LIST_INIT(watch.node), .number = SIGQUIT, .arrived = arrived };

void il_quit_open(void)
{
	struct sigaction now;
	il_list_init(&watch.node);
	il_event_init(&event, run);
	if (il_sched()->guarded && sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		il_signal_watch(&watch, SIGQUIT);
}

void il_quit_leave(int number)
{
	if (number != SIGQUIT || il_list_empty(&watch.node))
		return;
	il_signal_unwatch(&watch);
	il_event_withdraw(&event);
}
