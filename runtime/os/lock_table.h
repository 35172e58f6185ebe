/* SPDX-License-Identifier: MIT
 *
 * /proc/locks: the kernel's table of file locks, and of the processes that wait for them. It is long where there are
 * many locks: reading it takes ten microseconds or more.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_LOCK_TABLE_H
#define IL_OS_LOCK_TABLE_H

#include <stdbool.h>
#include <sys/types.h>

/* Does a process sleep in flock(2) for a file with this inode? False, too, where that cannot be known. A file of
 * another file system may have the same number. */
bool il_flock_awaited(ino_t inode);

#endif
