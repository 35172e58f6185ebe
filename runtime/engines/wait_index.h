/* SPDX-License-Identifier: MIT
 *
 * The operations of a wait queue by what they wait for: so a change costs what it concerns, and not what waits. Those
 * of one key are a list in the order they came. Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_WAIT_INDEX_H
#define IL_ENGINES_WAIT_INDEX_H

#include "loop/op.h"

struct il_wait_key;

/* All zero: empty. */
struct il_wait_index {
	struct il_wait_key **buckets;
	uint32_t size, count; /* buckets, and keys */
};

/* op->alike and op->state are the index's from now on. 0 or ENOMEM. */
int il_wait_index_add(struct il_wait_index *index, struct il_op *op, uint64_t key);
void il_wait_index_del(struct il_wait_index *index, struct il_op *op);

/* The list of a key's operations, by their `alike`; NULL: there are none. */
struct il_list *il_wait_index_find(const struct il_wait_index *index, uint64_t key);

/* Forgets all; the operations know nothing of it. */
void il_wait_index_fini(struct il_wait_index *index);

#endif
