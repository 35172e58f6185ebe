/* SPDX-License-Identifier: MIT
 *
 * The scheduler's part of a runtime's state (loop/state.h): data that several of its files need, and no function. The
 * name above a group is that of the file which changes it.
 * Floor 3: knows Lua and the floors below but the engines.
 */
#ifndef IL_SCHED_STATE_H
#define IL_SCHED_STATE_H

#include "base/list.h"
#include "loop/op.h"
#include "loop/state.h"
#include "stream/state.h"

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct il_collector;
struct il_task;

struct il_sched {
	struct il_streams streams;

	/* sched.c: */
	struct il_task *current; /* the task that runs; NULL: the main chunk, or none */
	struct il_wait main_wait;
	struct il_op main_op;
	uint32_t main_board; /* its record on the board of the process; 0: none */
	int64_t alive; /* tasks that keep the program alive */
	int64_t tasks, switches; /* made so far, the last one's id; resumed so far */
	int64_t living; /* tasks that have not ended */
	int64_t ending; /* tasks that the end of the program waits for */
	int64_t left; /* how much may be served at once before the clock is read: calls and KiB, see turn.h */
	int64_t polled; /* when the kernel was last asked; 0: it is to be asked before another task runs */
	int unread, at_once; /* so many tasks more before the clock is read; after the last time it was so many */
	lua_State *main; /* the Lua state that loaded the module */
	bool open; /* the module is loaded in this process */
	bool turning; /* the loop runs, on top of the main chunk */
	bool failed; /* a task's error was printed */
	bool over; /* what is left at the end of the program is being closed: nothing may wait any more */
	bool guarded; /* no program has seen the stock coroutine functions: the host has put ours in place before */

	/* run_queue.c: */
	struct il_task *ready_first, **ready_last;
	struct il_task *late_first, **late_last; /* to stand behind those that the kernel is going to name */

	/* task.c: */
	struct il_task *unused; /* tasks of callbacks that have ended, linked by `next`, each to get a new coroutine */
	int unused_count;
	int next_list; /* the same for a child that begins anew; 0: to be made */
	int task_list, task_metatable, task_guard; /* their places in the registry; the last is task_entry.c's */
	lua_CFunction task_entry; /* task_entry.c's: the base of every task's stack; NULL before there is a task */
	int places, free_place; /* in the list of tasks; a free one has the next one's number, 0: none */

	/* await.c, select.c: */
	struct il_collector *collector; /* while a select asks for the operations of its cases */

	/* turn.c: */
	int64_t clock_read; /* when it was */
	int64_t noted_now, noted_cpu;
	uint8_t calls_of_main;

	/* cancel.c: */
	const void *cancelled; /* the value */
	bool shielded; /* some coroutine is, or was */

	/* event.c: */
	struct il_list events; /* of struct il_event, of which a call is due */
	int depth; /* callbacks that run and interrupt other code */
	bool stopped; /* the program ends: nothing is due any more */

	/* late.c: */
	struct il_list late; /* of struct il_late, for which the error is due */
	void (*late_interrupt)(lua_State *L); /* il_late_interrupt; for the hook, which is below it */

	/* preempt.c: */
	lua_State *volatile running; /* the Lua thread that runs now; NULL in the loop. Read by signal handlers */
	volatile sig_atomic_t hook_wanted, arming;
	bool deferred; /* events wait for the loop's turns and ipc.dispatch() */
	volatile struct {
		lua_State *L; /* the coroutine that has our hook */
		lua_Hook hook; /* the one it had before */
		int mask, count;
	} armed;
	struct {
		timer_t id; /* the kernel's timer, made when first needed */
		uint32_t owner; /* its generation: a fork inherits no timers */
		int64_t due; /* it is armed for */
		bool soonest; /* it could not be armed for earlier, and so cannot later */
	} timer;

	/* interrupt.c: */
	volatile sig_atomic_t interrupt; /* which one is asked for, 0 without */
	sig_atomic_t interrupts; /* so far */
	int raised; /* so often was the error raised */
	bool interrupted;

	/* outside.c: */
	lua_Hook outside_hook; /* of the main state, when it was last looked at */
};

_Static_assert(sizeof(struct il_sched) <= IL_STATE_SIZE, "there is no room for the state");

static inline struct il_sched *il_sched(void)
{
	return (struct il_sched *)(void *)il_loop;
}

/* To be called before anything else of the floor; the second time it does nothing. */
void il_sched_init(void);

#endif
