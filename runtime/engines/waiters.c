/* SPDX-License-Identifier: MIT
 *
 * Joining and leaving the table of processes that sleep, and turns, see waiters.h. Floor 2.
 */
#include "engines/waiters.h"
#include "base/fork.h"
#include "engines/waiters_call.h"
#include "engines/waiters_entry.h"
#include "engines/waiters_lookout.h"

/* Leaving ----------------------------------------------------------------------------------------------- */

static void forget_turn(struct il_waiters *w, const struct il_waiter *e)
{
	if (il_get(&w->head->turn) == (uint32_t)(e - w->at) + 1)
		il_put(&w->head->turn, 0);
}

/* One that came later has taken something: that is to be watched, too. */
static void notify_first(struct il_waiters *w)
{
	struct il_waiter *e = il_waiters_find_waiting(w, 0, NULL);
	if (w->turns && e && !il_waiters_find_before(w, e->ticket))
		il_waiter_notify(w, e, IL_WAITER_WAITING, IL_WAITER_WAITING);
}

/* A process has left its place. The next one watches it; now there may be another one to watch, or what only the first
 * one watches. That need not be so if it is `served`: then it has what the next one wants. */
static void hand_over_watch(struct il_waiters *w, uint32_t ticket, bool served)
{
	struct il_waiter *next = w->ordered ? il_waiters_find_behind(w, ticket) : NULL;
	bool first = w->ordered && !il_waiters_find_before(w, ticket);
	bool needs = w->lookouts ? first && w->first_watches : !first || w->first_watches;
	if (next && il_waiter_state(next) == IL_WAITER_WAITING && (!served || needs))
		il_waiter_notify(w, next, IL_WAITER_WAITING, IL_WAITER_WAITING);
	if (served && w->ordered && !first)
		notify_first(w);
}

static uint64_t passed_offer(const struct il_waiters *w, const struct il_waiter *e)
{
	return w->passes_to_any ? UINT64_MAX : e->wants;
}

static void take_out(struct il_waiters *w, struct il_waiter *e, bool served)
{
	uint32_t ticket = e->ticket;
	uint64_t offer = passed_offer(w, e);
	bool pass = w->ordered && !served && il_waiter_state(e) == IL_WAITER_CALLED;
	il_waiter_set_state(e, IL_WAITER_FREE);
	forget_turn(w, e);
	if (pass)
		il_waiters_call_more(w, offer, 1);
	hand_over_watch(w, ticket, served);
	il_waiters_shrink(w);
}

void il_waiters_leave(struct il_waiters *w, bool served)
{
	if (il_waiters_has_place(w))
		take_out(w, &w->at[w->place], served);
	w->joined = false;
}

static void remove_watched(struct il_waiters *w, struct il_lookout *l)
{
	struct il_lookout dead = *l;
	if (!il_process_watch_ended((pid_t)dead.pid, dead.start))
		return;
	il_put(&l->pid, 0);
	for (uint32_t i = 0; i < il_waiters_used(w); i++)
		if (w->at[i].pid == dead.pid && w->at[i].start == dead.start &&
			il_waiter_state(&w->at[i]) != IL_WAITER_FREE)
			take_out(w, &w->at[i], false);
}

void il_waiters_remove_dead(struct il_waiters *w)
{
	for (uint32_t i = 0; i < w->count && il_waiters_has_place(w); i++) {
		struct il_waiter *e = il_waiters_find_before(w, w->ticket);
		if (!e || !il_waiter_has_ended(e))
			break;
		take_out(w, e, false);
	}
	for (int i = 0; w->lookouts && i < IL_LOOKOUTS && il_waiters_has_place(w); i++)
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
	il_waiter_set_state(e, IL_WAITER_LATE);
	forget_turn(w, e);
	il_waiters_call_more(w, passed_offer(w, e), 1);
	hand_over_watch(w, e->ticket, false);
}

bool il_waiters_pass_late(struct il_waiters *w, bool all)
{
	bool more = false;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		struct il_waiter *e = &w->at[i];
		if (il_waiter_state(e) != IL_WAITER_CALLED)
			continue;
		if (!all && (int32_t)(il_waiters_now() - e->since) < IL_WAITERS_LONG) {
			more = true;
			continue;
		}
		pass_over(w, e, il_waiter_has_ended(e));
	}
	return more;
}

