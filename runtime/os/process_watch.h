/* SPDX-License-Identifier: MIT
 *
 * Watches on other processes: has one ended, and when does it.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_PROCESS_WATCH_H
#define IL_OS_PROCESS_WATCH_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct il_process_watch;

struct il_process_watcher {
	struct il_list node;
	struct il_process_watch *watch;
	void (*ended)(struct il_process_watcher *w); /* on the loop's thread, once; it watches no more then */
	bool idle; /* it is kept for later: no operation waits for the end of the process now */
};

/* Has the process ended? A zombie has. */
bool il_process_watch_ended(pid_t pid, uint64_t start);

/* Watches a process. ESRCH: it has ended; or errno. */
int il_process_watch_add(struct il_process_watcher *w, pid_t pid, uint64_t start);

/* Harmless if it does not watch. */
void il_process_watch_del(struct il_process_watcher *w);

/* Ends all watches, as in a forked child; no watcher is told. */
void il_process_watches_drop(void);

#endif
