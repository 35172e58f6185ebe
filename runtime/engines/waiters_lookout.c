/* SPDX-License-Identifier: MIT
 *
 * Lookouts, see waiters_lookout.h. Floor 2.
 */
#include "engines/waiters_lookout.h"
#include "engines/waiters_entry.h"

enum { COLD = 100000000 >> 16 }; /* until the pages of a process have left the caches; in 65,536 ns */

static struct il_waiter *find_ticket(const struct il_waiters *w, uint32_t ticket)
{
	for (uint32_t i = 0; i < il_waiters_used(w); i++)
		if (il_waiter_counts(&w->at[i]) && w->at[i].ticket == ticket)
			return &w->at[i];
	return NULL;
}

static bool is_watched(const struct il_waiters *w, const struct il_lookout *l)
{
	return l->pid && find_ticket(w, l->watcher);
}

static struct il_lookout *find_unused(const struct il_waiters *w)
{
	for (int i = 0; i < IL_LOOKOUTS; i++)
		if (!w->lookouts->at[i].pid)
			return &w->lookouts->at[i];
	for (int i = 0; i < IL_LOOKOUTS; i++)
		if (!is_watched(w, &w->lookouts->at[i]))
			return &w->lookouts->at[i];
	return NULL;
}

/* The record of a process, or a free one. NULL: too many are watched, or this one already. */
static struct il_lookout *find_lookout(const struct il_waiters *w, uint32_t pid, uint64_t start)
{
	for (int i = 0; i < IL_LOOKOUTS; i++) {
		struct il_lookout *l = &w->lookouts->at[i];
		if (l->pid == pid && l->start == start)
			return is_watched(w, l) ? NULL : l;
	}
	return find_unused(w);
}

/* The one that is the least likely to be called soon: neither is it old, nor are its pages in the caches. */
static bool watches_well(const struct il_waiter *e, const struct il_waiter *best)
{
	bool cold = (int32_t)(il_waiters_now() - e->since) >= COLD;
	return !best || (cold && il_waiter_comes_behind(e, best->ticket));
}

/* Before a ticket, if one is given. */
static struct il_waiter *find_watcher(const struct il_waiters *w, uint32_t pid, uint64_t start, const uint32_t *before)
{
	struct il_waiter *best = NULL;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		struct il_waiter *e = &w->at[i];
		bool other = !il_waiter_is_own(w, e) && (e->pid != pid || e->start != start);
		if (il_waiter_state(e) == IL_WAITER_WAITING && other &&
			(!before || il_waiter_comes_before(e, *before)) && watches_well(e, best))
			best = e;
	}
	return best;
}

/* True: it slept. One that this process has appointed already is on its way. */
static bool appoint(struct il_waiters *w, struct il_waiter *e)
{
	for (uint32_t i = 0; i < w->appointed_count; i++)
		if (w->appointed[i] == e->ticket)
			return true;
	if (!il_waiter_notify(w, e, IL_WAITER_WAITING, IL_WAITER_WAITING))
		return false;
	if (w->appointed_count < IL_MOST_WATCHERS)
		w->appointed[w->appointed_count++] = e->ticket;
	return true;
}

/* A process that sleeps is to watch another one: which. NULL: none is found, or need be. */
static struct il_waiter *have_watched(struct il_waiters *w, uint32_t pid, uint64_t start)
{
	struct il_lookout *l = find_lookout(w, pid, start);
	struct il_waiter *e = l ? find_watcher(w, pid, start, NULL) : NULL;
	for (int i = 0; e && i < IL_MOST_WATCHERS; i++) {
		uint32_t ticket = e->ticket;
		il_put(&l->watcher, ticket);
		il_put64(&l->start, start);
		il_put(&l->pid, pid);
		if (appoint(w, e))
			return e;
		il_put(&l->pid, 0);
		e = find_watcher(w, pid, start, &ticket);
	}
	return NULL;
}

void il_waiters_see_to_watch(struct il_waiters *w, uint32_t pid, uint64_t start)
{
	struct il_waiter *e = have_watched(w, pid, start);
	for (int i = 0; e && i < IL_MOST_WATCHERS; i++)
		e = have_watched(w, e->pid, e->start);
}

void il_waiters_have_called_watched(struct il_waiters *w, const struct il_waiter *e)
{
	const struct il_waiter *next = il_waiters_find_behind(w, e->ticket);
	if (!next || il_waiter_state(next) != IL_WAITER_WAITING ||
		il_get(&w->lookouts->before[next - w->at]) != e->ticket)
		il_waiters_see_to_watch(w, e->pid, e->start);
}

bool il_waiters_is_watched(const struct il_waiters *w, int i)
{
	const struct il_lookout *l = &w->lookouts->at[i];
	return l->pid && l->watcher == w->ticket && l->pid != (uint32_t)il_fork.pid;
}
