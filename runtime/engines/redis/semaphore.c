/* SPDX-License-Identifier: MIT
 *
 * Semaphores on a server.
 * Floor 2.
 */
#include "engines/redis/lock.h"
#include "engines/redis/lock_request.h"
#include "engines/redis/redis.h"

static const struct il_lock_ops ops = {
	.open = { "semaphore", il_redis_object_attempt, il_redis_lock_ask_open, il_redis_object_cancel },
	.acquire = { "semaphore acquire", il_lock_request_attempt, il_lock_request_start, il_lock_request_cancel },
	.release = { "semaphore release", il_redis_lock_release, il_redis_lock_ask_release, il_redis_object_cancel },
	.lost = { "lock lost", il_lock_request_lost_attempt, il_lock_request_lost_start, il_lock_request_lost_cancel },
	.value = { "semaphore value", il_redis_object_attempt, il_redis_lock_ask_value, il_redis_object_cancel },
	.remove = { "semaphore remove", il_redis_lock_remove, il_redis_lock_ask_remove, il_redis_object_cancel },
	.close = il_redis_lock_close,
};

int il_redis_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	return il_redis_lock_open(key, "semaphore", o, &ops, l);
}
