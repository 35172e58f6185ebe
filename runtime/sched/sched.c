/* SPDX-License-Identifier: MIT
 *
 * The scheduler, see sched.h. It is the one file that resumes tasks. A batch of them runs before the kernel is asked
 * for more, and an event's callback runs at once, as a task on top of the one that turns the loop. Floor 3.
 */
#include "sched/sched.h"
#include "base/clock.h"
#include "loop/epoll.h"
#include "loop/loop.h"
#include "loop/state.h"
#include "os/board.h"
#include "os/signal.h"
#include "sched/cancel.h"
#include "sched/error.h"
#include "sched/event.h"
#include "sched/interrupt.h"
#include "sched/outside.h"
#include "sched/preempt.h"
#include "sched/run_queue.h"
#include "sched/state.h"
#include "sched/suspend.h"
#include "sched/task.h"
#include "sched/task_entry.h"
#include "stream/gathered.h"
#include "stream/stream_end.h"

#include <lauxlib.h>
#include <string.h>

enum { POLL_EVERY = 16 };

/* Tasks run for this long (ns) before the kernel is asked what else there is. */
static const int64_t BATCH = 50000;

static void woken_main(struct il_wait *w)
{
	(void)w;
	il_board_runs(il_sched()->main_board);
}

void il_sched_open(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	il_sched()->main = lua_tothread(L, -1);
	lua_pop(L, 1);
	il_sched()->main_wait.wake = woken_main;
	il_tasks_open(L);
	il_sched()->at_once = 1;
	il_sched()->open = true;
}

static void end(lua_State *L, struct il_task *t, int status, int results)
{
	t->results = results;
	if (status != LUA_OK)
		il_task_entry_fail(L, t, status == LUA_YIELD);
	il_task_end(L, t);
}

/* How many arguments lua_resume is to be told of. */
static int prepare(lua_State *L, struct il_task *t)
{
	if (t->begun) {
		lua_pop(t->co, 1); /* il_waiting */
		return 0;
	}
	t->begun = true;
	return il_task_entry_begin(L, t->co);
}

static void resume(lua_State *L, struct il_task *t)
{
	struct il_sched *s = il_sched();
	struct il_task *outer = s->current;
	lua_State *running = s->running;
	int64_t left = s->left;
	int results = 0;
	s->switches++;
	s->current = t;
	s->left = t->calls;
	t->status = IL_RUNNING;
	s->running = t->co;
	il_preempt();
	int status = lua_resume(t->co, L, prepare(L, t), &results);
	s->running = running;
	s->current = outer;
	s->left = left;
	if (status == LUA_YIELD && results == 1 && il_is_token(t->co, -1)) {
		if (t->status == IL_RUNNING)
			t->status = IL_WAITS;
	} else {
		end(L, t, status, results);
	}
	if (running)
		il_preempt();
}

void il_sched_run(lua_State *L, struct il_task *t, struct il_event *e)
{
	il_event_begin(e);
	resume(L, t);
	il_event_leave(e);
	lua_pop(L, 1);
}

/* Cancelled before it ever ran, or its coroutine was closed: it never will run. */
static inline bool is_over(const struct il_task *t)
{
	return t->closed || (!t->begun && (t->cancelled || lua_gettop(t->co) == 0));
}

static void discard(lua_State *L, struct il_task *t)
{
	lua_resetthread(t->co);
	lua_settop(t->co, 0);
	t->status = IL_GONE;
	t->results = 0;
	il_task_end(L, t);
}

static inline void run(lua_State *L, struct il_task *t)
{
	if (is_over(t))
		discard(L, t);
	else
		resume(L, t);
}

/* To read the clock takes a tenth of what it takes to make a task and run it, so that is done after one, two, four of
 * them; and after each while each takes long. */
static bool read_clock(struct il_sched *s)
{
	bool late = il_now() - s->polled > BATCH;
	s->at_once = late ? 1 : s->at_once < POLL_EVERY ? 2 * s->at_once : POLL_EVERY;
	s->unread = s->at_once;
	return late;
}

