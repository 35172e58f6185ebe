/* SPDX-License-Identifier: MIT
 *
 * The loop: one epoll set, a heap of deadlines and a heap of timers, one of each per process. It knows who waits for
 * what, and nothing of Lua. epoll data is an index and a generation, never a pointer.
 * Floor 1: no lua.h.
 */
#ifndef IL_LOOP_LOOP_H
#define IL_LOOP_LOOP_H

#include "base/heap.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct il_loop {
	struct il_heap deadlines; /* of struct il_wait */
	struct il_heap timers; /* of struct il_timer */
	struct il_list unsent; /* streams that may still have to flush */
	bool guest; /* in a program that has signal handlers of its own */
	bool starved; /* somebody has begun to wait for a descriptor, which garbage may have */
};
extern struct il_loop il_loop;

/* A descriptor that is watched, edge-triggered. */
struct il_io {
	int fd;
	uint32_t index; /* index in the table of watched descriptors + 1; 0: not watched */
	uint32_t events; /* EPOLLIN, EPOLLOUT: what is watched for */
	void (*ready)(struct il_io *io, uint32_t events);
	/* Does anybody wait for it now? If not, the loop may sleep without it for a while. NULL: always. */
	bool (*wanted)(struct il_io *io);
};

/* To be called once before anything else of the loop. */
void il_loop_init(void);

/* Makes the descriptors, if they are not there. Without them no descriptor can be watched; all else goes on. 0 or
 * errno. */
int il_loop_open(void);

/* Makes sure of a place for one more that is watched. 0 or errno. */
int il_io_prepare(void);

/* Watches for events (added to what is watched already). 0 or errno; EPERM: a file that is always ready. */
int il_io_watch(struct il_io *io, uint32_t events);

/* Stops watching; must be called before the descriptor is closed. Harmless if it is not watched. */
void il_io_unwatch(struct il_io *io);

/* Asks the kernel once: descriptors, then timers, then deadlines. Waits until something happens, but not beyond
 * `until`; 0: does not wait. 0 or errno: the loop cannot work. EINTR is 0. */
int il_loop_poll(int64_t until);

/* Makes the next or the present il_loop_poll return. Async-signal-safe, and from any thread. */
void il_loop_wake(void);

/* The descriptor by which another loop sees that this one has something to do; -1 and errno. From the first call
 * on il_loop_nested must be told, after each step, when this loop wants to run again. */
int il_loop_fileno(void);
void il_loop_nested(int64_t next);

/* Has the loop that holds this one make a step, if there is one: something is new that it cannot know of. */
void il_loop_wake_outer(void);

/* The earliest deadline or timer, IL_NEVER without. */
int64_t il_loop_next(void);

/* Closes all; nothing waits any more. */
void il_loop_fini(void);

#endif
