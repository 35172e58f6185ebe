/* SPDX-License-Identifier: MIT
 *
 * The request to stop what runs, see interrupt.h. Floor 3.
 */
#include "sched/interrupt.h"
#include "loop/state.h"
#include "loop/wake.h"
#include "sched/error.h"
#include "sched/preempt.h"
#include "sched/state.h"
#include "sched/task.h"

#include <string.h>

/* The task that runs has had the interrupt, and goes on all the same. */
static bool is_delivered(void)
{
	return il_sched()->current && il_sched()->current->interrupt == il_sched()->interrupt;
}

void il_interrupt_request(void)
{
	il_sched()->interrupt = ++il_sched()->interrupts;
	il_preempt_notify();
	il_loop_wake(il_loop);
}

bool il_interrupted(void)
{
	return il_sched()->interrupted;
}

bool il_interrupt_due(void)
{
	return il_sched()->interrupt && !is_delivered();
}

/* A task that is interrupted fails, if it does not catch that; what is below it on the stack is told, too, and at last
 * the main chunk: until then the request stands. The other tasks do not run before. */
void il_interrupt_check(lua_State *L)
{
	struct il_sched *s = il_sched();
	if (!il_interrupt_due())
		return;
	if (s->current) {
		s->current->interrupt = s->interrupt;
		s->polled = 0; /* the other tasks do not run before */
	} else {
		s->interrupt = 0;
	}
	s->interrupted = true;
	s->raised++;
	il_error(L, "interrupted");
}

int il_interrupts_raised(void)
{
	return il_sched()->raised;
}

bool il_interrupt_is(lua_State *L, int before)
{
	static const char theirs[] = "interrupted!"; /* lua.c, lstop */
	size_t size = 0, n = sizeof theirs - 1;
	const char *text = il_loop->guest && lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
	return il_sched()->raised != before || (size >= n && strcmp(text + size - n, theirs) == 0);
}

void il_interrupt_drop(void)
{
	il_sched()->interrupt = 0;
}
