/* SPDX-License-Identifier: MIT
 *
 * Objects of whose parts each may be waited for: shared data with its names, shared memory with its slots. The process
 * that changes a part publishes the object's id and the part's key on "base:changed". For each key that operations wait
 * for here there is a watch, a waiter whose request queries the server. A wait never ends for what was before it began.
 * Floor 2.
 */
#ifndef IL_REDIS_WATCH_H
#define IL_REDIS_WATCH_H

#include "engines/redis/object/waiter.h"

enum { IL_WATCH_BUCKETS = 64, IL_ID = 24 };

struct il_watch {
	struct il_redis_waiter waiter;
	struct il_list node; /* of its bucket */
	struct il_timer due; /* the answer is another then */
	size_t size;
	char key[]; /* and a zero byte */
};

struct il_redis_watched;

struct il_redis_watched_kind {
	const char *noun;
	enum il_script remove;
	/* Makes the query: the script, and its arguments. */
	void (*query)(struct il_watch *w, struct il_command *c);
	/* The answer: finishes those operations of the watch that have what they wait for. 0, or errno for all. */
	int (*answered)(struct il_watch *w, struct il_request *r);
	/* ns until the answer is another without a change, 0: never. Or NULL. */
	int64_t (*left)(const struct il_request *r);
	/* Another process has changed it, key NULL: any of them. Or NULL. */
	void (*changed)(struct il_redis_watched *o, const char *key, size_t size);
};

/* What such an object begins with: it is the source of its operations. */
struct il_redis_watched {
	union {
		struct il_shared shared;
		struct il_data data;
		struct il_memory memory;
	};
	const struct il_redis_watched_kind *kind;
	struct il_redis_waits waits; /* and the object */
	char id[IL_ID + 1]; /* that of the object on the server; at first the one that it gets if it is made,
			  or none */
	int unwanted; /* changes in a row that no operation waited for */
	struct il_list buckets[IL_WATCH_BUCKETS];
};

/* `size` bytes, all zero but for what is set here. 0 or errno. */
int il_redis_watched_new(const struct il_redis_watched_kind *kind, const struct il_key *key, unsigned mode, size_t size,
	struct il_redis_watched **o);

/* Ends the waits with ECANCELED, and closes and frees the object. */
void il_redis_watched_close(struct il_redis_watched *o);

/* An operation of il_op_type start; il_redis_waiter_cancel is its cancel. 0 or ENOMEM. */
int il_watch_start(struct il_op *op, const char *key, size_t size);

/* Calls each watch of a key. */
void il_watches_each(struct il_redis_watched *o, const char *key, size_t size,
	void (*call)(struct il_watch *w, const void *argument), const void *argument);

/* Finishes the operations of a watch for which it returns true, with op->err; with `all` those, too, that began after
 * the last query. */
void il_watch_serve(struct il_watch *w, bool all, bool (*serve)(struct il_op *op, const void *argument),
	const void *argument);

/* The object of a watch. */
struct il_redis_watched *il_redis_watched_of(const struct il_watch *w);

/* How many operations wait. */
int il_redis_watched_waiters(const struct il_redis_watched *o);

/* A script with the object's id as its first argument. */
void il_redis_watched_command(const struct il_op *op, struct il_command *c, enum il_script script);

/* See il_redis_object_request. */
int il_redis_watched_request(struct il_op *op, const struct il_command *c, enum il_request_flags flags,
	int (*finish)(struct il_op *op, struct il_request *r, int err));

/* The first element of the answer to a script that has made or found the object. */
void il_redis_watched_opened(struct il_redis_watched *o, const struct il_request *r);

/* Of the operation remove. */
bool il_redis_watched_remove_attempt(struct il_op *op);
int il_redis_watched_remove_start(struct il_op *op);

#endif
