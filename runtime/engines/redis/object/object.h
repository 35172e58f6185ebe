/* SPDX-License-Identifier: MIT
 *
 * The base of every object of this engine: its server, the names of its keys, the requests of operations that are not
 * answered, and its subscription to what others publish.
 * Floor 2.
 */
#ifndef IL_REDIS_OBJECT_H
#define IL_REDIS_OBJECT_H

#include "engines/engine.h"
#include "engines/redis/client/answer.h"
#include "engines/redis/client/subscription.h"

struct il_redis_object {
	struct il_shared *shared; /* the noun's: set after il_redis_object_open */
	struct il_server *server;
	struct il_list requests; /* of operations, without an answer */
	int64_t lease; /* ns: its URL's */
	bool existing; /* it is not to be made: then the scripts get no id for a new one */
	char *base; /* "ipclua:{name}:queue": its keys and channels are this, ":", and a word */
	size_t base_size;
	struct il_listener listener;
	struct il_server_object on_server; /* has the timeout of its URL */
	void (*forked)(
		struct il_redis_object *f); /* in a forked child, or NULL: all requests are gone, it does not listen;
				       the noun forgets what it had in flight or held: that is the parent's */
};

/* Connects to nothing yet. 0 or errno. */
int il_redis_object_open(struct il_redis_object *f, const struct il_key *key, const char *noun);

/* Ends the waits for answers with ECANCELED, stops listening, forgets the server. What was asked for is done all the
 * same. Requests with a function `answered` are the noun's to forget. */
void il_redis_object_close(struct il_redis_object *f);

/* For start of an il_op_type: makes the operation's request. When it is answered, finish() gets the answer, or err, as
 * il_request_status has it; it fills in what the operation answers, and returns how that ends; or 0, after another
 * request of it: that is answered then. It must not end other operations of the same wait. 0 or errno. */
int il_redis_object_request(struct il_redis_object *f, struct il_op *op, const struct il_command *c,
	enum il_request_flags flags, int (*finish)(struct il_op *op, struct il_request *r, int err));

/* The other functions of such an il_op_type. What was asked for is done all the same. */
bool il_redis_object_attempt(struct il_op *op);
bool il_redis_object_cancel(struct il_op *op);

/* A request without an answer, for what nothing can wait for; it is written at once. */
void il_redis_object_tell(struct il_redis_object *f, const struct il_command *c);

/* What the server said last is why something of this object is about to fail. */
void il_redis_object_explain(struct il_redis_object *f);

/* Hears what is published on "base:word", from when `up` is called. Harmless if it listens already. 0 or errno. */
int il_redis_object_listen(struct il_redis_object *f, const char *word);

#endif
