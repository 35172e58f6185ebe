/* SPDX-License-Identifier: MIT
 *
 * Room on the disk. LMDB writes a page anew to change it, so even to delete something takes pages that are free. A
 * change that makes an environment grow asks for its room before, and gets it only if enough is left for those that end
 * messages, which do not ask. So a folder that is full can be emptied.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_ROOM_H
#define IL_DISK_ROOM_H

#include "engines/disk/environment.h"

/* In a change: room for so many bytes more. 0; ENOSPC or another errno, and then the change is to end with it. */
int il_disk_make_room(struct il_disk_txn *t, size_t bytes);

#endif
