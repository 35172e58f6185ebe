/* SPDX-License-Identifier: MIT
 *
 * Entries of sleeping processes, see waiters_entry.h. A process that does not sleep just now is notified and not
 * counted as called: it may be busy for long. Nor is one that has died. Floor 2.
 */
#include "engines/waiters_entry.h"
#include "loop/futex.h"
#include "os/latch.h"

void il_waiter_set_state(struct il_waiter *e, uint32_t state)
{
	uint32_t word = il_get(&e->word);
	while (!atomic_compare_exchange_strong((_Atomic uint32_t *)&e->word, &word,
		((word & ~(uint32_t)IL_WAITER_STATE) + IL_WAITER_COUNT) | state))
		;
}

/* As il_waiter_set_state, unless its process leaves just now, without the latch. */
static void change_state(struct il_waiter *e, uint32_t state)
{
	uint32_t word = il_get(&e->word);
	while ((word & IL_WAITER_STATE) != IL_WAITER_FREE &&
		!atomic_compare_exchange_strong((_Atomic uint32_t *)&e->word, &word,
			((word & ~(uint32_t)IL_WAITER_STATE) + IL_WAITER_COUNT) | state))
		;
}

struct il_waiter *il_waiters_find_before(const struct il_waiters *w, uint32_t ticket)
{
	struct il_waiter *last = NULL;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (il_waiter_counts(e) && il_waiter_comes_before(e, ticket) &&
			(!last || il_waiter_comes_behind(e, last->ticket)))
			last = e;
	}
	return last;
}

struct il_waiter *il_waiters_find_behind(const struct il_waiters *w, uint32_t ticket)
{
	struct il_waiter *first = NULL;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (il_waiter_counts(e) && il_waiter_comes_behind(e, ticket) &&
			(!first || il_waiter_comes_before(e, first->ticket)))
			first = e;
	}
	return first;
}

struct il_waiter *il_waiters_find_waiting(const struct il_waiters *w, uint64_t offer, const uint32_t *behind)
{
	struct il_waiter *first = NULL;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (il_waiter_state(e) == IL_WAITER_WAITING && il_waiter_fits(w, e, offer) &&
			(!behind || il_waiter_comes_behind(e, *behind)) &&
			(!first || il_waiter_comes_before(e, first->ticket)))
			first = e;
	}
	return first;
}

void il_waiters_shrink(struct il_waiters *w)
{
	uint32_t used = il_waiters_used(w);
	while (used && il_waiter_state(&w->at[used - 1]) == IL_WAITER_FREE)
		used--;
	il_put(&w->head->used, used);
	if (!used)
		il_put(w->parked, il_get(w->parked) & ~w->bit);
}

/* Sets the state after the process was notified, see il_waiter_notify. */
static bool conclude(struct il_waiter *e, bool slept, uint32_t state, uint32_t awake)
{
	uint32_t word = il_get(&e->word), next;
	bool asleep;
	do {
		asleep = slept && !(word & IL_WAITER_AWAY);
		next = ((word & ~(uint32_t)IL_WAITER_STATE) + IL_WAITER_COUNT) | (asleep ? state : awake);
	} while ((word & IL_WAITER_STATE) != IL_WAITER_FREE &&
		!atomic_compare_exchange_strong((_Atomic uint32_t *)&e->word, &word, next));
	return asleep;
}

static bool rouse(const struct il_waiters *w, struct il_waiter *e)
{
	return (w->latch ? il_latch_gather(w->latch, &e->word) : il_futex_wake(&e->word)) > 0;
}

/* The word changes first, so that the process does not begin to sleep in between: a thread of another one may still
 * sleep on it, and hide that this one did not. If we die before the sleeper is woken, what it is called for has not
 * happened. */
bool il_waiter_notify(struct il_waiters *w, struct il_waiter *e, uint32_t state, uint32_t awake)
{
	change_state(e, il_waiter_state(e));
	return conclude(e, rouse(w, e), state, awake);
}
