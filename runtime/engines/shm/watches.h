/* SPDX-License-Identifier: MIT
 *
 * The processes whose end may end a wait here: those that hold, while an operation waits.
 * Floor 2.
 */
#ifndef IL_SHM_WATCHES_H
#define IL_SHM_WATCHES_H

#include "base/list.h"
#include "engines/waiters.h"
#include "loop/recheck.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct il_shm_watches {
	struct il_list list;
	struct il_recheck later; /* one cannot be watched: it is to be checked */
	bool blind; /* the same, of this round */
	bool ended; /* one of those that are kept has; nothing was done */
	int kept; /* so many that are not wanted now: a process often waits for the same ones again */
	void (*retry)(struct il_shm_watches *w); /* one has ended, or may have; watches all anew */
};

void il_shm_watches_init(struct il_shm_watches *w, void (*retry)(struct il_shm_watches *w));

/* Between begin and end each that is to be watched is added; what is not, is watched no more. Without a descriptor or
 * memory for one of them, `retry` is called from time to time. 0 or ENOMEM: not even that. */
void il_shm_watches_begin(struct il_shm_watches *w);
int il_shm_watches_end(struct il_shm_watches *w);

/* True: it has ended already. */
bool il_shm_watches_add(struct il_shm_watches *w, pid_t pid, uint64_t start);

/* The same of those that a process of a table is to watch. */
bool il_shm_watches_add_waiters(struct il_shm_watches *w, const struct il_waiters *waiters);

/* No operation waits any more. The last ones are kept for the next wait; or none is. */
void il_shm_watches_idle(struct il_shm_watches *w);
void il_shm_watches_fini(struct il_shm_watches *w);

#endif
