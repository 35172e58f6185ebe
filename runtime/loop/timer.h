/* SPDX-License-Identifier: MIT
 *
 * Timers without drift: the n-th tick is due at start + n * interval, whenever the ticks before it were served.
 * The loop calls `expired` at a due tick; it must not fail and must not run Lua.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_TIMER_H
#define IL_LOOP_TIMER_H

#include "base/heap.h"

#include <stdbool.h>
#include <stdint.h>

struct il_timer {
	struct il_heap_item item;
	int64_t start, interval;
	int64_t served; /* number of the last tick that was served or counted as missed */
	void (*expired)(struct il_timer *t);
};

/* Sets the first tick to now + interval. Nothing is armed yet. */
void il_timer_start(struct il_timer *t, int64_t interval);

/* Puts the next tick that lies after `served` (or after now, if `future`) into the loop. 0 or ENOMEM. */
int il_timer_arm(struct il_timer *t, bool future);

void il_timer_disarm(struct il_timer *t);

/* The number of the last tick that is due by now; serves it: *missed is how many before it were never served. */
int64_t il_timer_serve(struct il_timer *t, int64_t *missed);

/* True if a tick is due that has not been served. */
bool il_timer_due(const struct il_timer *t);

/* Calls expired() of every timer that is due, each taken out of the heap before. */
void il_timers_expire(void);

/* Forgets all timers: in a forked child. */
void il_timers_drop(void);

#endif
