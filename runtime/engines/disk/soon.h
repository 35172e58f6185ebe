/* SPDX-License-Identifier: MIT
 *
 * sync = "soon": commits that do not wait for the disk. From time to time all that was committed is brought there, and
 * then it is written down which commit that was: the saved one. After a power cut the environment goes back to it.
 * Meanwhile no page that it refers to is used again: a process that commits so has a reader of LMDB's, the pin, that
 * is not younger than the saved commit. So the pin of any process that is alive protects it, and a process without one
 * saves before it commits. Once a process commits in the other way, or the last one leaves, all is brought to the disk
 * and nothing is saved any more.
 * All but the first function want the lock, and a helper's thread or no other. 0, LMDB's results, or errno.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_SOON_H
#define IL_DISK_SOON_H

#include "engines/disk/environment.h"

/* In an environment that no process has open, before il_disk_go_back looks at its commits: goes back to the saved one.
 * Not if the machine has not been started again since (`same`): then the kernel has all. */
int il_disk_soon_go_back(int fd, size_t page, bool same, uint64_t *generation);

/* Before a transaction: it waits for the disk, or it does not. */
int il_disk_soon_prepare(struct il_disk *d, bool soon);

/* After a commit that did not wait. */
void il_disk_soon_committed(struct il_disk *d);

/* There is no room: saves, so that what was given back since the saved commit can be used again. False: it cannot, or
 * nothing was. */
bool il_disk_soon_free(struct il_disk *d);

/* Some time has passed: saves. Without a pin afterwards nothing is to be saved any more. */
int il_disk_soon_save(struct il_disk *d);

/* This process leaves: all is on the disk. Or, without the lock, that cannot be had. */
int il_disk_soon_end(struct il_disk *d);
void il_disk_soon_unpin(struct il_disk *d);

#endif
