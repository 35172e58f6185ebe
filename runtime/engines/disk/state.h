/* SPDX-License-Identifier: MIT
 *
 * The folders that a runtime has open.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_STATE_H
#define IL_DISK_STATE_H

#include "base/list.h"
#include "base/table.h"
#include "engines/part.h"

struct il_disk_folders {
	struct il_list folders; /* of struct il_disk */
	struct il_table by_file; /* the same, by the inode of their control file */
	struct il_list queues; /* of struct il_dq_waits */
};

_Static_assert(sizeof(struct il_disk_folders) <= IL_PART_SIZE, "there is no room for the state");

static inline struct il_disk_folders *il_disk_folders(void)
{
	struct il_disk_folders *s = il_part(IL_PART_DISK);
	if (!s->folders.next) {
		il_list_init(&s->folders);
		il_list_init(&s->queues);
	}
	return s;
}

#endif
