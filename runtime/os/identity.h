/* SPDX-License-Identifier: MIT
 *
 * Which process is which: a process is its number and the time it started, so that one which gets the number later is
 * another.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_IDENTITY_H
#define IL_OS_IDENTITY_H

#include "base/fork.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What others are to know this process by. Hidden, and said so here: then it is reached directly. */
extern struct il_identity_own {
	uint32_t generation; /* of which the rest is known */
	uint64_t start; /* in the time of the first time namespace; 0: that cannot be known here */
} il_identity_own __attribute__((visibility("hidden")));

int il_identity_find_out(void);

/* Makes sure that it is known. 0; EMFILE, ENFILE, ENOMEM: not now. */
static inline int il_identity_learn(void)
{
	return il_fork_is_own(il_identity_own.generation) ? 0 : il_identity_find_out();
}

/* When this process started. */
static inline uint64_t il_identity_start(void)
{
	return il_identity_learn() ? 0 : il_identity_own.start;
}

/* When a process started; 0: that is not known. */
uint64_t il_identity_start_of(pid_t pid);

/* The pid namespace; 0: not known, for there is no /proc. */
uint64_t il_identity_space(void);

/* For how long a process, or thread, has run: it grows when that runs. 0: not known. */
uint64_t il_identity_ran(pid_t pid);

/* Processes are told apart by /proc: 0, or ENOENT and why (base/reason.h). */
int il_identity_require(void);

enum il_identity {
	IL_IDENTITY_UNKNOWN, /* there is no such process, or nothing can be known of it */
	IL_IDENTITY_SAME,
	IL_IDENTITY_ZOMBIE, /* it has ended; its last thread, too */
	IL_IDENTITY_ANOTHER, /* the number is another process's now */
};

/* What /proc says of the process that had this number, and started then. */
enum il_identity il_identity_check(pid_t pid, uint64_t start);

#endif
