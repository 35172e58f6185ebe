/* SPDX-License-Identifier: MIT
 *
 * Words in shared memory that other processes change: futexes. Watched words are slept on while the loop blocks: by the
 * loop's own thread, if there is no descriptor to watch as well, else by threads, some words to a thread.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_FUTEX_H
#define IL_LOOP_FUTEX_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct il_futex_waiter;

struct il_futexes {
	struct il_list watched; /* on which no thread sleeps yet */
	struct il_list waiters; /* of struct il_futex_waiter */
	bool away; /* the bits are set */
	bool few_threads; /* a thread could not be made */
};

struct il_futex {
	struct il_list node;
	uint32_t *address;
	uint32_t expected; /* slept on as long as it has this value */
	void (*changed)(struct il_futex *futex); /* on the loop's thread; it is not watched any more */
	/* A bit of the word that is set while a thread sleeps on it and the loop does not, so that other processes know
	 * that their news may not be read for long. 0: there is no such bit. It is not compared. */
	uint32_t away;
	struct il_futex_waiter *waiter; /* whose thread sleeps on it */
	int place;
};

void il_futex_init(struct il_futex *futex, void (*changed)(struct il_futex *futex));

/* Has it slept on from the next time the loop blocks. Not watched twice. */
void il_futex_watch(struct il_futex *futex, uint32_t *address, uint32_t expected);

static inline bool il_futex_watched(const struct il_futex *futex)
{
	return futex->waiter || !il_list_empty(&futex->node);
}

/* Harmless if it is not watched. The memory may go away afterwards. */
void il_futex_unwatch(struct il_futex *futex);

/* Wakes all processes that sleep on a word, which has been changed. A number: how many threads that were. */
int il_futex_wake(uint32_t *address);

/* For the loop, while it does not sleep: calls changed() of the words that have changed and on which no thread sleeps.
 * True: there were some. If many are watched, threads sleep on them from now on, unless `no_arm`. */
bool il_futexes_poll(bool no_arm);

/* Is any word watched on which no thread sleeps yet? */
bool il_futexes_any(void);

/* For the loop: sleeps until a watched word changes, il_loop_wake is called or the time has come; calls changed() of
 * all that have changed. False: that cannot be done without threads. */
bool il_futexes_sleep(uint32_t *wakes, uint32_t seen, int64_t until);

/* For the loop: moves all watched futexes to helper threads. False: no thread could be made; changed() was called for
 * each, and the callers must poll. */
bool il_futexes_hand_out(void);

/* For the loop: it is about to sleep while threads sleep on words, or has slept: clears and sets the bits `away`. The
 * second calls changed() of words that were changed before their bit was set, and of which no thread has reported yet.
 * With many words no bit is set. */
void il_futexes_asleep(void);
void il_futexes_awake(void);

/* Nothing is watched any more; no thread sleeps on what was, as in a forked child. */
void il_futexes_drop(void);

#endif
