/* SPDX-License-Identifier: MIT
 *
 * How long others wait for a process that holds a short lock: until it has not run for five seconds. It moves if the
 * lock passes from one owner to the next, or if its owner gets to run: a large copy on a busy machine may take as long
 * as it needs, up to a minute. Floor 1b: no lua.h.
 */
#ifndef IL_OS_PATIENCE_H
#define IL_OS_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of one waiter for one lock; all zero at first. */
struct il_patience {
	uint64_t turn;
	uint64_t ran; /* of the owner, ns */
	int64_t since; /* when this turn was first seen; 0: it waits for none */
	int64_t end;
	bool moves; /* at the last check it had moved, or was new */
};

/* The lock is had by `owner`; `turn` is a number that the next owner's turn does not have. False: it stands still, and
 * so it does at each further call until it moves. */
bool il_patience_left(struct il_patience *p, uint64_t turn, pid_t owner);

/* Is there any use in sleeping for it? EBUSY: yes, it moves; EAGAIN: not now, it has not moved since the last check;
 * ETIMEDOUT: it stands still. */
int il_patience_doubt(struct il_patience *p, uint64_t turn, pid_t owner);

/* It has moved: it was free, or a wake-up came. */
static inline void il_patience_renew(struct il_patience *p)
{
	p->since = 0;
}

#endif
