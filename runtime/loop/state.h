/* SPDX-License-Identifier: MIT
 *
 * The state of a runtime hangs on one pointer, il_loop. It points to the loop's part; each floor above whose state is a
 * runtime's has a struct that begins with that of the floor below: il_os, il_streams, il_sched()-> So all of them are
 * at the same address, and a function of any floor gets at its own part without a search. What belongs to the process,
 * such as the dispositions of signals, stays with the file that knows it.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_STATE_H
#define IL_LOOP_STATE_H

#include "base/heap.h"
#include "base/list.h"
#include "loop/epoll.h"
#include "loop/futex.h"
#include "loop/kick.h"
#include "loop/standby.h"
#include "loop/thread_pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a runtime's state, with those of the floors above. */
enum { IL_STATE_SIZE = 2304 };

/* The engines lie in no row with the other floors, for they do not see each other: how many have a part, and bytes of
 * one. */
enum { IL_PARTS = 5, IL_PART_SIZE = 192 };

/* ns: what is taken for a long wait */
enum { IL_LONG_WAIT = 400000 };

struct il_loop {
	struct il_heap deadlines; /* of struct il_wait */
	struct il_list waits; /* of struct il_wait, those that have operations */
	struct il_heap timers; /* of struct il_timer */
	struct il_list pollers; /* of struct il_poller */
	struct il_epoll epoll;
	struct il_futexes futexes;
	struct il_thread_pool thread_pool;
	struct il_kick kick;
	struct il_standby standby;

	/* loop.c: */
	int64_t usual_wait; /* ns, IL_LONG_WAIT at most */
	int waits_to_spin,
		penalty; /* after polling without a result: how many waits to let pass, now and the next time */
	uint32_t wakes_seen;
	bool unheard; /* il_loop_wake may have been called when there was no eventfd */

	/* wake.c: */
	_Atomic uint32_t wakes; /* calls of il_loop_wake */
	atomic_bool asleep; /* on futexes: the eventfd will not do */

	_Alignas(max_align_t) char parts[IL_PARTS][IL_PART_SIZE]; /* of the engines, see engines/part.h */

	bool guest; /* in a program that has signal handlers of its own */
	bool starved; /* a wait has begun to need a descriptor, which garbage may have */
};

/* Hidden, and said so here: then it is reached directly, not through the table of addresses. */
extern struct il_loop *il_loop __attribute__((visibility("hidden")));

#endif
