/* SPDX-License-Identifier: MIT
 *
 * The processes that take jobs of a queue: each has a slot, which the state of a taken job names, from its first take
 * to its end, or until it closes the queue. All functions are for receivers. Floor 2.
 */
#ifndef IL_SHM_JOB_HOLDERS_H
#define IL_SHM_JOB_HOLDERS_H

#include "base/fork.h"
#include "engines/shm/blocks_layout.h"
#include "os/identity.h"

#include <sys/types.h>

/* One bit for each slot that has ever been used; all others are in the set. */
struct il_holder_set {
	uint64_t bits[IL_HOLDERS / 64];
	uint32_t used;
};

static inline bool il_holder_set_has(const struct il_holder_set *set, uint32_t slot)
{
	return slot >= set->used || (set->bits[slot / 64] >> slot % 64 & 1);
}

/* Is the slot this process's? */
static inline bool il_job_holders_is_own(const struct il_blocks *c, uint32_t slot)
{
	const struct il_shm_holder *h = &c->holders[slot];
	return slot < c->slots && h->pid == (uint32_t)il_fork.pid && h->start == il_identity_start();
}

/* Gives this process a slot. EUSERS: none is free. */
int il_job_holders_add(const struct il_blocks *v, uint32_t *slot);
void il_job_holders_del(const struct il_blocks *v, uint32_t slot);

/* Slots from here on have never been used. Without a latch, too. */
uint32_t il_job_holders_used(const struct il_blocks *v);

/* The process of a slot: another one than this. False: there is none. Without a latch, too. */
bool il_job_holders_other(const struct il_blocks *v, uint32_t slot, pid_t *pid, uint64_t *start);

/* The slots that no process has, or only one that has ended. True: of the latter there is one. */
bool il_job_holders_find_dead(const struct il_blocks *v, struct il_holder_set *dead);

#endif
