/* SPDX-License-Identifier: MIT
 *
 * The table of processes that sleep, see waiters.h. An entry is free, waits, was called, or was called long ago. A
 * process that does not sleep just now is told and not counted as called: it may be busy for long. Nor is one that has
 * died. Floor 2.
 */
#include "engines/waiters.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/futex.h"
#include "os/identity.h"
#include "os/latch.h"
#include "os/process_watch.h"

#include <stddef.h>

enum { FREE, WAITING, CALLED, LATE, STATE = 3, COUNT = 8 };

/* In 65,536 ns: how long a process waits until its turn is kept for it, until its pages have left the caches, and until
 * it goes before those that came later; and how long what was called may take. */
enum { PATIENCE = 3, COLD = 100000000 >> 16, OLD = 1000000000 >> 16, LONG = 20000000 >> 16 };

static uint32_t now(void)
{
	return (uint32_t)(il_now() >> 16);
}

static uint32_t state_of(const struct il_waiter *e)
{
	return il_get(&e->word) & STATE;
}

static void set_state(struct il_waiter *e, uint32_t state)
{
	uint32_t word = il_get(&e->word);
	while (!atomic_compare_exchange_strong((_Atomic uint32_t *)&e->word, &word,
		((word & ~(uint32_t)STATE) + COUNT) | state))
		;
}

/* The same, unless its process leaves just now, without the latch. */
static void change_state(struct il_waiter *e, uint32_t state)
{
	uint32_t word = il_get(&e->word);
	while ((word & STATE) != FREE &&
		!atomic_compare_exchange_strong((_Atomic uint32_t *)&e->word, &word,
			((word & ~(uint32_t)STATE) + COUNT) | state))
		;
}

static uint32_t used_of(const struct il_waiters *w)
{
	uint32_t used = w->count ? il_get(&w->head->used) : 0;
	return used < w->count ? used : w->count;
}

static bool fits(const struct il_waiters *w, const struct il_waiter *e, uint64_t offer)
{
	return !w->fits || w->fits(e->wants, offer);
}

static bool comes_before(const struct il_waiter *a, uint32_t ticket)
{
	return (int32_t)(a->ticket - ticket) < 0;
}

bool il_waiters_joined(const struct il_waiters *w)
{
	return w->joined && il_fork_is_own(w->generation);
}

/* The entry is ours still: what another process wrote there wrongly is not used. */
static bool has_place(const struct il_waiters *w)
{
	if (!il_waiters_joined(w))
		return false;
	const struct il_waiter *e = &w->at[w->place];
	return e->pid == (uint32_t)il_fork.pid && e->start == il_identity_start() && state_of(e) != FREE;
}

static bool is_own(const struct il_waiters *w, const struct il_waiter *e)
{
	return has_place(w) && e == &w->at[w->place];
}

static bool has_ended(const struct il_waiter *e)
{
	return il_process_watch_ended((pid_t)e->pid, e->start);
}

static bool comes_behind(const struct il_waiter *a, uint32_t ticket)
{
	return (int32_t)(a->ticket - ticket) > 0;
}

/* It is in the order: one that was passed over comes back to its place later. */
static bool counts(const struct il_waiter *e)
{
	return state_of(e) == WAITING || state_of(e) == CALLED;
}

