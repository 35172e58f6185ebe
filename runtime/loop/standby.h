/* SPDX-License-Identifier: MIT
 *
 * The thread that stands by while the loop sleeps on futexes: it sleeps until a rare descriptor is ready, such as that
 * of another process, and wakes the loop then. So the loop can wait for the end of a process at no cost: in epoll it
 * would need a thread for its futexes, with two switches more for each of their changes.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_STANDBY_H
#define IL_LOOP_STANDBY_H

#include "loop/thread_pool.h"

#include <stdbool.h>

struct il_standby {
	struct il_work work;
	int fd; /* the set of the rare ones */
	bool active;
};

/* Has a thread stand by, if a rare descriptor is waited for. False: there can be none, so the loop has to sleep in
 * epoll. */
bool il_standby_start(void);

/* Is a rare descriptor waited for? If not, no thread stands by from now on. */
bool il_standby_is_needed(void);

#endif
