/* SPDX-License-Identifier: MIT
 *
 * Requests to a server: commands that are answered. They are written together when the loop asks the kernel next, and
 * answered in the order in which they were made. So a request that takes another one back can follow it at once.
 * Floor 2.
 */
#ifndef IL_REDIS_REQUEST_H
#define IL_REDIS_REQUEST_H

#include "base/list.h"
#include "engines/redis/client/command.h"
#include "engines/redis/client/server.h"
#include "loop/op.h"

enum il_request_flags {
	IL_UNSAFE = 0, /* if the connection is lost before the answer: ECONNABORTED, it may or may not have happened */
	IL_SAFE = 1, /* it is sent again over the next connection: twice is as good as once */
	IL_PATIENT = 2 /* without a connection it does not fail, but waits until the server is given up */
};

struct il_request {
	struct il_list node; /* in the server's list, in order, until it is answered */
	struct il_list mine; /* of the object's, if it is an operation's */
	struct il_server *server;
	struct il_redis_object *object;
	struct il_op *op; /* waits for the answer */
	int (*told)(struct il_op *op, struct il_request *r, int err); /* see il_redis_object_request */
	void (*answered)(
		struct il_request *r); /* called once, on the loop; to free it. NULL: the answer is not wanted */
	void *owner; /* for answered() */
	int64_t tag; /* for the owner */
	struct il_reply *reply; /* NULL with err */
	int err;
	enum il_request_flags flags;
	bool done;
	bool plain; /* it is a command, not a script */
	/* for request.c: */
	struct il_expected expected; /* in a list while it is in flight */
	enum il_script script;
	bool whole; /* it has the script itself */
	bool orphan; /* freed by its user; the answer is still to come, and is thrown away */
	bool sent;
	bool again; /* it was sent before, over a connection that was lost */
	int64_t sent_at; /* the last time; or when it was made */
	int64_t deadline;
	char *command;
	size_t size;
};

/* Makes a request; answered() gets the answer. *r is good until then, or until il_request_forget. Both may be NULL: the
 * answer is thrown away. 0 or errno, and nothing will be called. */
int il_request_make(const struct il_command *c, enum il_request_flags flags, void (*answered)(struct il_request *r),
	void *owner, struct il_request **r);

/* The answer is thrown away. */
void il_request_forget(struct il_request *r);

void il_request_free(struct il_request *r);

/* 0 or errno. Scripts reply with an array whose first element is 0 or one of Linux's error numbers (for commands it is
 * 0 if the server did not call their reply an error); other failures are ECONNREFUSED, ECONNABORTED (see IL_UNSAFE),
 * ETIMEDOUT (no answer in the URL's ?timeout=5), ENOMEM (the server has no memory), EACCES (password, rights), EBUSY
 * (it loads its data, or is busy with a script), EROFS (it is a replica), EIO (it cannot save), EPROTO;
 * object->shared->why then says more. Patient requests end with EBUSY or EROFS only when the server is given up. */
int il_request_status(struct il_request *r);

/* Elements of the reply: integers come as integers or as text of digits. Out of range: 0, or "". */
int64_t il_reply_number(const struct il_request *r, size_t element);
const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size);

/* How many elements the reply has; is this one a string? */
size_t il_reply_count(const struct il_request *r);
bool il_reply_has_string(const struct il_request *r, size_t element);

/* The operation owns the bytes of an element, from `skip` on; once. 0; EPROTO: it is no string; ENOMEM. */
int il_reply_take(struct il_request *r, size_t element, size_t skip, struct il_op *op);

/* Requests, as a server sees them. */
extern const struct il_server_part il_requests;

#endif
