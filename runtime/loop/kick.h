/* SPDX-License-Identifier: MIT
 *
 * System calls that block and have no timeout, on the loop's own thread: msgrcv, semop, flock. A signal makes them
 * return, with EINTR. One that comes just before the call would be lost: so a timer sends it again and again, from the
 * deadline or from the first il_loop_wake on, until the call has returned.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_KICK_H
#define IL_LOOP_KICK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct il_loop;

struct il_kick {
	timer_t timer; /* sends IL_SIGNAL_POOL to the loop's thread */
	uint32_t owner; /* its generation: a fork inherits no timers */
	atomic_bool blocked; /* the loop's thread is in such a call */
	atomic_bool armed; /* the timer */
};

/* The handler of IL_SIGNAL_POOL, without SA_RESTART: it makes a system call return. 0 or errno. */
int il_kick_handler(void);

/* False: that cannot be done here. */
bool il_kick_prepare(void);

/* The call between these two returns at `until`, and when il_loop_wake is called. False: it has been already, so there
 * must not be a call; il_kick_end has to follow all the same. */
bool il_kick_begin(int64_t until);
void il_kick_end(void);

/* For il_loop_wake; async-signal-safe. */
void il_kick(struct il_loop *loop);

#endif
