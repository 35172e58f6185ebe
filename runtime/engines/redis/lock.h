/* SPDX-License-Identifier: MIT
 *
 * What semaphore and mutex have in common here. Each acquire is a claim with a number, from which the server makes a
 * token: in line, or held for as long as its lease is renewed. lock.c is the object, claim.c what waits, lease.c what
 * keeps the lease alive. Floor 2.
 */
#ifndef IL_REDIS_LOCK_H
#define IL_REDIS_LOCK_H

#include "engines/redis/face.h"
#include "loop/timer.h"

/* A handle. */
struct il_redis_lock {
	struct il_lock lock;
	struct il_face face;
	char id[40]; /* the object's */
	bool removed;
	int max; /* permits */
	int64_t lease; /* ns */
	int64_t fence; /* of the last claim that was granted */
	struct il_list line; /* claims that are asked for, in their order */
	struct il_list held;
	int64_t until; /* its lease ends then or later, as far as is known here */
	struct il_timer timer;
	int64_t due; /* of the timer */
	int64_t beat_at; /* when it was last asked to keep the lease, */
	int64_t look_at; /* and when a holder's lease ends; or IL_NEVER */
	struct il_list beats; /* requests to keep it */
	struct il_request *last_beat;
	bool again; /* all is to be looked at */
	int index; /* of this process's handles: its name is "process.index", */
	char name[32];
};

struct il_claim {
	struct il_list node;
	struct il_list op; /* the operation that waits for it, alone */
	struct il_redis_lock *lock;
	struct il_request *request; /* for it, without an answer */
	int64_t number;
	int64_t until; /* its lease ends then or later */
	int64_t fence;
	bool once, lost;
	bool releasing; /* it is being given back: its lease is not renewed */
	bool tried; /* to give it back; it is not known whether that was done */
};

static inline struct il_redis_lock *il_redis_lock_of(struct il_lock *l)
{
	return il_container_of(l, struct il_redis_lock, lock);
}

int il_redis_lock_open(const struct il_key *key, const char *noun, struct il_lock_options *o,
	const struct il_lock_ops *ops, struct il_lock **l);

/* Of its lease. */
const char *il_redis_lock_name(struct il_redis_lock *h);

/* lock_change.lua with a verb; its other arguments are to be added. */
void il_redis_lock_call(struct il_command *c, struct il_redis_lock *h, const char *verb);

/* Gives a claim back, whatever has become of it, without an answer. how: "given", "undone". */
void il_redis_lock_return(struct il_redis_lock *h, int64_t number, const char *how);

/* The functions of an il_lock_ops. */
bool il_redis_lock_attempt(struct il_op *op);
int il_redis_lock_start(struct il_op *op);
bool il_redis_lock_cancel(struct il_op *op);
int il_redis_lock_release(struct il_lock *l, bool abandoned);
int il_redis_lock_value(struct il_lock *l, int *permits);
int il_redis_lock_holder(struct il_lock *l, pid_t *pid);
int il_redis_lock_remove(struct il_lock *l);
void il_redis_lock_close(struct il_lock *l);
int il_redis_lock_token(struct il_lock *l, int64_t *token);

/* Claims ------------------------------------------------------------------------------------------------ */

/* NULL: there is none of this number. */
struct il_claim *il_claim_find(struct il_list *claims, int64_t number);

void il_claim_free(struct il_claim *c);

/* Its operation is done, and it is held; if the lease is over already, it is given back, and asked for again. */
void il_claim_grant(struct il_claim *c, bool abandoned, int64_t fence);

/* Asks for it. 0 or errno. */
int il_claim_ask(struct il_claim *c);

/* The operation of every claim in line ends with err. */
void il_claims_fail(struct il_redis_lock *h, int err);

/* The functions of the listener. */
void il_claims_message(struct il_listener *l, const char *data, size_t size);
void il_claims_down(struct il_listener *l, int err);

#endif
