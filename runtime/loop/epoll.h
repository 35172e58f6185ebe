/* SPDX-License-Identifier: MIT
 *
 * The epoll set: the table of watched descriptors, and the loop's own. epoll data is an index into it and a generation,
 * never a pointer. Only loop.c waits.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_EPOLL_H
#define IL_LOOP_EPOLL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In epoll data, instead of an index and its generation: the eventfd, the timer of a loop inside another, and the set
 * of the rare ones. */
#define IL_EPOLL_WAKE UINT64_MAX
#define IL_EPOLL_NESTED (UINT64_MAX - 1)
#define IL_EPOLL_RARE (UINT64_MAX - 2)

/* A descriptor that is watched, edge-triggered. */
struct il_io {
	int fd;
	uint32_t index; /* in the table of watched descriptors, + 1; 0: not watched */
	uint32_t events; /* EPOLLIN, EPOLLOUT: what is watched for */
	void (*ready)(struct il_io *io, uint32_t events);
	/* Is it waited for now? If not, the loop may sleep without it for a while. NULL: always. */
	bool (*wanted)(struct il_io *io);
	bool rare; /* it is seldom ready, if ever: see loop/standby.h */
};

struct il_watched {
	struct il_io *io; /* NULL: free */
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
};

struct il_epoll {
	int epoll_fd;
	int timer_fd; /* -1: no other loop holds ours */
	atomic_int wake_fd; /* read by signal handlers and by the pool's threads */
	atomic_bool foreign_fork; /* another library forked and goes on with Lua in the child */
	bool nested; /* there was no descriptor for timer_fd after such a fork: it is to be made */
	int rare_fd; /* the set of the rare ones, which is watched by epoll_fd; -1: there was none yet */
	int watching, rare; /* descriptors; how many of them are rare */
	struct il_watched *table;
	uint32_t size, free; /* free: the first free index + 1 */
};

/* Makes the descriptors, if they are not there. Without them no descriptor can be watched; all else goes on. 0 or
 * errno. */
int il_epoll_open(void);

/* The descriptor by which another loop sees that this one has something to do; -1 and errno. */
int il_epoll_fileno(void);

/* Makes sure of a place for one more that is watched. 0 or errno. */
int il_io_prepare(void);

/* Watches for events (added to what is watched already). 0 or errno; EPERM: a file that is always ready. */
int il_io_watch(struct il_io *io, uint32_t events);

/* Stops watching; must be called before the descriptor is closed. Harmless if it is not watched. */
void il_io_unwatch(struct il_io *io);

/* Closes the loop's descriptors, forgets what was watched and gives back the table. */
void il_epoll_fini(void);

#endif
