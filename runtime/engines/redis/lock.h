/* SPDX-License-Identifier: MIT
 *
 * What semaphores and mutexes have in common here: a handle, its life, and the questions about the lock. lock_request.h
 * is what waits and is held, lease.h what keeps it. Floor 2.
 */
#ifndef IL_REDIS_LOCK_H
#define IL_REDIS_LOCK_H

#include "engines/engine.h"
#include "engines/redis/object/waiter.h"

/* A handle. */
struct il_redis_lock {
	struct il_lock lock;
	struct il_redis_waits waits; /* its waiters are lock requests that are not granted, in their order; */
	struct il_list held; /* and those that are */
	char id[40]; /* the object's */
	bool removed;
	int max; /* permits */
	int64_t lease; /* ns */
	int64_t fence; /* of the last request that was granted */
	int64_t until; /* its lease ends then or later, as far as is known here */
	struct il_timer timer;
	int64_t due; /* of the timer */
	int64_t beat_at; /* when it was last asked to keep the lease, */
	int64_t check_at; /* and when a holder's lease ends; or IL_NEVER */
	struct il_list beats; /* requests to keep it */
	bool again; /* all is to be compared */
	bool losses; /* operations wait, perhaps, until something is lost */
	uint32_t index; /* of this process's handles: its name is "process.index", */
	char name[32];
};

static inline struct il_redis_lock *il_redis_lock_of(struct il_lock *l)
{
	return il_container_of(l, struct il_redis_lock, lock);
}

/* Of its lease. */
const char *il_redis_lock_name(struct il_redis_lock *h);

/* lock_change.lua with a verb; its other arguments are to be added. */
void il_redis_lock_call(struct il_command *c, struct il_redis_lock *h, const char *verb);

/* Takes a lock request back, whatever has become of it; the answer is not waited for. how: "given", "undone". */
void il_redis_lock_return(struct il_redis_lock *h, int64_t number, const char *how);

#endif
