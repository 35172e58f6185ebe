/* SPDX-License-Identifier: MIT
 *
 * Requests to a server: commands that are answered, in the order in which they were made. So a request that takes
 * another one back can follow it at once. Most run a script, EVALSHA or EVAL, whose KEYS are those of the object that
 * the script's first line names ("-- KEYS: meta order"); ARGV is what is added here. Floor 2.
 */
#ifndef IL_REDIS_REQUEST_H
#define IL_REDIS_REQUEST_H

#include "base/list.h"
#include "engines/redis/client/server.h"
#include "loop/op.h"

struct il_redis_object;

/* What a request says, while it is written. Only one is at any time: between il_command_init and the request nothing
 * else may be sent. Bytes are copied. */
struct il_command {
	struct il_redis_object *object;
	enum il_script script;
	uint32_t begun; /* which of all it is */
	bool plain; /* it is a command, not a script */
};

void il_command_init(struct il_command *c, struct il_redis_object *f, enum il_script script);

/* A command of the server's own with one key, "base:word": faster, where that will do. Its reply has no status: see
 * il_request_status. */
void il_command_plain(struct il_command *c, struct il_redis_object *f, const char *command, const char *word);

void il_command_number(struct il_command *c, int64_t n);
void il_command_bytes(struct il_command *c, const void *bytes, size_t size);
void il_command_text(struct il_command *c, const char *text);
/* One argument of two parts. */
void il_command_two(struct il_command *c, const void *first, size_t first_size, const void *second, size_t second_size);

enum il_request_flags {
	IL_UNSAFE = 0, /* if the connection is lost before the answer: ECONNABORTED, it may or may not have happened */
	IL_SAFE = 1, /* it is sent again over the next connection: twice is as good as once */
	IL_PATIENT = 2 /* without a connection it does not fail, but waits until the server is given up */
};

struct il_request {
	struct il_list node; /* in the server's list, in order, until it is answered */
	struct il_list flight; /* in the server's list of those that were sent, until the server has answered */
	struct il_list mine; /* of the object's, if it is an operation's */
	struct il_server *server;
	struct il_redis_object *object;
	struct il_op *op; /* waits for the answer */
	int (*finish)(struct il_op *op, struct il_request *r, int err); /* see il_redis_object_request */
	void (*answered)(struct il_request *r); /* once, on the loop; to free it. NULL: the answer is not wanted */
	void *owner; /* for answered() */
	int64_t tag; /* for the owner */
	const struct il_reply *reply; /* during answered(); NULL with err */
	int err;
	enum il_request_flags flags;
	enum il_script script;
	bool plain; /* it is a command, not a script */
	bool control; /* it is the client's own, of one connection */
	bool pushed; /* it is answered by a push, or an error */
	bool done;
	bool whole; /* it has the script itself */
	bool orphan; /* freed by its user; the answer is still to come, and is thrown away */
	bool sent;
	bool resent; /* it was sent before, over a connection that was lost */
	int64_t sent_at; /* the last time; or when it was made */
	int64_t deadline;
	struct il_resp text;
	size_t start; /* of the command in it */
};

/* Makes a request; answered() gets the answer. *r is good until then, or until il_request_forget. Both may be NULL: the
 * answer is thrown away. 0 or errno, and nothing will be called. */
int il_request_make(const struct il_command *c, enum il_request_flags flags, void (*answered)(struct il_request *r),
	void *owner, struct il_request **r);

/* The answer is thrown away. */
void il_request_forget(struct il_request *r);

/* After the answer. */
void il_request_free(struct il_request *r);

/* For the client: ------------------------------------------------------------------------------------- */

/* Sends a command of the client's own on this connection, at once. answered(), or NULL, gets the answer; if
 * the connection is lost it is not called. 0 or errno. */
int il_request_control(struct il_server *s, int argc, const char *const *argv, void (*answered)(struct il_request *r),
	void *owner, struct il_request **r);

/* The first one that was sent is answered, perhaps by a push. The reply is good during the call. */
void il_requests_reply(struct il_server *s, const struct il_reply *reply);
void il_request_finish(struct il_request *r, const struct il_reply *reply);

/* There is a connection; it is lost. */
void il_requests_up(struct il_server *s);
void il_requests_lost(struct il_server *s);

/* After that: which requests wait for the next connection? Unsafe ones that were sent fail with ECONNABORTED. MOVING:
 * all others; PATIENT: those that may. Waits that end may make new requests, which are for the next connection. */
enum il_lost { IL_LOST_MOVING, IL_LOST_PATIENT, IL_LOST_FOR_GOOD };
void il_requests_without(struct il_server *s, int err, enum il_lost how);

/* The first deadline, or IL_NEVER. Those that are patient wait for the connection, which has its own times. */
int64_t il_requests_due(const struct il_server *s);
void il_requests_expire(struct il_server *s, int64_t now);

/* In a forked child, or at the end: all is forgotten, nothing is called. */
void il_requests_drop(struct il_server *s);

/* At the end of the process. */
void il_requests_fini(void);

#endif
