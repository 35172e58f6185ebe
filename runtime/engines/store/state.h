/* SPDX-License-Identifier: MIT
 *
 * The stores that a runtime has open.
 * Floor 2: no lua.h.
 */
#ifndef IL_STORE_STATE_H
#define IL_STORE_STATE_H

#include "base/list.h"
#include "base/table.h"
#include "engines/part.h"

struct il_store_state {
	struct il_list stores; /* of struct il_store */
	struct il_table by_file; /* the same, by the inode of their control file */
};

_Static_assert(sizeof(struct il_store_state) <= IL_PART_SIZE, "there is no room for the state");

static inline struct il_store_state *il_store_state(void)
{
	struct il_store_state *s = il_part(IL_PART_STORE);
	if (!s->stores.next) {
		il_list_init(&s->stores);
	}
	return s;
}

#endif
