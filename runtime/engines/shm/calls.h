/* SPDX-License-Identifier: MIT
 *
 * Processes that this one has called (engines/waiters.h), and that may not come: they are stopped, or busy. Then others
 * wait, though there is something for them. So this process checks after a while, or when it ends, and calls the next
 * one.
 * Floor 2.
 */
#ifndef IL_SHM_CALLS_H
#define IL_SHM_CALLS_H

#include "engines/shm/segment.h"
#include "engines/waiters.h"
#include "loop/recheck.h"

struct il_shm_calls {
	struct il_list node; /* in the list of all that have called */
	struct il_segment *segment; /* kept until it has checked */
	struct il_waiters *waiters;
	/* Take the latch that guards the waiters, as il_segment_enter_soon does, and release it. */
	int (*enter)(struct il_segment *s);
	void (*leave)(struct il_segment *s);
	/* Operations of this process try again: what was called for may be for them now. */
	void (*retry)(struct il_shm_calls *c);
	uint32_t generation; /* that has called, or 0 */
	bool leaves; /* the latch could not be had: the process is to leave the table, too */
	struct il_recheck later;
};

void il_shm_calls_init(struct il_shm_calls *c, struct il_segment *s, struct il_waiters *w,
	void (*retry)(struct il_shm_calls *c));

/* The segment goes. */
void il_shm_calls_fini(struct il_shm_calls *c);

void il_shm_calls_add(struct il_shm_calls *c);

/* With the latch: a process may have been called. */
static inline void il_shm_calls_note(struct il_shm_calls *c)
{
	if (c->waiters->called)
		il_shm_calls_add(c);
}

/* With the latch: a process that this one watches has ended, or may have. What it has called may not come, and it
 * cannot see to that any more: this process does. */
void il_shm_calls_remove_dead(struct il_shm_calls *c);

/* Without the latch: a handle is closed. If all have come, nothing is kept. */
void il_shm_calls_stop_if_done(struct il_shm_calls *c);

/* The process ends, and cannot check later: calls the next ones now. */
void il_shm_calls_check_all(void);

/* Without the latch: this process does not wait any more. */
void il_shm_calls_leave(struct il_shm_calls *c);

#endif
