/* SPDX-License-Identifier: MIT
 *
 * Files by their names: which one was meant when a name was given, whether the name may be taken away, and room for
 * what is to be written. Floor 1b: no lua.h.
 */
#ifndef IL_OS_FILE_H
#define IL_OS_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* A path that means the same after a chdir. Where the working directory has none that leads to it, or the whole would
 * be too long, it is what was given, of less than PATH_MAX bytes. */
void il_file_absolute(char absolute[PATH_MAX], const char *path);

/* Is there a descriptor left? 0 or errno. */
int il_file_descriptor_left(void);

bool il_file_same(const struct stat *a, const struct stat *b);

/* Opens what has this name, to take the name away: `flags` are open's. 0; EPERM: it belongs to another user, and
 * nothing was done; or errno. */
int il_file_to_remove(const char *path, int flags, int *fd);

/* An exclusive flock, which others have for some system calls. 0; ETIMEDOUT: not within five seconds; or errno. */
int il_file_lock(int fd);

/* `size` bytes that are there, so that writing to them cannot fail. 0 or errno; EFBIG: over the limit, and no signal.
 */
int il_file_reserve(int fd, size_t size);

#endif
