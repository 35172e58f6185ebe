/* SPDX-License-Identifier: MIT
 *
 * Which processes have which files mapped, as /proc tells it. Floor 1b: no lua.h.
 */
#ifndef IL_OS_MAPPED_H
#define IL_OS_MAPPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Processes that this one may not look at; and those of them that are of its own user. */
struct il_mapped {
	bool hidden, hidden_own;
};

/* Calls `found` for every file that a process has mapped, once for each piece of it. */
void il_mapped_each(void (*found)(void *arg, pid_t pid, uint64_t device, uint64_t inode), void *arg,
	struct il_mapped *m);

#endif
