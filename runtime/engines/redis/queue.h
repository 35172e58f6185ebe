/* SPDX-License-Identifier: MIT
 *
 * What the files of queues on a server have in common: queue.c opens, asks and closes, queue_receive.c and queue_send.c have
 * those who wait. They ask again when the server publishes news: a message came, there is room, it was removed.
 * Floor 2.
 */
#ifndef IL_REDIS_QUEUE_H
#define IL_REDIS_QUEUE_H

#include "engines/engine.h"
#include "engines/redis/face.h"
#include "loop/timer.h"

enum { IL_RQ_ID = 40, IL_RQ_BOUND = 24 };

/* A queue of a server: one per process, however many handles there are. */
struct il_rq {
	struct il_list node;
	struct il_face face; /* for the requests of who waits; handles have their own for what is asked of them */
	int refs;
	pid_t pid;
	bool removed;        /* there will be no news */
	char id[IL_RQ_ID];   /* the server's */
	/* receiving */
	struct il_list receivers; /* operations, in the order they came; data is the slot in which they ask, NULL: they wait for news */
	struct il_list slots;     /* nothing is asked there; those used last are last */
	struct il_list owing;     /* what they took is to go back; those without a request could not tell the server yet */
	int slot_count;
	struct il_timer idle;
	/* sending */
	struct il_list senders;   /* operations, in the order they came; begun: they have a flight */
	struct il_list flights;
	int looks, waiting;       /* flights that only look, operations that wait for news */
	bool full;                /* as far as is known */
	int64_t room;             /* bytes that are free, at least, after it was full */
	int64_t batch;            /* see queue_send.lua */
	uint64_t rooms;           /* news of room so far */
};

struct il_rq_handle {
	struct il_queue queue;
	struct il_face face;
	struct il_rq *rq;
};

static inline struct il_rq_handle *il_rq_handle(const struct il_queue *q)
{
	return il_container_of(q, struct il_rq_handle, queue);
}

/* Hears the news from now on, if not already. 0 or errno. */
int il_rq_listen(struct il_rq *q);

/* The operation, which is in no line any more, is done; an error says of its handle what the server said. */
void il_rq_finish(struct il_rq *q, struct il_op *op, int err);

/* The queue is no more: those who wait for news end with EIDRM, the others are told by the server. */
void il_rq_removed(struct il_rq *q);

/* The bounds between which the names of messages of the wanted types are (see queue_send.lua); "" for all. */
void il_rq_bounds(int64_t wanted, char lowest[IL_RQ_BOUND], char highest[IL_RQ_BOUND]);

/* The message in an answer becomes the operation's: 0, or EPROTO. */
int il_rq_message(struct il_request *r, struct il_op *op);

/* Receiving: queue_receive.c */
bool il_rq_receive_attempt(struct il_op *op);
int il_rq_receive_start(struct il_op *op);
bool il_rq_receive_cancel(struct il_op *op);
void il_rq_receivers_init(struct il_rq *q);
void il_rq_receivers_heard(struct il_rq *q, int64_t type);
void il_rq_receivers_up(struct il_rq *q);
/* Ends with err those of a handle, or of all: which == NULL; only those who wait for news, if `idle_only`. */
void il_rq_receivers_end(struct il_rq *q, const struct il_queue *which, bool idle_only, int err);
void il_rq_receivers_forked(struct il_rq *q);
void il_rq_receivers_fini(struct il_rq *q);

/* Sending: queue_send.c */
bool il_rq_send_attempt(struct il_op *op);
int il_rq_send_start(struct il_op *op);
bool il_rq_send_cancel(struct il_op *op);
void il_rq_senders_init(struct il_rq *q);
void il_rq_senders_heard(struct il_rq *q, int64_t room);
void il_rq_senders_up(struct il_rq *q);
void il_rq_senders_end(struct il_rq *q, const struct il_queue *which, bool idle_only, int err);
void il_rq_senders_forked(struct il_rq *q);

#endif
