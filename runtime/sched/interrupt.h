/* SPDX-License-Identifier: MIT
 *
 * Signals and timers while Lua code is busy. A signal handler sets a hook on the coroutine that runs; the hook runs
 * what has come due. An event is something due that needs Lua: a listener or a timer's function. Events run in the
 * hook, in the loop's turns and in ipc.dispatch(), each as a task of its own.
 * Floor 3.
 */
#ifndef IL_SCHED_INTERRUPT_H
#define IL_SCHED_INTERRUPT_H

#include "base/list.h"

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct il_event {
	struct il_list node; /* among those of which a call is due */
	uint32_t due, round; /* calls that are due; those of them that were so when this round of il_events_run began */
	bool active; /* its last call runs and has not waited: the next one has to */
	/* Starts one call (il_task_run); raises before anything happened, or not at all. */
	void (*run)(lua_State *L, struct il_event *e);
};

/* The Lua thread that runs now; NULL in the loop. Read by signal handlers. */
extern lua_State *volatile il_running;

/* False: events wait for the loop's turns and ipc.dispatch(). */
extern bool il_async;

void il_event_init(struct il_event *e, void (*run)(lua_State *, struct il_event *));

/* One more call is due; none is. Cannot fail. */
void il_event_post(struct il_event *e);
void il_event_withdraw(struct il_event *e);

/* For il_task_run: a call begins, and has ended or waits. */
void il_event_begin(struct il_event *e);
void il_event_leave(struct il_event *e);

/* Runs what is due now; what becomes due meanwhile is for the next round, so that whoever calls goes on. Raises out of
 * memory, and "interrupted". */
void il_events_run(lua_State *L);
bool il_events_due(void);

/* The program ends: nothing is due any more. */
void il_events_stop(void);

/* To be called whenever other Lua code begins to run than before, and when a timer was added: sees to it that the hook
 * and the kernel's timer are where they have to be. */
void il_preempt(void);

/* The same for one coroutine that resumes another: the kernel's timer stands as it stood. */
extern volatile sig_atomic_t il_hook_wanted;
static inline void il_preempt_switch(void)
{
	if (il_hook_wanted)
		il_preempt();
}

/* The hook that others have set on L; ours may stand before it. */
void il_interrupt_behind(lua_State *L, lua_Hook *user, int *mask, int *count);

/* Before the loop asks the kernel; `blocks`: it may stay there, so no timer of ours should wake it. */
void il_preempt_idle(bool blocks);

/* Async-signal-safe: what runs, or the main chunk's wait, raises "interrupted". */
void il_interrupt_request(void);
bool il_interrupted(void);
void il_check_interrupt(lua_State *L);
bool il_interrupt_due(void); /* il_check_interrupt would raise */

/* For who catches errors: is the one at the top "interrupted", of the host or of lua5.4, so that it has to be raised
 * again? `before`: what il_interrupts_raised said before the call. */
int il_interrupts_raised(void);
bool il_is_interrupt(lua_State *L, int before);

/* The host's main state, before the module is loaded. */
void il_interrupt_open(lua_State *L);
void il_interrupt_after_fork(void);
void il_interrupt_fini(void);

#endif
