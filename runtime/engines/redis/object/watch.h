/* SPDX-License-Identifier: MIT
 *
 * Waiting for something of an object to change: a name of shared data, a slot of shared memory. The process that
 * changes it publishes its object's id and its key on "base:changed"; for each key that operations here wait for there
 * is a watch, which asks the server what it is now: when a wait begins, when a change is heard of, when it could have
 * missed one, and now and then. Waits for the same key share a question. A wait is never told of what was before it
 * began. Floor 2.
 */
#ifndef IL_REDIS_WATCH_H
#define IL_REDIS_WATCH_H

#include "engines/redis/object/object.h"
#include "loop/timer.h"

enum { IL_WATCH_BUCKETS = 64, IL_ID = 24 };

struct il_watches;

struct il_watch {
	struct il_list node; /* of its bucket */
	struct il_list fresh; /* operations that began after the last question */
	struct il_list ops; /* those that began before it */
	struct il_watches *all;
	struct il_request *look; /* the question that is on its way, or NULL */
	bool again; /* a change was heard of since then */
	bool patient; /* the query may be made again after a reconnect: it serves no operation with timeout 0 */
	int held; /* it is in use, and must stay */
	size_t size;
	char key[]; /* and a zero byte */
};

struct il_watches {
	struct il_redis_object object; /* the object's */
	char id[IL_ID + 1]; /* that of the object on the server */
	/* makes the question: the script and its arguments */
	void (*ask)(struct il_watch *w, struct il_command *c);
	/* the answer: finishes those of w->ops that have what they wait for. 0, or errno for all */
	int (*told)(struct il_watch *w, struct il_request *r);
	void (*heard)(struct il_watches *all, const char *key, size_t size); /* of a change; or NULL */
	int unheard; /* changes in a row that no operation waited for */
	struct il_timer look; /* now and then, while operations wait */
	struct il_list buckets[IL_WATCH_BUCKETS];
};

/* Opens the object. The rest of it is zero, and stays. 0 or errno. */
int il_watches_open(struct il_watches *all, const struct il_key *key, const char *noun);

/* Ends the waits with ECANCELED, and closes the object. */
void il_watches_close(struct il_watches *all);

/* An operation of il_op_type start, and its cancel. 0 or errno. */
int il_watch_start(struct il_watches *all, struct il_op *op, const char *key, size_t size);
void il_watch_cancel(struct il_watches *all, struct il_op *op, const char *key, size_t size);

struct il_watch *il_watch_find(const struct il_watches *all, const char *key, size_t size);

/* Between these the watch stays, even without operations. */
void il_watch_hold(struct il_watch *w);
void il_watch_let_go(struct il_watch *w);

/* All waits; EIDRM: the object was removed. */
void il_watches_finish(struct il_watches *all, int err);
int il_watches_count(const struct il_watches *all);

/* Calls a script with the object's id as its first argument. */
void il_watches_call(struct il_watches *all, struct il_command *c, enum il_script script);

/* An id that no other object has, for one that is perhaps to be made. */
void il_watches_name(struct il_watches *all, char id[IL_ID + 1]);

#endif
