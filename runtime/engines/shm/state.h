/* SPDX-License-Identifier: MIT
 *
 * What a runtime has mapped of shared memory.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_STATE_H
#define IL_SHM_STATE_H

#include "base/list.h"
#include "base/table.h"
#include "engines/part.h"

struct il_shm_state {
	struct il_list segments; /* of struct il_segment */
	struct il_table files; /* those of them that have a file, by its inode */
	struct il_list debtors; /* of struct il_debt, that owe something */
	struct il_list callers; /* of struct il_shm_calls, that have called a process */
};

_Static_assert(sizeof(struct il_shm_state) <= IL_PART_SIZE, "there is no room for the state");

static inline struct il_shm_state *il_shm_state(void)
{
	struct il_shm_state *s = il_part(IL_PART_SHM);
	if (!s->segments.next) {
		il_list_init(&s->segments);
		il_list_init(&s->debtors);
		il_list_init(&s->callers);
	}
	return s;
}

#endif
