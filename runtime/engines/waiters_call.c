/* SPDX-License-Identifier: MIT
 *
 * Calling, see waiters_call.h. Floor 2.
 */
#include "engines/waiters_call.h"
#include "engines/waiters_entry.h"
#include "engines/waiters_lookout.h"
#include "loop/futex.h"

/* In 65,536 ns: how long a process waits until its turn is kept for it, and until it goes before those that came
 * later. */
enum { PATIENCE = 3, OLD = 1000000000 >> 16 };

/* The last one that waits and wants it; before a ticket, if one is given. */
static struct il_waiter *find_waiting_last(const struct il_waiters *w, uint64_t offer, const uint32_t *before)
{
	struct il_waiter *last = NULL;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (il_waiter_state(e) == IL_WAITER_WAITING && il_waiter_fits(w, e, offer) &&
			(!before || il_waiter_comes_before(e, *before)) &&
			(!last || il_waiter_comes_behind(e, last->ticket)))
			last = e;
	}
	return last;
}

/* The one to call; `tried`: these have been. */
static struct il_waiter *find_next(const struct il_waiters *w, uint64_t offer, uint32_t tried, uint32_t last_ticket)
{
	if (!w->last_first)
		return il_waiters_find_waiting(w, offer, tried ? &last_ticket : NULL);
	struct il_waiter *first = tried ? NULL : il_waiters_find_waiting(w, offer, NULL);
	if (first && (int32_t)(il_waiters_now() - first->since) >= OLD)
		return first;
	return find_waiting_last(w, offer, tried > 1 ? &last_ticket : NULL);
}

/* If it is the first, and has waited for a while, no other process may take before it. */
static void note_call(struct il_waiters *w, struct il_waiter *e)
{
	uint32_t called = il_waiters_now();
	bool waited = (int32_t)(called - e->since) >= PATIENCE;
	w->called = true;
	il_put(&e->since, called);
	if (waited && w->turns && !il_get(&w->head->turn) && !il_waiters_find_before(w, e->ticket))
		il_put(&w->head->turn, (uint32_t)(e - w->at) + 1);
}

static bool has_gone(const struct il_waiter *e)
{
	return (int32_t)(il_waiters_now() - e->since) >= IL_WAITERS_LONG && il_waiter_has_ended(e);
}

void il_waiters_call_more(struct il_waiters *w, uint64_t offer, uint32_t n)
{
	struct il_waiter *e = find_next(w, offer, 0, 0);
	w->appointed_count = 0;
	for (uint32_t i = 1; e && n && i <= w->count; i++) {
		uint32_t ticket = e->ticket;
		if (il_waiter_is_own(w, e)) {
			n--; /* it tries again when the change is made */
		} else if (il_waiter_notify(w, e, IL_WAITER_CALLED, IL_WAITER_WAITING)) {
			note_call(w, e);
			if (w->lookouts)
				il_waiters_have_called_watched(w, e);
			n--;
		} else if (has_gone(e)) {
			il_waiter_set_state(e, IL_WAITER_FREE);
		}
		e = find_next(w, offer, i, ticket);
	}
}

void il_waiters_call(struct il_waiters *w, uint64_t offer, uint32_t n)
{
	for (uint32_t i = 0; i < il_waiters_used(w) && n; i++) {
		struct il_waiter *e = &w->at[i];
		if (il_waiter_state(e) == IL_WAITER_CALLED && il_waiter_fits(w, e, offer)) {
			n--;
			w->called = true; /* what has called it may have died */
		}
		if (il_waiter_state(e) == IL_WAITER_LATE && has_gone(e))
			il_waiter_set_state(e, IL_WAITER_FREE);
	}
	il_waiters_call_more(w, offer, n);
	if (w->lookouts && w->called)
		il_waiters_see_to_watch(w, (uint32_t)il_fork.pid, il_identity_start());
	il_waiters_shrink(w);
}

bool il_waiters_any(const struct il_waiters *w, bool (*needs)(uint64_t wants, uint64_t offer, const void *arg),
	uint64_t offer, const void *arg)
{
	for (uint32_t i = 0; i < il_waiters_used(w); i++)
		if (il_waiter_state(&w->at[i]) == IL_WAITER_WAITING && needs(w->at[i].wants, offer, arg))
			return true;
	return false;
}

void il_waiters_call_all(struct il_waiters *w, uint64_t offer)
{
	for (uint32_t i = 0; i < il_waiters_used(w); i++)
		if (il_waiter_state(&w->at[i]) == IL_WAITER_WAITING && il_waiter_fits(w, &w->at[i], offer))
			il_waiter_notify(w, &w->at[i], IL_WAITER_CALLED, IL_WAITER_CALLED);
	il_waiters_shrink(w);
}

bool il_waiters_any_called(const struct il_waiters *w)
{
	for (uint32_t i = 0; i < il_waiters_used(w); i++)
		if (il_waiter_state(&w->at[i]) == IL_WAITER_CALLED)
			return true;
	return false;
}

void il_waiters_recover(struct il_waiters *w)
{
	il_put(&w->head->used, w->count);
	il_put(&w->head->turn, 0);
	il_put(w->parked, il_get(w->parked) | w->bit);
	for (uint32_t i = 0; i < w->count; i++)
		if (il_waiter_state(&w->at[i]) != IL_WAITER_FREE)
			il_waiter_notify(w, &w->at[i], IL_WAITER_WAITING, IL_WAITER_WAITING);
	il_waiters_shrink(w);
}

static void wake(struct il_waiter *e)
{
	atomic_fetch_add((_Atomic uint32_t *)&e->word, IL_WAITER_COUNT);
	il_futex_wake(&e->word);
}

void il_waiters_wake_all(struct il_waiters *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		if (il_waiter_state(&w->at[i]) != IL_WAITER_FREE)
			wake(&w->at[i]);
}

void il_waiters_wake(struct il_waiters *w, uint64_t offer)
{
	for (uint32_t i = 0; i < il_waiters_used(w); i++)
		if (il_waiter_state(&w->at[i]) != IL_WAITER_FREE && il_waiter_fits(w, &w->at[i], offer))
			wake(&w->at[i]);
}
