/* SPDX-License-Identifier: MIT
 *
 * A second latch for a part of a segment, so that two sides do not take one latch from each other. It is taken alone by
 * operations on that part, or joined to the segment's latch by those that need both. The kernel tells of a dead owner
 * of one latch only. So a latch that was joined says so in its word, and is known to be a dead owner's when the
 * segment's latch can be had; and what a dead owner left is repaired with both. Floor 2.
 */
#ifndef IL_SHM_SECOND_H
#define IL_SHM_SECOND_H

#include "engines/shm/segment.h"

/* What is shared: all zero at first. */
struct il_shm_second {
	uint32_t latch;
	uint32_t changes; /* futex: goes up when this part changes */
	uint32_t parked; /* operations sleep on it: a change that they may wait for is made with both latches */
	uint32_t removed; /* so is the segment */
};

/* The process's view of it. */
struct il_second {
	struct il_segment *segment;
	struct il_shm_second *shared;
	struct il_patience patience;
	int (*repair)(struct il_segment *s); /* with both latches: makes the segment whole. 0 or EUCLEAN */
};

/* Takes this latch alone. Errors as of il_segment_enter. */
int il_second_enter(struct il_second *x);
int il_second_enter_soon(struct il_second *x);
void il_second_leave(struct il_second *x);

/* With the segment's latch: takes this one as well. 0, EUCLEAN, ETIMEDOUT; soon, EAGAIN. */
int il_second_join(struct il_second *x, bool soon);
void il_second_part(struct il_second *x);

/* Has its owner died? Then what that one was about to give back is known when the segment was repaired. */
bool il_second_is_orphaned(const struct il_second *x);

/* With the segment's latch, whose owner died: takes this one and repairs. For recover of a segment's type. */
int il_second_recover(struct il_second *x);

#endif
