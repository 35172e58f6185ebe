/* SPDX-License-Identifier: MIT
 *
 * The lease of a handle of a lock: what keeps it, and what has to be done when it could not. Floor 2.
 */
#ifndef IL_REDIS_LEASE_H
#define IL_REDIS_LEASE_H

#include "engines/redis/lock.h"

/* Sets the timer for what is due next. 0 or ENOMEM. */
int il_lease_arm(struct il_redis_lock *h);

/* Asks now, or when what was asked last is answered. */
void il_lease_look_soon(struct il_redis_lock *h);

/* The request was answered, and keeps the lease; if that had ended before, what is held is lost, perhaps. */
void il_lease_kept(struct il_redis_lock *h, const struct il_request *r, bool ended);

/* A reply told in how many ms the first lease of a holder may end, or -1. */
void il_lease_look(struct il_redis_lock *h, int64_t ms);

void il_lease_expired(struct il_timer *t);
void il_lease_up(struct il_listener *l);

/* The answers are not waited for any more. */
void il_lease_forget(struct il_redis_lock *h);

#endif
