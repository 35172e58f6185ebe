/* SPDX-License-Identifier: MIT
 *
 * Timers, see timer.h. Floor 1a.
 */
#include "loop/timer.h"
#include "base/clock.h"
#include "base/list.h"
#include "loop/state.h"

static int64_t due_at(const struct il_timer *t, int64_t tick)
{
	int64_t span;
	if (__builtin_mul_overflow(t->interval, tick, &span))
		return IL_NEVER;
	return il_time_add(t->start, span);
}

/* An interval of 0 (a one-shot that is due at once) has one tick only. */
static int64_t last_due(const struct il_timer *t, int64_t now)
{
	return t->interval > 0 ? (now - t->start) / t->interval : 1;
}

void il_timer_start(struct il_timer *t, int64_t interval)
{
	il_timer_disarm(t);
	t->start = il_now();
	t->interval = interval;
	t->served = 0;
}

int il_timer_arm(struct il_timer *t, bool future)
{
	int64_t tick = t->served + 1;
	if (future) {
		int64_t after_now = last_due(t, il_now()) + 1;
		tick = after_now > tick ? after_now : tick;
	}
	int64_t due = due_at(t, tick);
	if (t->item.place || due == IL_NEVER)
		return 0;
	return il_heap_add(&il_loop->timers, &t->item, due);
}

void il_timer_disarm(struct il_timer *t)
{
	il_heap_del(&il_loop->timers, &t->item);
}

int64_t il_timer_serve(struct il_timer *t, int64_t *missed)
{
	int64_t tick = last_due(t, il_now());
	if (tick <= t->served)
		tick = t->served + 1;
	*missed = tick - t->served - 1;
	t->served = tick;
	return tick;
}

bool il_timer_due(const struct il_timer *t)
{
	return due_at(t, t->served + 1) <= il_now();
}

void il_timers_expire(void)
{
	if (!il_loop->timers.count)
		return;
	int64_t now = il_now();
	while (il_heap_min(&il_loop->timers) <= now) {
		struct il_heap_item *top = il_heap_top(&il_loop->timers);
		struct il_timer *t = il_container_of(top, struct il_timer, item);
		il_heap_del(&il_loop->timers, top);
		t->expired(t);
	}
}

void il_timers_drop(void)
{
	for (uint32_t i = 0; i < il_loop->timers.count; i++)
		il_loop->timers.entries[i].item->place = 0;
	il_heap_fini(&il_loop->timers);
}
