/* SPDX-License-Identifier: MIT
 *
 * Lives of other processes: has it ended, and tell me when it does. A process is its number and the time it started, so
 * that one which gets the number later is another.
 * Floor 1: no lua.h.
 */
#ifndef IL_LOOP_LIFE_H
#define IL_LOOP_LIFE_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct il_life;

/* One who wants to know. */
struct il_mourner {
	struct il_list node;
	struct il_life *life;
	void (*ended)(struct il_mourner *m); /* on the loop's thread; it is told once, and is no mourner any more */
};

/* When this process started. */
uint64_t il_life_start(void);

/* The pid namespace; 0: not known. */
uint64_t il_life_space(void);

/* For how long a process, or thread, has run: it grows when that runs. 0: not known. */
uint64_t il_life_ran(pid_t pid);

/* Looks whether a process has ended; a zombie has. */
bool il_life_ended(pid_t pid, uint64_t start);

/* Watches a process. ESRCH: it has ended; or errno. */
int il_life_watch(struct il_mourner *m, pid_t pid, uint64_t start);

/* Harmless if it does not watch. */
void il_life_unwatch(struct il_mourner *m);

/* In a forked child: nobody is watched, and it is another process. */
void il_lives_after_fork(void);

#endif
