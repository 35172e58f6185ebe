/* SPDX-License-Identifier: MIT
 *
 * What a runtime has open of System V, and its file locks.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_STATE_H
#define IL_SYSV_STATE_H

#include "base/list.h"
#include "base/table.h"
#include "engines/part.h"

struct il_msg;

struct il_sysv_state {
	struct il_table sets; /* of struct il_sysv_semset, by their ids */
	struct il_table queues; /* of struct il_msg_object, by their ids */
	struct il_list file_locks;
	struct il_msg *buffer; /* where the loop's thread has its message; NULL before the first */
};

_Static_assert(sizeof(struct il_sysv_state) <= IL_PART_SIZE, "there is no room for the state");

static inline struct il_sysv_state *il_sysv_state(void)
{
	struct il_sysv_state *s = il_part(IL_PART_SYSV);
	if (!s->file_locks.next)
		il_list_init(&s->file_locks);
	return s;
}

#endif
