/* SPDX-License-Identifier: MIT
 *
 * Where jobs are that wait for their time, and those that are taken: an index of blocks. From its beginning on is a
 * heap of the delayed ones, the first of which is due first; at its end those that are taken, without an order. Each
 * record knows where it is. All functions are for receivers. Floor 2.
 */
#ifndef IL_SHM_JOB_INDEX_H
#define IL_SHM_JOB_INDEX_H

#include "engines/shm/blocks_layout.h"

#include <errno.h>
#include <stdbool.h>

/* 0 or EUCLEAN, here and below. */
int il_job_index_add_delayed(const struct il_blocks *v, uint32_t block);

static inline bool il_job_index_is_sound(const struct il_blocks *c)
{
	const struct il_shm_jobs *j = c->jobs;
	return j->delayed <= c->count && j->taken <= c->count - j->delayed;
}

static inline void il_job_index_put(const struct il_blocks *c, uint32_t at, uint32_t block)
{
	c->index[at] = block;
	il_record_at(c, block)->index = at;
}

/* Those that are taken are inline, as what calls them: each job is one of them for a moment. */
static inline int il_job_index_add_taken(const struct il_blocks *c, uint32_t block)
{
	if (!il_job_index_is_sound(c) || c->jobs->delayed == c->count - c->jobs->taken)
		return EUCLEAN;
	c->jobs->taken++;
	il_job_index_put(c, c->count - c->jobs->taken, block);
	return 0;
}

/* A part of the next one, for what was not the last to be taken. */
int il_job_index_move_taken(const struct il_blocks *v, uint32_t block);

static inline int il_job_index_del_taken(const struct il_blocks *c, uint32_t block)
{
	uint32_t last = c->count - c->jobs->taken;
	if (!c->jobs->taken || last >= c->count || c->index[last] != block)
		return il_job_index_move_taken(c, block);
	c->jobs->taken--;
	return 0;
}

/* The one that is due first leaves. */
int il_job_index_del_first(const struct il_blocks *v);

/* The one that is due first; the n-th of those that are taken, from 0 on. False: there is none, or it is damaged. */
bool il_job_index_first(const struct il_blocks *v, struct il_message *m);
bool il_job_index_taken(const struct il_blocks *v, uint32_t n, struct il_message *m);

#endif
