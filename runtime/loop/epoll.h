/* SPDX-License-Identifier: MIT
 *
 * The epoll set of the loop: the table of watched descriptors, and the loop's own. epoll.c watches, with il_io_watch,
 * il_io_unwatch, il_loop_open and il_loop_fileno of loop.h; only loop.c waits, and looks into the table.
 * Floor 1: no lua.h.
 */
#ifndef IL_LOOP_EPOLL_H
#define IL_LOOP_EPOLL_H

#include "loop/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In epoll data, instead of a place and its generation: the eventfd, and the timer of a loop inside another. */
#define IL_EPOLL_WAKE UINT64_MAX
#define IL_EPOLL_NESTED (UINT64_MAX - 1)

struct il_watched {
	struct il_io *io; /* NULL: free */
	uint32_t generation;
	uint32_t next_free; /* place + 1 */
};

struct il_epoll {
	int epoll_fd;
	int timer_fd; /* -1: no other loop holds ours */
	atomic_int wake_fd; /* read by signal handlers and by the pool's threads */
	atomic_bool foreign_fork; /* somebody else forked and goes on with Lua in the child */
	int watching; /* descriptors */
	struct il_watched *table;
	uint32_t size, free; /* free: the first free place + 1 */
};

/* Hidden, and said so here: then it is reached directly, not through the table of addresses. */
extern struct il_epoll il_epoll __attribute__((visibility("hidden")));

/* Closes the loop's descriptors, forgets what was watched and gives back the table. */
void il_epoll_fini(void);

#endif
