/* SPDX-License-Identifier: MIT
 *
 * Lives of other processes: has it ended, and tell me when it does. A process is its number and the time it started, so
 * that one which gets the number later is another.
 * Floor 1: no lua.h.
 */
#ifndef IL_LOOP_LIFE_H
#define IL_LOOP_LIFE_H

#include "base/list.h"
#include "loop/loop.h"

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

/* What others are to know this process by. Hidden, and said so here: then it is reached directly. */
extern struct il_life_own {
	pid_t pid; /* of which the rest is known: a fork makes it another process */
	uint64_t start; /* in the time of the first time namespace; 0: that cannot be known here */
} il_life_own __attribute__((visibility("hidden")));

int il_life_find_out(void);

/* Makes sure that it is known. 0; EMFILE, ENFILE, ENOMEM: not now. */
static inline int il_life_learn(void)
{
	return il_life_own.pid == il_loop.pid ? 0 : il_life_find_out();
}

/* When this process started. */
static inline uint64_t il_life_start(void)
{
	return il_life_learn() ? 0 : il_life_own.start;
}

/* The pid namespace; 0: not known, for there is no /proc. */
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
