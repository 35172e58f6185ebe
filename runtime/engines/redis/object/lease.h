/* SPDX-License-Identifier: MIT
 *
 * The lease of a handle of a lock: what keeps it, and what has to be done when it could not. Floor 2.
 */
#ifndef IL_REDIS_LEASE_H
#define IL_REDIS_LEASE_H

#include "engines/redis/lock.h"

void il_lease_init(struct il_redis_lock *h);

/* Sets the timer for what is due next. 0 or ENOMEM. */
int il_lease_arm(struct il_redis_lock *h);

/* The request was answered, and keeps the lease; if that had ended before, what is held is lost, perhaps. */
void il_lease_kept(struct il_redis_lock *h, const struct il_request *r, bool ended);

/* All is compared now, or when what was asked last is answered. */
void il_lease_compare(struct il_redis_lock *h);

/* All is compared in so many ms, when the first lease of a holder may end, unless it is -1; or `now`. */
void il_lease_check(struct il_redis_lock *h, int64_t ms, bool now);

/* The answers are not waited for any more. */
void il_lease_fini(struct il_redis_lock *h);

#endif
