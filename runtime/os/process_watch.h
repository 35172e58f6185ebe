/* SPDX-License-Identifier: MIT
 *
 * Lives of other processes: has it ended, and tell me when it does. A process is its number and the time it started, so
 * that one which gets the number later is another.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_PROCESS_WATCH_H
#define IL_OS_PROCESS_WATCH_H

#include "base/list.h"
#include "base/fork.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct il_process_watch;

/* One who wants to know. */
struct il_process_watcher {
	struct il_list node;
	struct il_process_watch *watch;
	void (*ended)(
		struct il_process_watcher *m); /* on the loop's thread; it is told once, and is no mourner any more */
};

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

/* The pid namespace; 0: not known, for there is no /proc. */
uint64_t il_identity_space(void);

/* For how long a process, or thread, has run: it grows when that runs. 0: not known. */
uint64_t il_identity_ran(pid_t pid);

/* Looks whether a process has ended; a zombie has. */
bool il_process_watch_ended(pid_t pid, uint64_t start);

/* Watches a process. ESRCH: it has ended; or errno. */
int il_process_watch_add(struct il_process_watcher *m, pid_t pid, uint64_t start);

/* Harmless if it does not watch. */
void il_process_watch_del(struct il_process_watcher *m);

/* Ends all watches, as in a forked child; no watcher is told. */
void il_process_watches_drop(void);

#endif
