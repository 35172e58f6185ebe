/* SPDX-License-Identifier: MIT
 *
 * The processes that sleep until something shared changes: a table in shared memory, with an entry and a futex for each
 * of them. A change calls the process that can use it, and no other. The table is bounded; a process for which there is
 * no entry sleeps on the count of changes as before. Floor 2: no lua.h.
 *
 * The table is guarded by the latch that changes are made with, and all functions want it held, but where that is said.
 * A call comes before the change it tells of: the kernel moves the sleeper to the latch, which wakes it when it is
 * released, or when its owner dies. So a process that dies anywhere has changed nothing, or the other one tries again.
 *
 * Of an ordered table each process watches the one before it (`before`). If that dies between its call and what it was
 * called for, the next one passes the call on. With lookouts what has called is watched, too, and what was called if
 * the one behind it does not know of it. A process that stands still is passed over after a while: what has called it
 * sees to that (il_waiters_pass_late).
 *
 * What calls is in waiters_call.h, what watches in waiters_lookout.h; the entries are in waiters_entry.h.
 */
#ifndef IL_ENGINES_WAITERS_H
#define IL_ENGINES_WAITERS_H

#include "base/fork.h"
#include "base/shared_atomic.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* An entry. What is read of it is not believed. */
struct il_waiter {
	uint32_t word; /* futex: a state in the lowest two bits, IL_WAITER_AWAY, and a count */
	uint32_t pid;
	uint64_t start;
	uint64_t wants; /* the noun's */
	uint32_t ticket; /* the order */
	uint32_t since; /* when it came, or was called: 65,536 ns each */
};

/* Of the word: the process does something else, though a thread of it sleeps on the word. See struct il_futex. */
enum { IL_WAITER_AWAY = 4 };

/* A process that one of the table is to watch, beside the one before it: one that was called and that the one behind it
 * does not watch; one that calls, and may die before what it has called has come; one that watches. All zero: none. */
struct il_lookout {
	uint32_t pid;
	uint32_t watcher; /* the ticket of the process that watches it */
	uint64_t start;
};

enum { IL_LOOKOUTS = 32, IL_LOOKOUT_PLACES = 64, IL_MOST_WATCHERS = 4 };

struct il_lookouts {
	struct il_lookout at[IL_LOOKOUTS];
	uint32_t before[IL_LOOKOUT_PLACES]; /* of each entry: the ticket of the one before it that it watches */
};

/* What stands beside the entries. */
struct il_waiters_head {
	uint32_t ticket; /* the last one that was given */
	uint32_t used; /* entries from here on are free */
	uint32_t turn; /* 1 + the entry of the process that is the only one to take next, or 0 */
	uint32_t reserved;
};

/* The process's view. Of an inert one all behind `first_watches` is zero. */
struct il_waiters {
	struct il_waiters_head *head;
	struct il_waiter *at;
	uint32_t count;
	uint32_t *latch; /* NULL: another lock guards it, and what is called is woken at once */
	uint32_t *parked, bit; /* a bit that is set while there are entries */
	/* Is what is offered of use for a process that wants this? NULL: always. */
	bool (*fits)(uint64_t wants, uint64_t offer);
	bool ordered; /* one after the other is called, and each is to watch the one before */
	/* The one that came last is called first, for its memory is still in the caches; but not while another one
	 * waits for a second. */
	bool last_first;
	struct il_lookouts *lookouts; /* shared, for IL_LOOKOUT_PLACES entries at most; or NULL */
	bool turns; /* one that has waited for a while takes before those that do not wait */
	bool passes_to_any; /* what is passed on is not what was wanted, but of use for any one */
	bool first_watches; /* the first one watches what the others do not: so it is told that it is the first */
	bool joined;
	uint32_t generation; /* that has joined */
	uint32_t place, ticket, since; /* as they were written down */
	bool called; /* a process was called, or was on its way already, since this was last set to false */
	/* This process has taken something. Those that came up to `last` may not know, but those up to `notified` do.
	 * So many are notified next: */
	bool took;
	uint32_t notified, last, next;
	uint32_t checked; /* entries, whether their process has died */
	pid_t before; /* the process to watch, or 0 */
	uint64_t before_start;
	uint32_t appointed[IL_MOST_WATCHERS], appointed_count; /* tickets of those that watch since this call */
};

/* This process is about to sleep, or sleeps and has found nothing; `served`: it has got something since it joined, and
 * comes last. The word to sleep on, as long as it is *expected; NULL: the table is full, or has no place for us. */
uint32_t *il_waiters_join(struct il_waiters *w, uint64_t wants, bool served, uint32_t *expected);

/* It waits no more. If it was not `served`, a call for it is passed on. */
void il_waiters_leave(struct il_waiters *w, bool served);

/* The same without the latch; of a table that is not ordered. */
void il_waiters_quit(struct il_waiters *w);

/* It has an entry. */
static inline bool il_waiters_joined(const struct il_waiters *w)
{
	return w->joined && il_fork_is_own(w->generation);
}

/* A process to watch has died, or may have: takes those out that have, and passes on what they were called for. What
 * they have called may not come: see il_waiters_any_called. */
void il_waiters_remove_dead(struct il_waiters *w);

/* The same of what was called long ago and has not come: it is stopped, or busy. True: others are still on their way.
 * With `all`, as if all had been called long ago. */
bool il_waiters_pass_late(struct il_waiters *w, bool all);

/* This process has taken what others wait for. True: these may sleep, and are to watch it, see the next one. */
bool il_waiters_took(struct il_waiters *w);

/* After a while, if it has not given it back: notifies some of those that sleep since before, ever more of them each
 * time, so that what they watch is what there is. True: there are more. */
bool il_waiters_notify_some(struct il_waiters *w);

/* May this process take now? Not if it is the turn of another one that comes; with `check`, if that lives. */
bool il_waiters_may_take_now(struct il_waiters *w, bool check);

static inline bool il_waiters_may_take(struct il_waiters *w, bool check)
{
	return !il_get(&w->head->turn) || il_waiters_may_take_now(w, check);
}

/* What processes may want, where a change tells all that want a key: one key of 63 bits; or several, as a mask in which
 * some others seem to be. */
enum { IL_WANTS_BITS = 63 };

static inline uint64_t il_wants_mask(uint64_t key)
{
	return (uint64_t)1 << IL_WANTS_BITS | (uint64_t)1 << key % IL_WANTS_BITS;
}

/* `any`: something is wanted already. */
static inline uint64_t il_wants_add(bool any, uint64_t wants, uint64_t key)
{
	if (!any || wants == key)
		return key;
	return (wants >> IL_WANTS_BITS ? wants : il_wants_mask(wants)) | il_wants_mask(key);
}

static inline bool il_wants_one(uint64_t wants)
{
	return !(wants >> IL_WANTS_BITS);
}

static inline bool il_wants_fit(uint64_t wants, uint64_t key)
{
	return wants >> IL_WANTS_BITS ? wants >> key % IL_WANTS_BITS & 1 : wants == key;
}

#endif
