/* SPDX-License-Identifier: MIT
 *
 * Lock requests: each acquire is one, with a number, from which the server makes a token. It waits in the server's
 * line, or it is granted and held, until it is released or its handle's lease is over. Floor 2.
 */
#ifndef IL_REDIS_LOCK_REQUEST_H
#define IL_REDIS_LOCK_REQUEST_H

#include "engines/redis/lock.h"

struct il_lock_request {
	struct il_redis_waiter waiter; /* of the operation alone; in the handle's waiters, or in `held` */
	struct il_list losses; /* operations that wait until it is lost */
	int64_t number;
	int64_t until; /* its lease ends then or later */
	int64_t fence;
	bool held, lost;
	bool releasing; /* it is being given back: its lease is not renewed */
	bool tried; /* to give it back; it is not known whether that was done */
};

/* NULL: there is none of this number. */
struct il_lock_request *il_lock_request_find(struct il_list *requests, int64_t number);

void il_lock_request_free(struct il_lock_request *lr);

/* Its operation is done, and it is held; if the lease is over already, it is given back, and asked for again. */
void il_lock_request_grant(struct il_lock_request *lr, bool abandoned, int64_t fence);

/* Start of the operation `acquire`; cancel is that of every waiter. */
int il_lock_request_start(struct il_op *op);

/* For il_redis_waits: "number abandoned fence" or "removed id". */
void il_lock_request_published(struct il_redis_waits *all, const char *data, size_t size);

/* The functions of the operation `lost`. */
bool il_lock_request_lost_attempt(struct il_op *op);
int il_lock_request_lost_start(struct il_op *op);
bool il_lock_request_lost_cancel(struct il_op *op);

#endif
