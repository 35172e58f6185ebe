/* SPDX-License-Identifier: MIT
 *
 * Jobs: messages that are taken until they are done. What a message is stands in the state of its record
 * (blocks_layout.h); one store of that takes it from one to another: a process that dies anywhere leaves one of the
 * two. Beside the states there is where jobs are kept: two trees, an index, a table of ids. All that is found again by
 * walking.
 *
 *   ready (in the order, or again) → taken → gone, again, delayed or dead;   delayed → again;   dead → again or gone
 *
 * All functions are for receivers, and answer 0 or EUCLEAN where they say no more. Floor 2.
 */
#ifndef IL_SHM_JOBS_H
#define IL_SHM_JOBS_H

#include "engines/shm/blocks_layout.h"

/* Makes a message what the state says. `value`: of a taken one its token, of a delayed one when it is due. *m is what
 * it is then. */
int il_jobs_move(const struct il_blocks *v, struct il_message *m, uint64_t state, uint64_t value);

/* It is gone: one that is not in the order. */
int il_jobs_end(const struct il_blocks *v, struct il_message *m);

/* A ready one is taken, by the process of a slot. */
int il_jobs_take(const struct il_blocks *v, struct il_message *m, uint32_t slot, uint32_t tag, uint64_t *token);

/* The state of one that is taken, or delayed, or dead, when it is ready again. */
static inline uint64_t il_jobs_ready_again(uint64_t state)
{
	return il_state_with(il_state_with(il_state_with(state, IL_STATE_KIND, IL_RECORD_AGAIN), IL_STATE_TAG, 0),
		IL_STATE_SLOT, 0);
}

/* With both latches: a message that was committed leaves the order for what it is to be. */
int il_jobs_add(const struct il_blocks *v, uint32_t block, uint64_t state, uint64_t value);

/* The limit of attempts: its own, or that. */
uint32_t il_jobs_limit(const struct il_blocks *v, const struct il_message *m, uint32_t limit);

/* The oldest dead letter. EAGAIN: there is none. */
int il_jobs_oldest_dead(const struct il_blocks *v, struct il_message *m);

/* In recovery: nothing is kept anywhere; and a record is kept where it belongs. */
void il_jobs_clear(const struct il_blocks *v);
int il_jobs_keep(const struct il_blocks *v, uint32_t block);

#endif
