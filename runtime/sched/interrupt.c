/* SPDX-License-Identifier: MIT
 *
 * Signals and timers while Lua code is busy, see interrupt.h. lua_sethook is the one call of Lua that may be made in a
 * signal handler. Hooks belong to a coroutine, so il_running must always name the one that runs; whoever
 * switches calls il_preempt, which moves the hook along if something came in between.
 * Floor 3.
 */
#include "sched/interrupt.h"
#include "base/signals.h"
#include "base/fork.h"
#include "base/clock.h"
#include "loop/state.h"
#include "loop/wake.h"
#include "os/signal.h"
#include "loop/timer.h"
#include "sched/error.h"
#include "sched/task.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Callbacks interrupt other code, but not each other: what comes while one runs is next. */
enum { MAX_DEPTH = 1 };

/* Timers interrupt busy code at most this often (ns); in the loop they are as exact as the kernel is. */
static const int64_t SLICE = 500000;

lua_State *volatile il_running;
bool il_async = true;

static struct il_list events = IL_LIST_INIT(events);
static int depth;
volatile sig_atomic_t il_hook_wanted; /* of the following, or 0 */
enum { SIGNALLED = 1, INTERRUPTED = 2 };
static volatile sig_atomic_t interrupt_asked, arming; /* the first: which interrupt, 0 without */
static sig_atomic_t interrupts; /* so far */
static bool interrupted, stopped;
static int raised; /* so often was the error raised */

/* The coroutine that has our hook, and the hook it had before. */
static struct {
	lua_State *L;
	lua_Hook hook;
	int mask, count;
} volatile armed;

/* The kernel's timer: made when first needed, armed for the time `due`. */
static struct {
	timer_t id;
	uint32_t owner; /* its generation: a fork inherits no timers */
	int64_t due;
	bool soonest; /* it could not be armed for earlier, and so cannot later */
} kernel = { .due = IL_NEVER };

static void hook(lua_State *L, lua_Debug *ar);
static void call_at(int64_t due);

/* The task that runs has had the interrupt, and goes on all the same. */
static bool is_told(void)
{
	return il_sched.current && il_sched.current->interrupt == interrupt_asked;
}

static bool is_wanted(void)
{
	return (il_async && il_hook_wanted & SIGNALLED) || il_interrupt_due();
}

static void disarm(void)
{
	lua_State *L = armed.L;
	if (!L)
		return;
	armed.L = NULL;
	if (lua_gethook(L) == hook)
		lua_sethook(L, armed.hook, armed.mask, armed.count);
}

static void arm(lua_State *L)
{
	if (armed.L == L && lua_gethook(L) == hook)
		return;
	arming = 1; /* a signal handler that comes now leaves it to us */
	atomic_signal_fence(memory_order_seq_cst);
	disarm();
	if (lua_gethook(L) != hook) { /* else it inherited ours, and what stands behind that is known already */
		armed.hook = lua_gethook(L);
		armed.mask = lua_gethookmask(L);
		armed.count = lua_gethookcount(L);
	}
	armed.L = L;
	lua_sethook(L, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT | (armed.mask & LUA_MASKLINE), 1);
	atomic_signal_fence(memory_order_seq_cst);
	arming = 0;
}

/* Async-signal-safe: something is to be done as soon as Lua can be interrupted. */
static void notify(void)
{
	lua_State *L = il_running;
	il_hook_wanted |= SIGNALLED;
	if (L && !arming && (il_async || interrupt_asked))
		arm(L);
}

/* What is wanted is about to be looked after. An interrupt stands until the main chunk has been told. */
static void attend(void)
{
	il_hook_wanted = interrupt_asked ? INTERRUPTED : 0;
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
	lua_Hook user = armed.hook;
	int mask = armed.mask;
	if (L == armed.L)
		disarm();
	else
		lua_sethook(L, armed.hook, armed.mask, armed.count);
	attend();
	il_check_interrupt(L);
	if (il_async) {
		il_signal_drain();
		il_timers_expire();
		il_events_run(L);
		il_preempt(); /* it may have come too early, for a timer that was stopped */
	}
	pass_on(L, ar, user, mask);
}

void il_event_init(struct il_event *e, void (*run)(lua_State *, struct il_event *))
{
	il_list_init(&e->node);
	e->due = e->round = 0;
	e->active = false;
	e->run = run;
}

void il_event_post(struct il_event *e)
{
	e->due++;
	if (il_list_empty(&e->node))
		il_list_add(&events, &e->node);
}

void il_event_withdraw(struct il_event *e)
{
	e->due = e->round = 0;
	il_list_del(&e->node);
}

void il_event_begin(struct il_event *e)
{
	e->due -= e->due > 0; /* 0: it was withdrawn, as the last one */
	e->round -= e->round > 0;
	e->active = true;
	il_list_del(&e->node);
}

void il_event_leave(struct il_event *e)
{
	e->active = false;
	if (e->due && il_list_empty(&e->node))
		il_list_add(&events, &e->node);
}

bool il_events_due(void)
{
	return !stopped && !il_list_empty(&events);
}

void il_events_stop(void)
{
	stopped = true;
}

