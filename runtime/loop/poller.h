/* SPDX-License-Identifier: MIT
 *
 * What is waited for without a descriptor: System V objects, locks, words in shared memory. While waits are short the
 * loop polls them itself; before it blocks, each is handed to what can watch it: a thread, a futex.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_POLLER_H
#define IL_LOOP_POLLER_H

#include "base/list.h"

#include <stdbool.h>

struct il_poller {
	struct il_list node; /* in the loop's list: waited for, and not armed */
	bool (*poll)(struct il_poller *p); /* does not block; true: a wait has ended */
	bool (*arm)(struct il_poller *p); /* the loop is about to block: has it watched; out of the list already */
	/* The loop waits for nothing else: blocks in its place until something comes, or a signal; true: a wait has
	 * ended. NULL: it cannot. */
	bool (*block)(struct il_poller *p);
	int misses; /* polls in a row that found nothing */
};

void il_poller_init(struct il_poller *p, bool (*poll)(struct il_poller *), bool (*arm)(struct il_poller *));

/* To be polled by the loop, or not any more. Both harmless if it is so already. */
void il_poller_add(struct il_poller *p);
void il_poller_del(struct il_poller *p);

/* For the loop: polls all; true: some wait has ended. One that was polled too often without a result is armed, unless
 * `no_arm`. */
bool il_pollers_poll(bool no_arm);

/* The only one that is to be polled, if it can block; or NULL. */
struct il_poller *il_pollers_only(void);

/* For the loop: arms all; true: some wait has ended, there is no reason to block. */
bool il_pollers_arm(void);

#endif
