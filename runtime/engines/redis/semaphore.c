/* SPDX-License-Identifier: MIT
 *
 * Semaphores on a server.
 * Floor 2.
 */
#include "engines/redis/lock.h"
#include "engines/redis/lock_request.h"
#include "engines/redis/redis.h"

static const struct il_lock_ops ops = {
	{ "semaphore acquire", il_lock_request_attempt, il_lock_request_start, il_lock_request_cancel },
	il_redis_lock_release,
	il_redis_lock_value,
	NULL,
	il_redis_lock_remove,
	il_redis_lock_close,
	NULL,
};

int il_redis_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	return il_redis_lock_open(key, "semaphore", o, &ops, l);
}