static void begin_round(void)
{
	for (struct il_list *l = events.next; l != &events; l = l->next) {
		struct il_event *e = il_container_of(l, struct il_event, node);
		e->round = e->due;
	}
}

static struct il_event *next_event(void)
{
	for (struct il_list *l = events.next; l != &events; l = l->next) {
		struct il_event *e = il_container_of(l, struct il_event, node);
		if (e->round && !e->active)
			return e;
	}
	return NULL;
}

/* An interrupt is first of all for the one below. */
static int run_events(lua_State *L)
{
	struct il_event *e;
	begin_round();
	while (!interrupt_asked && (e = next_event()))
		e->run(L, e);
	return 0;
}

void il_events_run(lua_State *L)
{
	if (!il_events_due() || depth >= MAX_DEPTH)
		return;
	depth++;
	lua_pushcfunction(L, run_events);
	int status = lua_pcall(L, 0, 0, 0);
	depth--;
	if (il_events_due())
		call_at(0); /* the rest, if nobody waits before */
	if (status != LUA_OK)
		lua_error(L);
}

static bool kernel_timer(void)
{
	struct sigevent how = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = IL_SIGNAL_TIMER };
	if (il_fork_is_own(kernel.owner))
		return true;
	kernel.due = IL_NEVER;
	how._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &how, &kernel.id))
		return false;
	kernel.owner = il_fork.generation;
	return true;
}

static void kernel_arm(int64_t due)
{
	struct itimerspec when = { 0 };
	if (!kernel_timer())
		return;
	if (due != IL_NEVER)
		when.it_value = il_timespec(due > 0 ? due : 1);
	kernel.due = due; /* before: it may fire at once, and what has fired must not be taken for armed */
	timer_settime(kernel.id, TIMER_ABSTIME, &when, NULL);
}

static void timer_signal(int number)
{
	(void)number;
	kernel.due = IL_NEVER;
	notify();
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
static void call_at(int64_t due)
{
	if (!il_async || (kernel.soonest && kernel.due != IL_NEVER))
		return;
	int64_t soonest = il_now() + SLICE;
	kernel.soonest = due < soonest;
	due = due > soonest ? due : soonest;
	if (due < kernel.due && own_handler())
		kernel_arm(due);
}

void il_preempt(void)
{
	lua_State *L = il_running;
	if (il_hook_wanted && L && is_wanted())
		arm(L);
	int64_t due = il_heap_min(&il_loop->timers);
	if (due < kernel.due && L)
		call_at(due);
}

void il_interrupt_behind(lua_State *L, lua_Hook *user, int *mask, int *count)
{
	arming = 1; /* what a signal wants meanwhile is done below */
	atomic_signal_fence(memory_order_seq_cst);
	bool ours = lua_gethook(L) == hook;
	*user = ours ? armed.hook : lua_gethook(L);
	*mask = ours ? armed.mask : lua_gethookmask(L);
	*count = ours ? armed.count : lua_gethookcount(L);
	atomic_signal_fence(memory_order_seq_cst);
	arming = 0;
	il_preempt_switch();
}

void il_preempt_idle(bool blocks)
{
	disarm();
	attend();
	if (blocks && kernel.due < il_heap_min(&il_loop->timers))
		kernel_arm(IL_NEVER);
}

void il_interrupt_request(void)
{
	interrupt_asked = ++interrupts;
	notify();
	il_loop_wake(il_loop);
}

bool il_interrupted(void)
{
	return interrupted;
}

bool il_interrupt_due(void)
{
	return interrupt_asked && !is_told();
}

/* A task that is interrupted fails, if it does not catch that; whoever is below it on the stack is told too, and at
 * last the main chunk: until then the request stands. The other tasks do not run before. */
void il_check_interrupt(lua_State *L)
{
	if (!il_interrupt_due())
		return;
	if (il_sched.current) {
		il_sched.current->interrupt = interrupt_asked;
		il_sched.polled = 0; /* the other tasks do not run before */
	} else {
		interrupt_asked = 0;
	}
	interrupted = true;
	raised++;
	il_error(L, "interrupted");
}

int il_interrupts_raised(void)
{
	return raised;
}

bool il_is_interrupt(lua_State *L, int before)
{
	static const char theirs[] = "interrupted!"; /* lua.c, lstop */
	size_t size = 0, n = sizeof theirs - 1;
	const char *text = il_loop->guest && lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
	return raised != before || (size >= n && strcmp(text + size - n, theirs) == 0);
}

void il_interrupt_open(lua_State *L)
{
	if (!il_running)
		il_running = L;
	il_signal_notify = notify;
}

void il_interrupt_after_fork(void)
{
	disarm();
	il_list_init(&events);
	depth = 0;
	stopped = false;
	interrupt_asked = il_hook_wanted = 0;
	kernel.owner = 0;
	kernel.due = IL_NEVER;
}

void il_interrupt_fini(void)
{
	disarm();
	stopped = false;
	il_signal_notify = NULL;
	il_running = NULL;
	if (il_fork_is_own(kernel.owner))
		timer_delete(kernel.id);
	kernel.owner = 0;
	kernel.due = IL_NEVER;
	il_list_init(&events);
}
