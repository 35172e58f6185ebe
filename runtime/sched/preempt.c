/* SPDX-License-Identifier: MIT
 *
 * Signals and timers while Lua code is busy, see preempt.h. lua_sethook is the one call of Lua that may be made in a
 * signal handler. Hooks belong to a coroutine, so `running` must always name the one that runs; what switches calls
 * il_preempt, which moves the hook along if something came in between. Floor 3.
 */
#include "sched/preempt.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/signals.h"
#include "loop/state.h"
#include "loop/timer.h"
#include "os/signal.h"
#include "sched/event.h"
#include "sched/interrupt.h"
#include "sched/late.h"
#include "sched/state.h"
#include "stream/gathered.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Timers interrupt busy code at most this often (ns); in the loop they are as exact as the kernel is. */
static const int64_t SLICE = 500000;

static void hook(lua_State *L, lua_Debug *ar);

static bool is_wanted(void)
{
	const struct il_sched *s = il_sched();
	return (!s->deferred && s->hook_wanted & IL_HOOK_SIGNALLED) || il_interrupt_due() || il_late_is_due();
}

static void disarm(void)
{
	struct il_sched *s = il_sched();
	lua_State *L = s->armed.L;
	if (!L)
		return;
	s->armed.L = NULL;
	if (lua_gethook(L) == hook)
		lua_sethook(L, s->armed.hook, s->armed.mask, s->armed.count);
}

static void arm(lua_State *L)
{
	struct il_sched *s = il_sched();
	if (s->armed.L == L && lua_gethook(L) == hook)
		return;
	s->arming = 1; /* a signal handler that comes now leaves it to us */
	atomic_signal_fence(memory_order_seq_cst);
	disarm();
	if (lua_gethook(L) != hook) { /* else it inherited ours, and what stands behind that is known already */
		s->armed.hook = lua_gethook(L);
		s->armed.mask = lua_gethookmask(L);
		s->armed.count = lua_gethookcount(L);
	}
	s->armed.L = L;
	lua_sethook(L, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT | (s->armed.mask & LUA_MASKLINE), 1);
	atomic_signal_fence(memory_order_seq_cst);
	s->arming = 0;
}

/* Async-signal-safe: something is to be done as soon as Lua can be interrupted. */
void il_preempt_notify(void)
{
	struct il_sched *s = il_sched();
	lua_State *L = s->running;
	s->hook_wanted |= IL_HOOK_SIGNALLED;
	if (L && !s->arming && (!s->deferred || s->interrupt))
		arm(L);
}

/* What is wanted is about to be done. An interrupt stands until the main chunk has got it, "late" until its task
 * has.
 */
static void attend(void)
{
	struct il_sched *s = il_sched();
	s->hook_wanted = (s->interrupt ? IL_HOOK_INTERRUPTED : 0) | (il_list_empty(&s->late) ? 0 : IL_HOOK_LATE);
}

/* The user's own hook gets the call or return that ours was called for. A line comes to it by itself: Lua calls a hook
 * for the count first, then looks for a new line, by the mask that there was before; so ours has lines if the user's
 * has. A line that comes to ours was on its way when the signal handler put our hook in place. */
static void pass_on(lua_State *L, lua_Debug *ar, lua_Hook user, int mask)
{
	int event = ar->event == LUA_HOOKTAILCALL ? LUA_HOOKCALL : ar->event;
	if (user && event != LUA_HOOKCOUNT && mask & 1 << event)
		user(L, ar);
}

/* The hook may have been inherited by a coroutine made while it was set: there it only takes itself away. */
static void hook(lua_State *L, lua_Debug *ar)
{
	struct il_sched *s = il_sched();
	lua_Hook user = s->armed.hook;
	int mask = s->armed.mask;
	if (L == s->armed.L)
		disarm();
	else
		lua_sethook(L, s->armed.hook, s->armed.mask, s->armed.count);
	attend();
	il_interrupt_check(L);
	if (!s->deferred) {
		il_signal_drain();
		il_timers_expire();
		il_events_run(L);
		il_gathered_flush(); /* what callbacks have sent: the code below may not wait for long */
		il_preempt(); /* it may have come too early, for a timer that was stopped */
	}
	if (!il_list_empty(&s->late))
		s->late_interrupt(L);
	pass_on(L, ar, user, mask);
}

