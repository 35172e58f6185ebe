/* SPDX-License-Identifier: MIT
 *
 * The engine of Redis keys: objects on a Redis or Valkey server, for the processes of many machines. Each object is a
 * few keys that share a hash tag, and is changed by scripts that the server runs whole (the *.lua files here). Floor 2:
 * no lua.h.
 */
#ifndef IL_REDIS_H
#define IL_REDIS_H

#include "engines/engine.h"

extern const struct il_engine il_redis;

int il_redis_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
int il_redis_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
int il_redis_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q);
int il_redis_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **m);
int il_redis_data(const struct il_key *key, struct il_data_options *o, struct il_data **d);

/* As il_redis_key of engine.h; *name: the object's name in `text`. */
int il_redis_check_url(const char *url, char *text, const char **name, const char **why);

#endif
