/* SPDX-License-Identifier: MIT
 *
 * What has to be looked at again after a while, since nothing tells when it changes: a process that cannot be watched,
 * a lock whose owner stands still. The pauses grow from a millisecond to LONGEST of later.c. Floor 1: no lua.h.
 */
#ifndef IL_LOOP_LATER_H
#define IL_LOOP_LATER_H

#include "loop/timer.h"

struct il_later {
	struct il_timer timer;
	int64_t pause;
	void (*look)(struct il_later *l); /* on the loop's thread, in busy Lua too; starts it again or stops it */
};

void il_later_init(struct il_later *l, void (*look)(struct il_later *l));

/* One look after the next pause; harmless if that is on its way. 0 or ENOMEM. */
int il_later_start(struct il_later *l);

/* No look any more; the pauses begin anew. */
void il_later_stop(struct il_later *l);

#endif
