/* SPDX-License-Identifier: MIT
 *
 * Gates: what a process passes, one at a time, before it asks LMDB for one of its locks; those can only be waited for
 * with the whole thread, and without end. So LMDB's locks are never contended, and a process waits at a gate with
 * patience. Nothing else depends on a gate: LMDB's locks see to that. One whose owner has died is free. Floor 2: no
 * lua.h.
 */
#ifndef IL_STORE_GATE_H
#define IL_STORE_GATE_H

#include "os/patience.h"

#include <stdbool.h>
#include <stdint.h>

/* In a store's control file; all zero at first. */
struct il_gate {
	uint64_t owner; /* its pid, and from OWNER_BITS of gate.c on the time it started; 0: it is free */
	uint32_t turns; /* futex: goes up when it becomes free, if a process waits */
	uint32_t waiting; /* a process does */
};

/* 0; EAGAIN: not now, try again later; ETIMEDOUT: the process inside stands still. It blocks for some milliseconds, and
 * not at all if the one inside has not moved since the call before. Or `patiently`, and not EAGAIN: until that is sure.
 */
int il_gate_enter(struct il_gate *g, struct il_patience *p, bool patiently);
void il_gate_leave(struct il_gate *g);

/* Looks without entering: 0, it is free; EBUSY: it is not, but may be soon; EAGAIN: it is not; ETIMEDOUT. */
int il_gate_poll(struct il_gate *g, struct il_patience *p);

#endif
