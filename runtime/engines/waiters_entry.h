/* SPDX-License-Identifier: MIT
 *
 * The entries of a table of sleeping processes, for the files of waiters.h. An entry is free, waits, was called, or was
 * called long ago. Floor 2.
 */
#ifndef IL_ENGINES_WAITERS_ENTRY_H
#define IL_ENGINES_WAITERS_ENTRY_H

#include "base/clock.h"
#include "base/fork.h"
#include "engines/waiters.h"
#include "os/identity.h"
#include "os/process_watch.h"

#include <stddef.h>

/* The word of an entry. */
enum {
	IL_WAITER_FREE,
	IL_WAITER_WAITING,
	IL_WAITER_CALLED,
	IL_WAITER_LATE,
	IL_WAITER_STATE = 3, /* its bits */
	IL_WAITER_COUNT = 8, /* what one change adds */
};

enum { IL_WAITERS_LONG = 20000000 >> 16 }; /* how long what was called may take; in 65,536 ns */

static inline uint32_t il_waiters_now(void)
{
	return (uint32_t)(il_now() >> 16);
}

static inline uint32_t il_waiter_state(const struct il_waiter *e)
{
	return il_get(&e->word) & IL_WAITER_STATE;
}

static inline uint32_t il_waiters_used(const struct il_waiters *w)
{
	uint32_t used = w->count ? il_get(&w->head->used) : 0;
	return used < w->count ? used : w->count;
}

static inline bool il_waiter_fits(const struct il_waiters *w, const struct il_waiter *e, uint64_t offer)
{
	return !w->fits || w->fits(e->wants, offer);
}

static inline bool il_waiter_comes_before(const struct il_waiter *a, uint32_t ticket)
{
	return (int32_t)(a->ticket - ticket) < 0;
}

static inline bool il_waiter_comes_behind(const struct il_waiter *a, uint32_t ticket)
{
	return (int32_t)(a->ticket - ticket) > 0;
}

/* It is in the order: one that was passed over comes back to its place later. */
static inline bool il_waiter_counts(const struct il_waiter *e)
{
	return il_waiter_state(e) == IL_WAITER_WAITING || il_waiter_state(e) == IL_WAITER_CALLED;
}

static inline bool il_waiter_has_ended(const struct il_waiter *e)
{
	return il_process_watch_ended((pid_t)e->pid, e->start);
}

/* The entry is ours still: what another process wrote there wrongly is not used. */
static inline bool il_waiters_has_place(const struct il_waiters *w)
{
	if (!il_waiters_joined(w))
		return false;
	const struct il_waiter *e = &w->at[w->place];
	return e->pid == (uint32_t)il_fork.pid && e->start == il_identity_start() &&
		il_waiter_state(e) != IL_WAITER_FREE;
}

static inline bool il_waiter_is_own(const struct il_waiters *w, const struct il_waiter *e)
{
	return il_waiters_has_place(w) && e == &w->at[w->place];
}

void il_waiter_set_state(struct il_waiter *e, uint32_t state);

/* The last in the order before a ticket. NULL: that is the first. */
struct il_waiter *il_waiters_find_before(const struct il_waiters *w, uint32_t ticket);

/* The first in the order behind a ticket. */
struct il_waiter *il_waiters_find_behind(const struct il_waiters *w, uint32_t ticket);

/* The first that waits and wants the offer; behind a ticket, if one is given. */
struct il_waiter *il_waiters_find_waiting(const struct il_waiters *w, uint64_t offer, const uint32_t *behind);

/* Wakes the process of an entry, whose state becomes `state`; if none of its threads slept, or it does something else,
 * `awake`. True: it slept. */
bool il_waiter_notify(struct il_waiters *w, struct il_waiter *e, uint32_t state, uint32_t awake);

/* Entries at the end became free. */
void il_waiters_shrink(struct il_waiters *w);

#endif
