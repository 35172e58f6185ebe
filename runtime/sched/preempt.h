/* SPDX-License-Identifier: MIT
 *
 * Signals and timers while Lua code is busy. A signal handler sets a hook on the coroutine that runs; the hook runs
 * what has come due (event.h), and raises "interrupted" (interrupt.h).
 * Floor 3.
 */
#ifndef IL_SCHED_PREEMPT_H
#define IL_SCHED_PREEMPT_H

#include "sched/state.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum { IL_HOOK_SIGNALLED = 1, IL_HOOK_INTERRUPTED = 2, IL_HOOK_LATE = 4 }; /* bits of hook_wanted */

/* To be called whenever other Lua code begins to run than before, and when a timer was added: sees to it that the hook
 * and the kernel's timer are where they have to be. */
void il_preempt(void);

/* The same for one coroutine that resumes another: the kernel's timer stands as it stood. */
static inline void il_preempt_switch(void)
{
	if (il_sched()->hook_wanted)
		il_preempt();
}

/* The hook that others have set on L; ours may stand before it. */
void il_preempt_behind(lua_State *L, lua_Hook *user, int *mask, int *count);

/* Before the loop asks the kernel; `blocks`: it may stay there, so no timer of ours should wake it. */
void il_preempt_idle(bool blocks);

/* Async-signal-safe: something is to be done as soon as Lua can be interrupted. */
void il_preempt_notify(void);

/* Has the hook called at this time, but not too soon. */
void il_preempt_at(int64_t due);

/* The host's main state, before the module is loaded. */
void il_preempt_open(lua_State *L);

/* No hook, no timer: in a forked child. */
void il_preempt_drop(void);

/* The state closes. */
void il_preempt_close(void);

#endif