bool il_waiters_took(struct il_waiters *w)
{
	const struct il_waiter *first = NULL;
	for (uint32_t i = 0; i < il_waiters_used(w); i++) {
		const struct il_waiter *e = &w->at[i];
		if (il_waiter_counts(e) && !il_waiter_is_own(w, e) &&
			(!first || il_waiter_comes_before(e, first->ticket)))
			first = e;
	}
	w->took = first != NULL;
	w->notified = first ? first->ticket - 1 : 0;
	w->last = il_get(&w->head->ticket);
	w->next = 1;
	return w->took;
}

bool il_waiters_notify_some(struct il_waiters *w)
{
	for (uint32_t n = 0; w->took && n < w->next; n++) {
		struct il_waiter *e = il_waiters_find_waiting(w, 0, &w->notified);
		w->took = e && !il_waiter_comes_behind(e, w->last);
		if (!w->took)
			break;
		w->notified = e->ticket;
		if (!il_waiter_is_own(w, e))
			il_waiter_notify(w, e, IL_WAITER_WAITING, IL_WAITER_WAITING);
	}
	w->next *= 2;
	return w->took;
}

void il_waiters_quit(struct il_waiters *w)
{
	if (il_waiters_has_place(w))
		il_waiter_set_state(&w->at[w->place], IL_WAITER_FREE);
	w->joined = false;
}

/* Joining ----------------------------------------------------------------------------------------------- */

/* A free entry, at best the one it has had before: a helper thread of this process may still sleep on its word. If
 * there is none, another one is checked each time: its process may have died. */
static struct il_waiter *find_free(struct il_waiters *w)
{
	struct il_waiter *own = &w->at[w->place];
	if (w->place < w->count && il_waiter_state(own) == IL_WAITER_FREE && own->pid == (uint32_t)il_fork.pid)
		return own;
	for (uint32_t i = 0; i < w->count; i++)
		if (il_waiter_state(&w->at[i]) == IL_WAITER_FREE)
			return &w->at[i];
	struct il_waiter *e = &w->at[w->checked++ % w->count];
	if (!il_waiter_has_ended(e))
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
	if (il_waiters_used(w) <= w->place)
		il_put(&w->head->used, w->place + 1);
	il_put(w->parked, il_get(w->parked) | w->bit);
	return true;
}

static void come_last(struct il_waiters *w)
{
	w->ticket = il_get(&w->head->ticket) + 1;
	w->since = il_waiters_now();
	il_put(&w->head->ticket, w->ticket);
}

/* It had an entry: where another one follows it, that one is told. */
static void renew(struct il_waiters *w, struct il_waiter *e, bool served)
{
	uint32_t ticket = w->ticket, state = il_waiter_state(e);
	forget_turn(w, e);
	if (state != IL_WAITER_WAITING)
		il_waiter_set_state(e, IL_WAITER_WAITING);
	if (served)
		come_last(w);
	if (served || state == IL_WAITER_LATE)
		hand_over_watch(w, ticket, served && state != IL_WAITER_LATE);
}

uint32_t *il_waiters_join(struct il_waiters *w, uint64_t wants, bool served, uint32_t *expected)
{
	bool new = !il_waiters_has_place(w);
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
		il_waiter_set_state(e, IL_WAITER_WAITING);
	const struct il_waiter *before = w->ordered ? il_waiters_find_before(w, w->ticket) : NULL;
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
	if (il_waiters_has_place(w) && w->place == place)
		return true;
	if (place < w->count && il_waiter_state(e) == IL_WAITER_CALLED) {
		bool late = (uint32_t)(il_waiters_now() - e->since) >= IL_WAITERS_LONG;
		if (!check && !late)
			return false;
		bool gone = il_waiter_has_ended(e);
		if (!gone && !late)
			return false;
		pass_over(w, e, gone);
	}
	il_put(&w->head->turn, 0);
	return true;
}
