/* SPDX-License-Identifier: MIT
 *
 * Waiting for something on a server. A wait is a request whose answer may come late: it is asked; the server answers at
 * once, or has the process stand in line and publishes the answer on the object's channel when there is one. What the
 * server may have forgotten, or this process may have missed, is asked again: after a lost connection, when the channel
 * is subscribed to, and now and then.
 *
 * A waiter is a queue of operations that want the same of one object. The noun says by its kind what is asked, and how
 * an answer is read. Floor 2.
 */
#ifndef IL_REDIS_WAITER_H
#define IL_REDIS_WAITER_H

#include "engines/redis/object/object.h"
#include "loop/timer.h"

struct il_redis_waiter;

/* All are called on the loop, and may finish operations by il_redis_waiter_finish. */
struct il_redis_waiter_kind {
	/* May the operation be served by the next request, which serves n so far? NULL: yes. */
	bool (*joins)(struct il_redis_waiter *w, const struct il_op *op, int n);
	/* Makes the request for the operations in `asked`; w->stands: the same once more. 0 or errno. */
	int (*request)(struct il_redis_waiter *w, void (*answered)(struct il_request *r));
	/* The answer, err as il_request_status has it. Finishes those operations that have what they wait for, the
	 * first ones first. 0: the others ask again; EAGAIN: they stand in line, or have nothing with timeout 0; else
	 * they end with that error. */
	int (*answer)(struct il_redis_waiter *w, struct il_request *r, int err);
	/* An operation that the request serves, or may serve, has left; the lists are without it already. True: its end
	 * is not known, see cancel of il_op_type. NULL: false. */
	bool (*left)(struct il_redis_waiter *w, struct il_op *op);
	/* No operation waits for the answer, or for what the server publishes: what comes goes back. NULL: nothing. */
	void (*give_back)(struct il_redis_waiter *w);
	/* No operation waits, and no request is on its way: the waiter may be freed. */
	void (*idle)(struct il_redis_waiter *w);
	bool alone; /* operations that come while it stands have to ask */
	bool at_once; /* it is asked when an operation starts, before any other request of its task; not when the loop
			 asks the kernel */
};

/* All zero at first, but for `all` and `kind`: see il_redis_waiter_init. */
struct il_redis_waiter {
	struct il_list node; /* of the noun's list, or in none */
	struct il_list due; /* in state.h: it goes on when the loop asks the kernel next */
	struct il_list asked; /* operations that the last request serves, in order, */
	struct il_list fresh; /* and those behind them */
	struct il_redis_waits *all;
	const struct il_redis_waiter_kind *kind;
	struct il_request *request; /* that is not answered */
	bool once; /* its operations have timeout 0 */
	bool stands; /* the server publishes the answer */
	bool again; /* what it stands for may be there: it is asked again */
	bool held; /* an answer is being read: what it brings about waits */
};

/* What the waiters of an object have in common. */
struct il_redis_waits {
	struct il_redis_object object;
	struct il_list waiters; /* all that are not idle */
	const char *channel; /* word of the channel; NULL: that of this process */
	struct il_timer recheck; /* now and then, while an operation stands */
	/* Something may have been missed. NULL: each waiter that stands asks again, also now and then. */
	void (*up)(struct il_redis_waits *all);
	/* Gets what is published there. */
	void (*published)(struct il_redis_waits *all, const char *data, size_t size);
};

/* To be called when the object is open. */
void il_redis_waits_init(struct il_redis_waits *all);

void il_redis_waiter_init(struct il_redis_waiter *w, struct il_redis_waits *all,
	const struct il_redis_waiter_kind *kind);

/* Start and cancel of an operation that waits with w. */
void il_redis_waiter_start(struct il_redis_waiter *w, struct il_op *op);
bool il_redis_waiter_cancel(struct il_op *op);

/* The first operation; NULL: none waits. */
struct il_op *il_redis_waiter_first(const struct il_redis_waiter *w);

/* The operation is done. An error says of its handle what the server said. */
void il_redis_waiter_finish(struct il_redis_waiter *w, struct il_op *op, int err);

/* Looks, when the loop asks the kernel next, what has to be asked. */
void il_redis_waiter_due(struct il_redis_waiter *w);

/* What the waiter stands for may be there: it is asked again, at once. */
void il_redis_waiter_again(struct il_redis_waiter *w);

/* The answer came otherwise: it stands no more, and that of a request on its way is not waited for. */
void il_redis_waiter_served(struct il_redis_waiter *w);

/* The same of all. */
void il_redis_waits_again(struct il_redis_waits *all);

/* Ends the operations of a source, NULL: of all; only those that stand and ask nothing, if `standing`. */
void il_redis_waits_end(struct il_redis_waits *all, const void *source, bool standing, int err);

/* The object is no more: its operations end with EIDRM. */
void il_redis_waits_removed(struct il_redis_waits *all);

/* In a forked child. */
void il_redis_waits_forked(struct il_redis_waits *all);

/* Before the object is closed; no operation waits. */
void il_redis_waits_fini(struct il_redis_waits *all);

#endif
