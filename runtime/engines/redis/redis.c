/* SPDX-License-Identifier: MIT
 *
 * The table of the engine. Floor 2.
 */
#include "engines/redis/redis.h"
#include "engines/redis/client/server.h"

const struct il_engine il_redis = {
	.name = "redis",
	.semaphore = il_redis_semaphore,
	.mutex = il_redis_mutex,
	.queue = il_redis_queue,
	.memory = il_redis_memory,
	.data = il_redis_data,
	.fini = il_servers_fini,
};
