/* SPDX-License-Identifier: MIT
 *
 * Threads for calls that can only block. Work runs on a thread of its own, made when needed and used again; a thread
 * that had no work for some seconds ends. The loop's thread learns of the end of work. Work that blocks is cancelled
 * by a signal: its system call returns EINTR, and il_work_cancelled() says why. In a forked child there are no threads,
 * so all work has returned there, without effect. Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_THREAD_POOL_H
#define IL_LOOP_THREAD_POOL_H

#include "base/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct il_work {
	struct il_list node;
	void (*work)(struct il_work *item); /* on a thread, all signals but the runtime's own blocked */
	void (*ended)(struct il_work *item); /* on the loop's thread, once, after work has returned */
	struct il_worker *worker; /* the pool's */
	atomic_bool cancelled, returned; /* the pool's */
	bool forked; /* for ended(): this is a child of the process it ran in; it has done nothing */
};

struct il_thread_pool {
	pthread_mutex_t mutex; /* of the lists */
	pthread_cond_t returned; /* some work has returned; by CLOCK_MONOTONIC */
	struct il_list parked; /* of struct il_worker */
	struct il_list retired; /* of those whose threads end by themselves, and are still to be joined */
	struct il_list forgotten; /* of the parent's, in a forked child */
	struct il_list working, done; /* of struct il_work */
	atomic_int threads;
	int pending; /* the loop's: work whose ended() is still to be called */
	bool ready;
};

/* Starts work; it must stay until ended(). 0 or errno, and then nothing will be called. */
int il_thread_pool_start(struct il_work *item, void (*work)(struct il_work *), void (*ended)(struct il_work *));

/* Makes the blocking call return and waits until work has; ended() is called by this, before it returns. What the
 * work had got before the cancellation reached it is there for ended() to see. */
void il_thread_pool_cancel(struct il_work *item);

/* Waits until the work has returned by itself; ended() is called by this, too. */
void il_thread_pool_finish(struct il_work *item);

/* For work(): it is cancelled, so it has to return. */
bool il_work_cancelled(struct il_work *item);

/* Calls ended() of work that has returned: the loop does it. */
void il_thread_pool_collect(void);

/* Threads that exist, working or parked. */
int il_thread_pool_threads(void);

/* Cancels all work and ends all threads. */
void il_thread_pool_fini(void);

#endif
