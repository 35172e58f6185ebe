/* SPDX-License-Identifier: MIT
 *
 * What the files of queues on a server have in common: queue.c opens, asks and closes, queue_receive.c and queue_send.c
 * have the operations that wait, queue_delivery.c how messages arrive, queue_job.c what is taken, queue_lease.c its
 * lease, queue_dead.c the dead letters.
 * Floor 2.
 */
#ifndef IL_REDIS_QUEUE_H
#define IL_REDIS_QUEUE_H

#include "engines/engine.h"
#include "engines/redis/object/waiter.h"

enum { IL_RQ_ID = 40, IL_RQ_NAME = 32, IL_RQ_PLACE = 16, IL_RQ_BATCH = 64 };

/* What a request for one operation carries of several messages, at most. */
enum { IL_RQ_MOST = 1000, IL_RQ_MOST_BYTES = 1 << 20 };

/* The operations that send: one request at a time serves the first of them. */
struct il_rq_sender {
	struct il_redis_waiter waiter;
	struct il_op *batch[IL_RQ_BATCH]; /* that the request serves; NULL: it has given up */
	int count;
	bool query; /* the request only queries whether there is room */
	size_t size; /* of the batch, bytes */
	int64_t room; /* as far as is known */
	char name[IL_RQ_NAME]; /* by which the server knows it in the line for room, */
	char place[IL_RQ_PLACE]; /* and its place there, of the last call; "" once it is used */
};

struct il_rq;

/* See queue_lease.h. */
struct il_rq_lease {
	int64_t until; /* it ends then or later, as far as is known here */
	int64_t kept_at; /* when the last request was sent that has kept it */
	int64_t beat_at; /* when it was last requested, */
	struct il_list beats; /* and the requests */
	int64_t clock; /* the server's time less ours, or a little more; ms */
	struct il_timer beat;
	void (*kept)(struct il_rq *q); /* il_rq_jobs_tell */
	void (*lost)(struct il_rq *q, bool ended); /* il_rq_jobs_lost */
};

/* A queue of a server: one per process, however many handles there are, so that all wait in one line. */
struct il_rq {
	struct il_list node; /* in state.h */
	struct il_redis_waits waits; /* its object is that of the operations that wait; the handles have their own */
	struct il_shared shared; /* the object's */
	int refs;
	char id[IL_RQ_ID]; /* the server's */
	struct il_rq_sender sender;
	uint32_t names; /* il_rq_name has given; they are used again when the queue is opened again */
	struct il_list idle; /* deliveries (queue_delivery.h) without a request; that of the last one is first */
	struct il_timer idle_timer; /* then idle deliveries say what has arrived */
	struct il_timer sweep; /* after a process was handed something, or called */
	struct il_timer due; /* when something is due that an operation here may wait for */
	struct il_request *sweeping; /* that is not answered */
	struct il_job_limits limits; /* of the handle that was used last */
	/* queue_job.c */
	struct il_list jobs; /* that are taken */
	bool losses; /* operations wait, perhaps, until one is lost */
	struct il_rq_lease lease;
};

struct il_rq_handle {
	struct il_queue queue;
	struct il_redis_object object;
	struct il_rq *rq;
};

static inline struct il_rq_handle *il_rq_handle_of_op(const struct il_op *op)
{
	return il_container_of(op->source, struct il_rq_handle, queue);
}

static inline struct il_rq *il_rq_of_op(const struct il_op *op)
{
	return il_rq_handle_of_op(op)->rq;
}

static inline struct il_rq *il_rq_of(const struct il_redis_waits *all)
{
	return il_container_of(all, struct il_rq, waits);
}

/* Begins a call of a script for the queue. */
static inline void il_rq_command(struct il_command *c, struct il_rq *q, enum il_script script)
{
	il_command_init(c, &q->waits.object, script);
	il_command_text(c, q->id);
}

/* A name for what stands in a line: "h@", then the process and 8 digits, of which the first is "T" if it takes jobs, as
 * the scripts have it. */
void il_rq_name(struct il_rq *q, bool takes, char text[IL_RQ_NAME]);

/* Something is due in so many ms, -1: nothing; and so many deliveries stand: one process that waits looks then, and the
 * others a little later. */
void il_rq_due(struct il_rq *q, int64_t ms, int64_t stand);

/* A process was handed something, or called, that is perhaps busy or dead: after a moment, what it does not take is for
 * the next one. */
void il_rq_sweep_later(struct il_rq *q);

#endif
