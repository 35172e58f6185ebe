/* SPDX-License-Identifier: MIT
 *
 * Mutexes on a server: one permit, its holder, and a number for each grant. Floor 2.
 */
#include "engines/redis/lock.h"
#include "engines/redis/lock_request.h"
#include "engines/redis/redis.h"

static const struct il_lock_ops ops = {
	.open = { "mutex", il_redis_object_attempt, il_redis_lock_ask_open, il_redis_object_cancel },
	.acquire = { "mutex acquire", il_lock_request_attempt, il_lock_request_start, il_lock_request_cancel },
	.release = { "mutex release", il_redis_lock_release, il_redis_lock_ask_release, il_redis_object_cancel },
	.lost = { "lock lost", il_lock_request_lost_attempt, il_lock_request_lost_start, il_lock_request_lost_cancel },
	.value = { "mutex value", il_redis_object_attempt, il_redis_lock_ask_value, il_redis_object_cancel },
	.holder = { "mutex holder", il_redis_object_attempt, il_redis_lock_ask_holder, il_redis_object_cancel },
	.remove = { "mutex remove", il_redis_lock_remove, il_redis_lock_ask_remove, il_redis_object_cancel },
	.close = il_redis_lock_close,
	.token = il_redis_lock_token,
};

int il_redis_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	o->max = 1;
	return il_redis_lock_open(key, "mutex", o, &ops, l);
}
