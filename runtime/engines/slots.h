/* SPDX-License-Identifier: MIT
 *
 * Slots of 64 bits in memory that processes share, whichever engine has mapped it: changed by single atomic
 * instructions, and waited for. Beside the slots are some words: a latch, a count of changes that is slept on,
 * which slots are slept for, and whether it was removed; and a table of the processes that sleep (waiters.h), or they
 * all sleep on the count. Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_SLOTS_H
#define IL_ENGINES_SLOTS_H

#include "engines/engine.h"
#include "engines/waiters.h"
#include "loop/futex.h"
#include "loop/poller.h"
#include "loop/recheck.h"
#include "os/patience.h"

/* The process's view of it. */
struct il_slots {
	int64_t *at;
	size_t count;
	uint32_t *latch, *changes, *removed; /* all NULL: another program made it, and no wait is possible */
	uint32_t *marks; /* bits of the slots that are slept for */
	uint32_t mark_words; /* how many words that is; bit 0 of the first is the same as bit 0 of the one behind the
				last */
	uint32_t *parked; /* processes sleep on the count. NULL: all do, there is no table */
	struct il_waiters waiters; /* what is shared of it filled in */
	const volatile bool *lost; /* what is mapped is no longer shared; NULL: cannot happen */
	const uint64_t *space; /* the pid namespace in which the latch means something */
	bool (*gone)(struct il_slots *s); /* asks the system whether it was removed; or NULL */
	struct il_list ops; /* operations that wait */
	struct il_poller poller;
	struct il_futex word;
	uint64_t wants; /* slots, as in waiters.h: of all operations since there was none */
	uint32_t *sleeps_on; /* the word, when all operations had been marked, */
	uint32_t expected; /* and its value */
	uint32_t still; /* the latch, as it was when it could not be had; or 0 */
	struct il_patience patience; /* with the latch's owner */
	struct il_recheck later; /* the operations could not be marked */
};

/* What an engine's handle begins with. */
struct il_slots_handle {
	struct il_memory memory;
	struct il_slots *slots;
};

/* With at, count, the words, lost and gone filled in. */
void il_slots_init(struct il_slots *s);

/* No operation waits any more. */
void il_slots_fini(struct il_slots *s);

/* The handle's part that is the same everywhere. */
void il_slots_handle_init(struct il_slots_handle *h, struct il_slots *s, const struct il_memory_ops *ops);

/* Ends the waits through a handle with ECANCELED. */
void il_slots_close(struct il_slots *s, const struct il_memory *m);

/* 0, EUCLEAN, EXDEV, or ETIMEDOUT: the latch's owner is stopped. Not for slots without words. */
int il_slots_enter(struct il_slots *s);
void il_slots_leave(struct il_slots *s);

/* With the latch, before something is changed: wakes all sleepers. They must get the latch before they sleep again. */
void il_slots_change(struct il_slots *s);

/* True: a wait of this process has ended. */
bool il_slots_poll(struct il_slots *s);

/* For the il_memory_ops. */
bool il_slots_wait_attempt(struct il_op *op);
int il_slots_wait_start(struct il_op *op);
bool il_slots_wait_cancel(struct il_op *op);
void il_slots_write(struct il_memory *m, size_t slot, int64_t value);
int64_t il_slots_add(struct il_memory *m, size_t slot, int64_t n);
bool il_slots_swap(struct il_memory *m, size_t slot, int64_t *expected, int64_t value);

#endif