static bool kernel_timer(void)
{
	struct il_sched *s = il_sched();
	struct sigevent how = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = IL_SIGNAL_TIMER };
	if (il_fork_is_own(s->timer.owner))
		return true;
	s->timer.due = IL_NEVER;
	how._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &how, &s->timer.id))
		return false;
	s->timer.owner = il_fork.generation;
	return true;
}

static void kernel_arm(int64_t due)
{
	struct il_sched *s = il_sched();
	struct itimerspec when = { 0 };
	if (!kernel_timer())
		return;
	if (due != IL_NEVER)
		when.it_value = il_timespec(due > 0 ? due : 1);
	s->timer.due = due; /* before: it may fire at once, and what has fired must not be taken for armed */
	timer_settime(s->timer.id, TIMER_ABSTIME, &when, NULL);
}

static void timer_signal(int number)
{
	(void)number;
	il_sched()->timer.due = IL_NEVER;
	il_preempt_notify();
}

static bool own_handler(void)
{
	static uint32_t installed;
	struct sigaction sa = { .sa_handler = timer_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
	if (il_fork_is_own(installed))
		return true;
	sigfillset(&sa.sa_mask);
	if (sigaction(IL_SIGNAL_TIMER, &sa, NULL))
		return false;
	installed = il_fork.generation;
	return true;
}

/* Has the kernel's timer call us then, but not too soon. */
void il_preempt_at(int64_t due)
{
	struct il_sched *s = il_sched();
	if (s->deferred || (s->timer.soonest && s->timer.due != IL_NEVER))
		return;
	int64_t soonest = il_now() + SLICE;
	s->timer.soonest = due < soonest;
	due = due > soonest ? due : soonest;
	if (due < s->timer.due && own_handler())
		kernel_arm(due);
}

void il_preempt(void)
{
	struct il_sched *s = il_sched();
	lua_State *L = s->running;
	if (s->hook_wanted && L && is_wanted())
		arm(L);
	int64_t due = il_heap_min(&il_loop->timers);
	if (due < s->timer.due && L)
		il_preempt_at(due);
}

void il_preempt_behind(lua_State *L, lua_Hook *user, int *mask, int *count)
{
	struct il_sched *s = il_sched();
	s->arming = 1; /* what a signal wants meanwhile is done below */
	atomic_signal_fence(memory_order_seq_cst);
	bool ours = lua_gethook(L) == hook;
	*user = ours ? s->armed.hook : lua_gethook(L);
	*mask = ours ? s->armed.mask : lua_gethookmask(L);
	*count = ours ? s->armed.count : lua_gethookcount(L);
	atomic_signal_fence(memory_order_seq_cst);
	s->arming = 0;
	il_preempt_switch();
}

void il_preempt_idle(bool blocks)
{
	struct il_sched *s = il_sched();
	disarm();
	attend();
	if (blocks && s->timer.due < il_heap_min(&il_loop->timers))
		kernel_arm(IL_NEVER);
}

void il_preempt_open(lua_State *L)
{
	il_sched_init();
	if (!il_sched()->running)
		il_sched()->running = L;
	il_signal_notify = il_preempt_notify;
}

void il_preempt_drop(void)
{
	struct il_sched *s = il_sched();
	disarm();
	s->hook_wanted = 0;
	if (il_fork_is_own(s->timer.owner))
		timer_delete(s->timer.id);
	s->timer.owner = 0;
	s->timer.due = IL_NEVER;
}

void il_preempt_close(void)
{
	il_preempt_drop();
	il_signal_notify = NULL;
	il_sched()->running = NULL;
}