/* The last before a ticket. NULL: that is the first. */
static struct il_waiter *find_before(const struct il_waiters *w, uint32_t ticket)
{
	struct il_waiter *last = NULL;
	for (uint32_t i = 0; i < used_of(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (counts(e) && comes_before(e, ticket) && (!last || comes_behind(e, last->ticket)))
			last = e;
	}
	return last;
}

/* The first behind a ticket. */
static struct il_waiter *find_behind(const struct il_waiters *w, uint32_t ticket)
{
	struct il_waiter *first = NULL;
	for (uint32_t i = 0; i < used_of(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (counts(e) && comes_behind(e, ticket) && (!first || comes_before(e, first->ticket)))
			first = e;
	}
	return first;
}

/* The first that waits and wants it; behind a ticket, if one is given. */
static struct il_waiter *find_waiting(const struct il_waiters *w, uint64_t offer, const uint32_t *behind)
{
	struct il_waiter *first = NULL;
	for (uint32_t i = 0; i < used_of(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (state_of(e) == WAITING && fits(w, e, offer) && (!behind || comes_behind(e, *behind)) &&
			(!first || comes_before(e, first->ticket)))
			first = e;
	}
	return first;
}

/* The last one that waits and wants it; before a ticket, if one is given. */
static struct il_waiter *find_waiting_last(const struct il_waiters *w, uint64_t offer, const uint32_t *before)
{
	struct il_waiter *last = NULL;
	for (uint32_t i = 0; i < used_of(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (state_of(e) == WAITING && fits(w, e, offer) && (!before || comes_before(e, *before)) &&
			(!last || comes_behind(e, last->ticket)))
			last = e;
	}
	return last;
}

/* The one to call; `tried`: these have been. */
static struct il_waiter *find_next(const struct il_waiters *w, uint64_t offer, uint32_t tried, uint32_t last_ticket)
{
	if (!w->last_first)
		return find_waiting(w, offer, tried ? &last_ticket : NULL);
	struct il_waiter *first = tried ? NULL : find_waiting(w, offer, NULL);
	if (first && (int32_t)(now() - first->since) >= OLD)
		return first;
	return find_waiting_last(w, offer, tried > 1 ? &last_ticket : NULL);
}

static void shrink(struct il_waiters *w)
{
	uint32_t used = used_of(w);
	while (used && state_of(&w->at[used - 1]) == FREE)
		used--;
	il_put(&w->head->used, used);
	if (!used)
		il_put(w->parked, il_get(w->parked) & ~w->bit);
}

/* Calling ----------------------------------------------------------------------------------------------- */

/* The state after it was told: if no thread slept, or it does something else, that is `awake`. True: it slept. */
static bool conclude(struct il_waiter *e, bool slept, uint32_t state, uint32_t awake)
{
	uint32_t word = il_get(&e->word), next;
	bool asleep;
	do {
		asleep = slept && !(word & IL_WAITER_AWAY);
		next = ((word & ~(uint32_t)STATE) + COUNT) | (asleep ? state : awake);
	} while ((word & STATE) != FREE && !atomic_compare_exchange_strong((_Atomic uint32_t *)&e->word, &word, next));
	return asleep;
}

static bool rouse(const struct il_waiters *w, struct il_waiter *e)
{
	return (w->latch ? il_latch_gather(w->latch, &e->word) : il_futex_wake(&e->word)) > 0;
}

/* The word changes first, so that the process does not begin to sleep in between: a thread of another one may still
 * sleep on it, and hide that this one did not. If we die before the sleeper is woken, what it is called for has not
 * happened. True: it slept. */
static bool tell(struct il_waiters *w, struct il_waiter *e, uint32_t state, uint32_t awake)
{
	change_state(e, state_of(e));
	return conclude(e, rouse(w, e), state, awake);
}

/* Lookouts ---------------------------------------------------------------------------------------------- */

static struct il_waiter *find_ticket(const struct il_waiters *w, uint32_t ticket)
{
	for (uint32_t i = 0; i < used_of(w); i++)
		if (counts(&w->at[i]) && w->at[i].ticket == ticket)
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
	bool cold = (int32_t)(now() - e->since) >= COLD;
	return !best || (cold && comes_behind(e, best->ticket));
}

/* Before a ticket, if one is given. */
static struct il_waiter *find_watcher(const struct il_waiters *w, uint32_t pid, uint64_t start, const uint32_t *before)
{
	struct il_waiter *best = NULL, *e;
	for (uint32_t i = 0; i < used_of(w); i++) {
		e = &w->at[i];
		if (state_of(e) == WAITING && !is_own(w, e) && (e->pid != pid || e->start != start) &&
			(!before || comes_before(e, *before)) && watches_well(e, best))
			best = e;
	}
	return best;
}

/* True: it slept. One that was asked by this process already is on its way. */
static bool ask_to_watch(struct il_waiters *w, struct il_waiter *e)
{
	for (uint32_t i = 0; i < w->asked_to_watch; i++)
		if (w->asked_tickets[i] == e->ticket)
			return true;
	if (!tell(w, e, WAITING, WAITING))
		return false;
	if (w->asked_to_watch < IL_MOST_ASKED)
		w->asked_tickets[w->asked_to_watch++] = e->ticket;
	return true;
}

/* A process that sleeps is to watch another one: which. NULL: none is found, or need be. */
static struct il_waiter *have_watched(struct il_waiters *w, uint32_t pid, uint64_t start)
{
	struct il_lookout *l = find_lookout(w, pid, start);
	struct il_waiter *e = l ? find_watcher(w, pid, start, NULL) : NULL;
	for (int i = 0; e && i < IL_MOST_ASKED; i++) {
		uint32_t ticket = e->ticket;
		il_put(&l->watcher, ticket);
		il_put64(&l->start, start);
		il_put(&l->pid, pid);
		if (ask_to_watch(w, e))
			return e;
		il_put(&l->pid, 0);
		e = find_watcher(w, pid, start, &ticket);
	}
	return NULL;
}

/* What watches is watched itself, by a third one, or by the first. */
static void see_to_watch(struct il_waiters *w, uint32_t pid, uint64_t start)
{
	struct il_waiter *e = have_watched(w, pid, start);
	for (int i = 0; e && i < IL_MOST_ASKED; i++)
		e = have_watched(w, e->pid, e->start);
}

/* A process that was called is watched by the one behind it, if that knows that it is. */
static void have_called_watched(struct il_waiters *w, const struct il_waiter *e)
{
	const struct il_waiter *next = find_behind(w, e->ticket);
	if (!next || state_of(next) != WAITING || il_get(&w->lookouts->before[next - w->at]) != e->ticket)
		see_to_watch(w, e->pid, e->start);
}

/* Calling on -------------------------------------------------------------------------------------------- */

/* If it is the first, and has waited for a while, no other process may take before it. */
static void note_call(struct il_waiters *w, struct il_waiter *e)
{
	uint32_t called = now();
	bool waited = (int32_t)(called - e->since) >= PATIENCE;
	w->called = true;
	il_put(&e->since, called);
	if (waited && w->turns && !il_get(&w->head->turn) && !find_before(w, e->ticket))
		il_put(&w->head->turn, (uint32_t)(e - w->at) + 1);
}

static bool has_gone(const struct il_waiter *e)
{
	return (int32_t)(now() - e->since) >= LONG && has_ended(e);
}

static void call_more(struct il_waiters *w, uint64_t offer, uint32_t n)
{
	struct il_waiter *e = find_next(w, offer, 0, 0);
	w->asked_to_watch = 0;
	for (uint32_t i = 1; e && n && i <= w->count; i++) {
		uint32_t ticket = e->ticket;
		if (is_own(w, e)) {
			n--; /* it looks when the change is made */
		} else if (tell(w, e, CALLED, WAITING)) {
			note_call(w, e);
			if (w->lookouts)
				have_called_watched(w, e);
			n--;
		} else if (has_gone(e)) {
			set_state(e, FREE);
		}
		e = find_next(w, offer, i, ticket);
	}
}

bool il_waiters_is_watched(const struct il_waiters *w, int i)
{
	const struct il_lookout *l = &w->lookouts->at[i];
	return l->pid && l->watcher == w->ticket && l->pid != (uint32_t)il_fork.pid;
}

void il_waiters_call(struct il_waiters *w, uint64_t offer, uint32_t n)
{
	for (uint32_t i = 0; i < used_of(w) && n; i++) {
		struct il_waiter *e = &w->at[i];
		if (state_of(e) == CALLED && fits(w, e, offer)) {
			n--;
			w->called = true; /* what has called it may have died */
		}
		if (state_of(e) == LATE && has_gone(e))
			set_state(e, FREE);
	}
	call_more(w, offer, n);
	if (w->lookouts && w->called)
		see_to_watch(w, (uint32_t)il_fork.pid, il_identity_start());
	shrink(w);
}

bool il_waiters_any(const struct il_waiters *w, bool (*needs)(uint64_t wants, uint64_t offer, const void *arg),
	uint64_t offer, const void *arg)
{
	for (uint32_t i = 0; i < used_of(w); i++)
		if (state_of(&w->at[i]) == WAITING && needs(w->at[i].wants, offer, arg))
			return true;
	return false;
}

/* Leaving ----------------------------------------------------------------------------------------------- */

static void forget_turn(struct il_waiters *w, const struct il_waiter *e)
{
	if (il_get(&w->head->turn) == (uint32_t)(e - w->at) + 1)
		il_put(&w->head->turn, 0);
}

/* One that came later has taken something: that is to be watched, too. */
static void tell_first(struct il_waiters *w)
{
	struct il_waiter *e = find_waiting(w, 0, NULL);
	if (w->turns && e && !find_before(w, e->ticket))
		tell(w, e, WAITING, WAITING);
}

/* A process has left its place. The next one watches it; now there may be another one to watch, or what only the first
 * one watches. That need not be so if it is `served`: then it has what the next one wants. */
static void hand_over_watch(struct il_waiters *w, uint32_t ticket, bool served)
{
	struct il_waiter *next = w->ordered ? find_behind(w, ticket) : NULL;
	bool first = w->ordered && !find_before(w, ticket);
	bool needs = w->lookouts ? first && w->first_watches : !first || w->first_watches;
	if (next && state_of(next) == WAITING && (!served || needs))
		tell(w, next, WAITING, WAITING);
	if (served && w->ordered && !first)
		tell_first(w);
}

void il_waiters_call_all(struct il_waiters *w, uint64_t offer)
{
	for (uint32_t i = 0; i < used_of(w); i++)
		if (state_of(&w->at[i]) == WAITING && fits(w, &w->at[i], offer))
			tell(w, &w->at[i], CALLED, CALLED);
	shrink(w);
}

static uint64_t passed_offer(const struct il_waiters *w, const struct il_waiter *e)
{
	return w->passes_to_any ? UINT64_MAX : e->wants;
}

static void take_out(struct il_waiters *w, struct il_waiter *e, bool served)
{
	uint32_t ticket = e->ticket;
	uint64_t offer = passed_offer(w, e);
	bool pass = w->ordered && !served && state_of(e) == CALLED;
	set_state(e, FREE);
	forget_turn(w, e);
	if (pass)
		call_more(w, offer, 1);
	hand_over_watch(w, ticket, served);
	shrink(w);
}

void il_waiters_leave(struct il_waiters *w, bool served)
{
	if (has_place(w))
		take_out(w, &w->at[w->place], served);
	w->joined = false;
}

static void remove_watched(struct il_waiters *w, struct il_lookout *l)
{
	struct il_lookout dead = *l;
	if (!il_process_watch_ended((pid_t)dead.pid, dead.start))
		return;
	il_put(&l->pid, 0);
	for (uint32_t i = 0; i < used_of(w); i++)
		if (w->at[i].pid == dead.pid && w->at[i].start == dead.start && state_of(&w->at[i]) != FREE)
			take_out(w, &w->at[i], false);
}

void il_waiters_remove_dead(struct il_waiters *w)
{
	for (uint32_t i = 0; i < w->count && has_place(w); i++) {
		struct il_waiter *e = find_before(w, w->ticket);
		if (!e || !has_ended(e))
			break;
		take_out(w, e, false);
	}
	for (int i = 0; w->lookouts && i < IL_LOOKOUTS && has_place(w); i++)
		if (il_waiters_is_watched(w, i))
			remove_watched(w, &w->lookouts->at[i]);
}

/* It was called and does not come. */
static void pass_over(struct il_waiters *w, struct il_waiter *e, bool gone)
{
	if (gone) {
		take_out(w, e, false);
		return;
	}
	set_state(e, LATE);
	forget_turn(w, e);
	call_more(w, passed_offer(w, e), 1);
	hand_over_watch(w, e->ticket, false);
}

bool il_waiters_pass_late(struct il_waiters *w, bool all)
{
	bool more = false;
	for (uint32_t i = 0; i < used_of(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (state_of(e) != CALLED)
			continue;
		if (!all && (int32_t)(now() - e->since) < LONG) {
			more = true;
			continue;
		}
		pass_over(w, e, has_ended(e));
	}
	return more;
}

bool il_waiters_took(struct il_waiters *w)
{
	const struct il_waiter *first = NULL;
	for (uint32_t i = 0; i < used_of(w); i++) {
		const struct il_waiter *e = &w->at[i];
		if (counts(e) && !is_own(w, e) && (!first || comes_before(e, first->ticket)))
			first = e;
	}
	w->took = first != NULL;
	w->told = first ? first->ticket - 1 : 0;
	w->last = il_get(&w->head->ticket);
	w->next = 1;
	return w->took;
}

bool il_waiters_tell_some(struct il_waiters *w)
{
	for (uint32_t n = 0; w->took && n < w->next; n++) {
		struct il_waiter *e = find_waiting(w, 0, &w->told);
		w->took = e && !comes_behind(e, w->last);
		if (!w->took)
			break;
		w->told = e->ticket;
		if (!is_own(w, e))
			tell(w, e, WAITING, WAITING);
	}
	w->next *= 2;
	return w->took;
}

bool il_waiters_any_called(const struct il_waiters *w)
{
	for (uint32_t i = 0; i < used_of(w); i++)
		if (state_of(&w->at[i]) == CALLED)
			return true;
	return false;
}

void il_waiters_recover(struct il_waiters *w)
{
	il_put(&w->head->used, w->count);
	il_put(&w->head->turn, 0);
	il_put(w->parked, il_get(w->parked) | w->bit);
	for (uint32_t i = 0; i < w->count; i++)
		if (state_of(&w->at[i]) != FREE)
			tell(w, &w->at[i], WAITING, WAITING);
	shrink(w);
}

static void wake(struct il_waiter *e)
{
	atomic_fetch_add((_Atomic uint32_t *)&e->word, COUNT);
	il_futex_wake(&e->word);
}

void il_waiters_wake_all(struct il_waiters *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		if (state_of(&w->at[i]) != FREE)
			wake(&w->at[i]);
}

void il_waiters_wake(struct il_waiters *w, uint64_t offer)
{
	for (uint32_t i = 0; i < used_of(w); i++)
		if (state_of(&w->at[i]) != FREE && fits(w, &w->at[i], offer))
			wake(&w->at[i]);
}

void il_waiters_quit(struct il_waiters *w)
{
	if (has_place(w))
		set_state(&w->at[w->place], FREE);
	w->joined = false;
}

/* Joining ----------------------------------------------------------------------------------------------- */

/* A free entry, at best the one it has had before: a helper thread of this process may still sleep on its word. If
 * there is none, another one is checked each time: its process may have died. */
static struct il_waiter *find_free(struct il_waiters *w)
{
	struct il_waiter *own = &w->at[w->place];
	if (w->place < w->count && state_of(own) == FREE && own->pid == (uint32_t)il_fork.pid)
		return own;
	for (uint32_t i = 0; i < w->count; i++)
		if (state_of(&w->at[i]) == FREE)
			return &w->at[i];
	struct il_waiter *e = &w->at[w->asked++ % w->count];
	if (!has_ended(e))
		return NULL;
	take_out(w, e, false);
	return e;
}

static bool take_place(struct il_waiters *w)
{
	struct il_waiter *e = find_free(w);
	w->joined = e != NULL;
	if (!e)
		return false;
	w->place = (uint32_t)(e - w->at);
	w->generation = il_fork.generation;
	il_put(&e->pid, (uint32_t)il_fork.pid);
	il_put64(&e->start, il_identity_start());
	if (used_of(w) <= w->place)
		il_put(&w->head->used, w->place + 1);
	il_put(w->parked, il_get(w->parked) | w->bit);
	return true;
}

static void come_last(struct il_waiters *w)
{
	w->ticket = il_get(&w->head->ticket) + 1;
	w->since = now();
	il_put(&w->head->ticket, w->ticket);
}

/* It had an entry: where another one follows it, that one is told. */
static void renew(struct il_waiters *w, struct il_waiter *e, bool served)
{
	uint32_t ticket = w->ticket, state = state_of(e);
	forget_turn(w, e);
	if (state != WAITING)
		set_state(e, WAITING);
	if (served)
		come_last(w);
	if (served || state == LATE)
		hand_over_watch(w, ticket, served && state != LATE);
}

uint32_t *il_waiters_join(struct il_waiters *w, uint64_t wants, bool served, uint32_t *expected)
{
	bool new = !has_place(w);
	if (new && !take_place(w))
		return NULL;
	struct il_waiter *e = &w->at[w->place];
	if (new)
		come_last(w);
	else
		renew(w, e, served);
	il_put64(&e->wants, wants);
	il_put(&e->ticket, w->ticket);
	il_put(&e->since, w->since);
	if (new)
		set_state(e, WAITING);
	const struct il_waiter *before = w->ordered ? find_before(w, w->ticket) : NULL;
	w->before = before ? (pid_t)before->pid : 0;
	w->before_start = before ? before->start : 0;
	if (w->lookouts)
		il_put(&w->lookouts->before[w->place], before ? before->ticket : 0);
	*expected = il_get(&e->word) & ~(uint32_t)IL_WAITER_AWAY;
	return &e->word;
}

/* Turns ------------------------------------------------------------------------------------------------- */

bool il_waiters_may_take_now(struct il_waiters *w, bool check)
{
	uint32_t place = il_get(&w->head->turn) - 1;
	struct il_waiter *e = &w->at[place];
	if (has_place(w) && w->place == place)
		return true;
	if (place < w->count && state_of(e) == CALLED) {
		bool late = (uint32_t)(now() - e->since) >= LONG;
		if (!check && !late)
			return false;
		bool gone = has_ended(e);
		if (!gone && !late)
			return false;
		pass_over(w, e, gone);
	}
	il_put(&w->head->turn, 0);
	return true;
}
