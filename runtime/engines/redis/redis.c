/* SPDX-License-Identifier: MIT
 *
 * The table of the engine, and its keys. Floor 2.
 */
#include "engines/redis/redis.h"
#include "engines/redis/client/server.h"
#include "engines/redis/client/url.h"

const struct il_engine il_redis = {
	.name = "redis",
	.jobs = true,
	.semaphore = il_redis_semaphore,
	.mutex = il_redis_mutex,
	.queue = il_redis_queue,
	.memory = il_redis_memory,
	.data = il_redis_data,
	.fini = il_servers_fini,
};

int il_redis_check_url(const char *text, char *shown, const char **name, const char **why)
{
	struct il_url *u;
	int err = il_url_parse(text, &u, why);
	if (err)
		return err;
	*name = il_url_show(u, shown);
	il_url_drop(u);
	return 0;
}
