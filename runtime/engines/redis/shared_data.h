/* SPDX-License-Identifier: MIT
 *
 * Shared data on a server, as what changes it (shared_data_write.c) knows it. Floor 2: no lua.h.
 */
#ifndef IL_REDIS_SHARED_DATA_H
#define IL_REDIS_SHARED_DATA_H

#include "engines/redis/object/page_cache.h"
#include "engines/redis/object/watch.h"

#include <errno.h>
#include <stdbool.h>

struct il_redis_data {
	struct il_redis_watched watched;
	struct il_pages pages;
	bool expires; /* some names are to go: the server has to say whether they are there */
};

static inline struct il_redis_data *il_redis_data_of(const struct il_op *op)
{
	return op->source;
}

/* A script, with the operation's name as its first argument. */
static inline void il_redis_data_command(const struct il_op *op, struct il_command *c, enum il_script script)
{
	il_redis_watched_command(op, c, script);
	il_command_bytes(c, op->name, op->name_size);
}

/* ENOENT in an answer says that there is no such name; of a request without one, that the server's socket has gone. */
static inline int il_redis_data_failure(const struct il_request *r, int err)
{
	return r->err == ENOENT ? ECONNREFUSED : err;
}

/* What this handle has changed: its own waits need not hear of it from the server. */
void il_redis_data_changed(struct il_op *op, const struct il_entry *e);

/* A name has changed, or with NULL any of them: what is known of it for a loop over all is out of date. */
void il_redis_data_drop_pages(struct il_redis_watched *o, const char *name, size_t size);

#endif
