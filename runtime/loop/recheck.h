/* SPDX-License-Identifier: MIT
 *
 * What has to be checked again after a while, since no event tells of its change: a process that cannot be watched, a
 * lock whose owner is stopped. The pauses grow from a millisecond to LONGEST of recheck.c. Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_RECHECK_H
#define IL_LOOP_RECHECK_H

#include "loop/timer.h"

struct il_recheck {
	struct il_timer timer;
	int64_t pause;
	void (*check)(struct il_recheck *r); /* on the loop's thread, in busy Lua too; starts it again or stops it */
};

void il_recheck_init(struct il_recheck *r, void (*check)(struct il_recheck *r));

/* One check after the next pause; harmless if that is on its way. 0 or ENOMEM. */
int il_recheck_start(struct il_recheck *r);

/* The same after the longest pause: nothing is expected to be found. */
int il_recheck_start_late(struct il_recheck *r);

/* No check any more; the pauses begin anew. */
void il_recheck_stop(struct il_recheck *r);

#endif