/* A task has run, or none was there: it is some time since the kernel was asked. */
static inline bool is_late(struct il_sched *s)
{
	return --s->unread <= 0 && read_clock(s);
}

/* The batch is over: one of its tasks has taken long, or all together have. */
static bool batch_over(struct il_sched *s)
{
	return !s->polled || is_late(s);
}

/* Whether the kernel is to be asked before others run. */
static bool run_ready(lua_State *L)
{
	struct il_sched *s = il_sched();
	struct il_task *t = il_run_queue_take();
	if (!t)
		return is_late(s);
	for (; t; t = il_run_queue_take()) {
		run(L, t);
		if (batch_over(s))
			return true;
		if (s->main_wait.state == IL_DONE)
			break;
	}
	return false;
}

static void poll_kernel(lua_State *L, int64_t until)
{
	struct il_sched *s = il_sched();
	il_preempt_idle(until != 0);
	il_gathered_flush();
	il_board_asks(il_loop->timers.count);
	int err = il_loop_poll(il_signal_arrived ? 0 : until);
	if (err)
		il_error(L, "the event loop failed: %s", strerror(err));
	if (il_loop->starved)
		lua_gc(L, LUA_GCCOLLECT);
	il_loop->starved = false;
	s->polled = il_now();
	il_board_turned(s->polled);
	il_signal_drain();
	il_run_queue_append_late();
	if (s->main_wait.state != IL_DONE) /* a result is there: to be delivered first */
		il_interrupt_check(L);
	il_events_run(L);
}

static void begin_turn(lua_State *L)
{
	il_epoll_open(); /* first: a signal that comes after the check must be able to wake the loop */
	il_interrupt_check(L);
	il_outside_check(L);
}

void il_sched_turn(lua_State *L, int64_t until, bool (*wanted)(void))
{
	begin_turn(L);
	bool over = run_ready(L);
	if (!wanted()) {
		if (!over)
			return;
		until = 0;
	}
	if (!il_run_queue_empty() || il_events_due())
		until = 0;
	poll_kernel(L, until);
}

/* The tasks that are ready now stand up to `last`; what the kernel tells first belongs to them, what comes later does
 * not. */
void il_sched_turn_all(lua_State *L)
{
	struct il_sched *s = il_sched();
	begin_turn(L);
	int64_t now = il_now();
	if (!s->ready_first || now - s->polled > BATCH || il_loop_next() <= now)
		poll_kernel(L, 0);
	struct il_task *t = NULL, **last = s->ready_first ? s->ready_last : NULL;
	while (last && (t = il_run_queue_take())) {
		if (last == &t->next)
			last = NULL;
		run(L, t);
		if (last && batch_over(s))
			poll_kernel(L, 0);
	}
}

bool il_sched_alive(void)
{
	bool busy = il_sched()->alive > 0 || il_events_due();
	return il_streams_unsent(!busy) || busy;
}

static void nothing_runs(void)
{
	il_run_queue_clear();
	il_sched()->alive = il_sched()->living = il_sched()->ending = 0;
	il_sched()->current = NULL;
	il_sched()->turning = false;
}

void il_sched_drop(lua_State *L)
{
	il_wait_drop(&il_sched()->main_wait);
	il_op_clear(&il_sched()->main_op);
	il_tasks_drop(L);
	nothing_runs();
}

void il_sched_leave(void)
{
	il_waits_leave();
	il_sched()->main_wait.deadline.place = 0;
	il_wait_drop(&il_sched()->main_wait);
	il_op_clear(&il_sched()->main_op);
	il_sched()->main_board = 0;
	il_tasks_leave();
	nothing_runs();
	il_sched()->failed = il_sched()->over = false;
}

void il_sched_forget(void)
{
	il_wait_drop(&il_sched()->main_wait);
	il_op_clear(&il_sched()->main_op);
	struct il_sched *s = il_sched();
	s->current = NULL;
	s->alive = s->tasks = s->switches = s->living = s->ending = s->left = s->polled = 0;
	s->main = NULL;
	s->open = s->turning = s->failed = s->over = false;
	il_run_queue_clear();
	il_tasks_forget();
}
