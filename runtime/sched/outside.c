/* SPDX-License-Identifier: MIT
 *
 * The interrupt of a program that is not ours, see outside.h. Its handler may come at any moment, also between our last
 * look and the system call that sleeps. So ours is put before it, which wakes the loop. Where that was not possible,
 * the system call is at least interrupted. Floor 3.
 */
#include "sched/outside.h"
#include "loop/state.h"
#include "loop/wake.h"
#include "sched/preempt.h"
#include "sched/state.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

/* What programs answer by such a hook. */
static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2 };
enum { COUNT = sizeof numbers / sizeof numbers[0] };

static struct {
	struct sigaction before;
	bool ours;
} theirs[COUNT];

static void handler(int number, siginfo_t *info, void *context)
{
	int saved = errno, i = 0;
	while (numbers[i] != number)
		i++;
	const struct sigaction *before = &theirs[i].before;
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(number, info, context);
	else
		before->sa_handler(number);
	il_loop_wake(il_loop);
	errno = saved;
}

/* The program may have set another handler meanwhile. */
static bool is_ours(const struct sigaction *now)
{
	return now->sa_flags & SA_SIGINFO && now->sa_sigaction == handler;
}

static bool is_handled(const struct sigaction *now)
{
	return now->sa_flags & SA_SIGINFO || (now->sa_handler != SIG_DFL && now->sa_handler != SIG_IGN);
}

void il_outside_open(void)
{
	il_sched()->outside_hook = NULL;
	for (int i = 0; i < COUNT && il_loop->guest; i++) {
		struct sigaction now;
		theirs[i].ours = false;
		if (sigaction(numbers[i], NULL, &now) || !is_handled(&now) || is_ours(&now))
			continue;
		theirs[i].before = now;
		now.sa_sigaction = handler;
		now.sa_flags |= SA_SIGINFO;
		theirs[i].ours = sigaction(numbers[i], &now, NULL) == 0;
	}
}

void il_outside_close(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct sigaction now;
		if (theirs[i].ours && sigaction(numbers[i], NULL, &now) == 0 && is_ours(&now))
			sigaction(numbers[i], &theirs[i].before, NULL);
		theirs[i].ours = false;
	}
}

static int nothing(lua_State *L)
{
	(void)L;
	return 0;
}

void il_outside_call(lua_State *L)
{
	lua_State *main = il_sched()->main;
	lua_Hook hook;
	int mask, count;
	il_preempt_behind(main, &hook, &mask, &count);
	if (hook == il_sched()->outside_hook)
		return;
	int status = LUA_OK;
	if (hook && lua_checkstack(main, 2)) {
		lua_pushcfunction(main, nothing); /* to call a function calls the hook */
		status = lua_pcall(main, 0, 0, 0);
	}
	il_preempt_behind(main, &il_sched()->outside_hook, &mask, &count);
	if (status == LUA_OK)
		return;
	if (L != main)
		lua_xmove(main, L, 1);
	lua_error(L);
}
