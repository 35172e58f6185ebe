/* SPDX-License-Identifier: MIT
 *
 * Where jobs are that wait for their time, and those that are taken: an index of blocks. From its beginning on is a
 * heap of the delayed ones, the first of which is due first; at its end those that are taken, without an order. Each
 * record knows where it is. All functions are for receivers. Floor 2.
 */
#ifndef IL_SHM_JOB_INDEX_H
#define IL_SHM_JOB_INDEX_H

#include "engines/shm/blocks_layout.h"

/* 0 or EUCLEAN, here and below. */
int il_job_index_add_delayed(const struct il_blocks *v, uint32_t block);
int il_job_index_add_taken(const struct il_blocks *v, uint32_t block);
int il_job_index_del_taken(const struct il_blocks *v, uint32_t block);

/* The one that is due first leaves. */
int il_job_index_del_first(const struct il_blocks *v);

/* The one that is due first; the n-th of those that are taken, from 0 on. False: there is none, or it is damaged. */
bool il_job_index_first(const struct il_blocks *v, struct il_message *m);
bool il_job_index_taken(const struct il_blocks *v, uint32_t n, struct il_message *m);

#endif
