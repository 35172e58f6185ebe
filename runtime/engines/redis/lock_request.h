/* SPDX-License-Identifier: MIT
 *
 * Lock requests: each acquire is one, with a number, from which the server makes a token. It waits in the server's
 * line, or it is granted and held, until it is released or its handle's lease is over. Floor 2.
 */
#ifndef IL_REDIS_LOCK_REQUEST_H
#define IL_REDIS_LOCK_REQUEST_H

#include "engines/redis/lock.h"

struct il_lock_request {
	struct il_list node;
	struct il_list op; /* the operation that waits for it, alone */
	struct il_list losses; /* operations that wait until it is lost */
	struct il_redis_lock *lock;
	struct il_request *request; /* for it, without an answer */
	int64_t number;
	int64_t until; /* its lease ends then or later */
	int64_t fence;
	bool once, lost;
	bool releasing; /* it is being given back: its lease is not renewed */
	bool tried; /* to give it back; it is not known whether that was done */
};

/* NULL: there is none of this number. */
struct il_lock_request *il_lock_request_find(struct il_list *requests, int64_t number);

void il_lock_request_free(struct il_lock_request *lr);

/* Ends the operations that wait until it is lost. */
void il_lock_request_lose(struct il_lock_request *lr, int err);

/* Its operation is done, and it is held; if the lease is over already, it is given back, and asked for again. */
void il_lock_request_grant(struct il_lock_request *lr, bool abandoned, int64_t fence);

/* Asks for it. 0 or errno. */
int il_lock_request_send(struct il_lock_request *lr);

/* The operation of every request that is not granted ends with err. */
void il_lock_requests_fail(struct il_redis_lock *h, int err);

/* The functions of the listener. */
void il_lock_requests_message(struct il_listener *l, const char *data, size_t size);
void il_lock_requests_down(struct il_listener *l, int err);

/* The functions of the operation `lost`. */
bool il_lock_request_lost_attempt(struct il_op *op);
int il_lock_request_lost_start(struct il_op *op);
bool il_lock_request_lost_cancel(struct il_op *op);

/* The functions of the operation `acquire`. */
bool il_lock_request_attempt(struct il_op *op);
int il_lock_request_start(struct il_op *op);
bool il_lock_request_cancel(struct il_op *op);

#endif
