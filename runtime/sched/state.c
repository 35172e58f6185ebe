/* SPDX-License-Identifier: MIT
 *
 * The state of the scheduler, see state.h. Floor 3.
 */
#include "sched/state.h"
#include "base/clock.h"
#include "sched/turn.h"
#include "stream/state.h"

void il_sched_init(void)
{
	struct il_sched *s = il_sched();
	il_streams_init();
	if (s->events.next)
		return;
	il_list_init(&s->events);
	il_list_init(&s->late);
	s->ready_last = &s->ready_first;
	s->late_last = &s->late_first;
	s->calls_of_main = IL_FIRST_CALLS;
	s->timer.due = IL_NEVER;
}
