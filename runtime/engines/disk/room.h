/* SPDX-License-Identifier: MIT
 *
 * Room on the disk. LMDB writes a page anew to change it, so even to delete something takes pages that are free. A
 * change that makes an environment grow requests its room before, and gets it only if enough is left for those that end
 * messages, which make no request. So a folder that is full can be emptied. Pages that a transaction gives back can be
 * used two transactions later, and with soon.h only when that is saved.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_ROOM_H
#define IL_DISK_ROOM_H

#include "engines/disk/environment.h"

/* In a change: room for so many bytes more. 0; ENOSPC or another errno, and then the change is to end with it.
 * disk->full: there would be room after another transaction, when that is saved. */
int il_disk_make_room(struct il_disk_txn *t, size_t bytes);

/* The disk has no room: LMDB's result, or errno. */
bool il_disk_is_full(int rc);

/* Another process has a reader, mostly a pin, that is older than the saved commit: until it renews that, which it does
 * soon if it runs, pages that were given back cannot be used. */
bool il_disk_room_is_held(struct il_disk *d);

/* The result of a commit that failed, for LMDB says EIO where only a part of its pages could be written. */
int il_disk_room_result(struct il_disk *d, int rc);

#endif
