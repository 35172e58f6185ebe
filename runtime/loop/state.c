/* SPDX-License-Identifier: MIT
 *
 * The state of the one runtime that a process has, see state.h. It is there before anything runs. Floor 1a.
 */
#include "loop/state.h"

#include <pthread.h>

static union {
	struct il_loop loop;
	char size[IL_STATE_SIZE];
} first = { .loop = {
		    .waits = IL_LIST_INIT(first.loop.waits),
		    .pollers = IL_LIST_INIT(first.loop.pollers),
		    .epoll = { .epoll_fd = -1, .timer_fd = -1, .wake_fd = -1, .rare_fd = -1 },
		    .futexes = { .watched = IL_LIST_INIT(first.loop.futexes.watched),
			    .waiters = IL_LIST_INIT(first.loop.futexes.waiters) },
		    .thread_pool = { .mutex = PTHREAD_MUTEX_INITIALIZER,
			    .parked = IL_LIST_INIT(first.loop.thread_pool.parked),
			    .forgotten = IL_LIST_INIT(first.loop.thread_pool.forgotten),
			    .retired = IL_LIST_INIT(first.loop.thread_pool.retired),
			    .working = IL_LIST_INIT(first.loop.thread_pool.working),
			    .done = IL_LIST_INIT(first.loop.thread_pool.done) },
		    .usual_wait = IL_LONG_WAIT,
		    .unheard = true,
	    } };

struct il_loop *il_loop = (void *)&first; /* all of it, not only its first part */
