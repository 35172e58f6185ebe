/* SPDX-License-Identifier: MIT
 *
 * The folder of an environment: made with the first object in it, and checked each time it is opened. Floor 2: no
 * lua.h.
 */
#ifndef IL_DISK_FOLDER_H
#define IL_DISK_FOLDER_H

#include <stdbool.h>

/* Opens the folder, and makes it if need be, for its owner alone. 0; or errno, and what is wrong is noted
 * (base/reason.h): it belongs to another user, others may write to it, it is no folder, it is on a network.
 * `existing`: it is not made, and ENOENT, noted nowhere, is one that is not there or was never used. */
int il_disk_folder_open(const char *path, bool existing, int *fd);

/* The file "control" in an open folder, made if need be, `size` bytes long and locked by this process: *alone, no other
 * process has it, and none can get it before il_disk_folder_share. 0 or errno. */
int il_disk_folder_lock(const char *path, int folder, long size, int *fd, bool *alone);

/* All has been prepared, and its files are there for good: others may come. While the descriptor is open, here or in a
 * forked child, none of them is alone. 0 or errno. */
int il_disk_folder_share(const char *path, int fd);

/* What the user of the folder with this open file is to be warned of, or NULL. */
const char *il_disk_folder_warning(int fd);

#endif
