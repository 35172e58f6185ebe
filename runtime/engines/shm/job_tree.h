/* SPDX-License-Identifier: MIT
 *
 * Trees of records, by their blocks: of messages that are ready again, by type and place; and of dead letters, by their
 * number. A tree is a treap: the priority of a node comes from its block, so nothing is kept for it. What is read is
 * checked, and a way down takes a limited number of steps. All functions are for receivers. Floor 2.
 */
#ifndef IL_SHM_JOB_TREE_H
#define IL_SHM_JOB_TREE_H

#include "engines/shm/blocks_layout.h"

/* Whether a record is in the tree of its kind: ready again, or dead. */
int il_job_tree_add(const struct il_blocks *v, enum il_record_kind kind, uint32_t block); /* 0 or EUCLEAN */
int il_job_tree_del(const struct il_blocks *v, enum il_record_kind kind, uint32_t block); /* the same */

/* Of those that are ready again, what receive takes: see il_order_find. EAGAIN: there is none; EUCLEAN: damaged. */
int il_job_tree_find(const struct il_blocks *v, int64_t wanted, struct il_message *m);

/* The lowest type above one of those that are ready again. False: there is none. */
bool il_job_tree_next_type(const struct il_blocks *v, int64_t after, int64_t *type);

/* The first dead letter with a number behind this one; numbers go around. EAGAIN: there is none; EUCLEAN. */
int il_job_tree_next_dead(const struct il_blocks *v, uint32_t after, struct il_message *m);

#endif
