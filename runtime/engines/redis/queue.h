/* SPDX-License-Identifier: MIT
 *
 * What the files of queues on a server have in common: queue.c opens, asks and closes, queue_receive.c and queue_send.c
 * have the operations that wait. They ask again when the server calls this process: a message came, there is room; or
 * when the queue was removed.
 * Floor 2.
 */
#ifndef IL_REDIS_QUEUE_H
#define IL_REDIS_QUEUE_H

#include "engines/engine.h"
#include "engines/redis/object/object.h"
#include "loop/timer.h"

enum { IL_RQ_ID = 40, IL_RQ_TYPE = 24, IL_RQ_PLACE = 16, IL_RQ_BATCH = 16, IL_RQ_CALLED = 4 };

/* A queue of a server: one per process, however many handles there are. */
struct il_rq {
	struct il_list node;
	struct il_list due; /* it has something to ask when the loop looks next */
	struct il_shared shared; /* the object's */
	struct il_redis_object object; /* of the operations that wait; the handles have their own */
	int refs;
	uint32_t generation;
	bool removed; /* there will be no calls */
	char id[IL_RQ_ID]; /* the server's */
	/* receiving */
	struct il_list receivers; /* operations, in the order they came; data is what they ask (struct il_rq_ask), NULL:
				     they wait for news */
	struct il_list asks; /* that are not in a slot yet */
	struct il_list slots; /* in which nothing is asked; those used last are last */
	struct il_list owing; /* what they took is to go back; those without a request could not tell the server yet */
	int slot_count;
	struct il_timer idle;
	/* sending */
	struct il_list senders; /* operations, in the order they came; begun: they have a flight */
	struct il_list flights;
	int looks, waiting; /* flights that only look, operations that wait for news */
	bool full; /* as far as is known */
	int64_t room; /* bytes that are free, at least, after it was full */
	int64_t batch; /* see queue_send.lua */
	uint64_t rooms; /* calls for room so far */
	char place[IL_RQ_PLACE]; /* in the line for room, of the last call; "" once it is used */
	bool called; /* for room, and no operation has asked since */
	/* processes that are called and do not come */
	struct il_timer recall; /* after a change for which the server called a process, */
	char recalls[IL_RQ_CALLED][IL_RQ_TYPE]; /* for messages of these types, or room */
	int recall_count;
	struct il_timer look; /* now and then, while operations wait for a call */
};

struct il_rq_handle {
	struct il_queue queue;
	struct il_redis_object object;
	struct il_rq *rq;
};

static inline struct il_rq_handle *il_rq_handle(const struct il_queue *q)
{
	return il_container_of(q, struct il_rq_handle, queue);
}

/* Has il_rq_asks_due and il_rq_flights_due called when the loop looks next: what comes up until then is asked at once.
 */
void il_rq_due(struct il_rq *q);
void il_rq_asks_due(struct il_rq *q);
void il_rq_flights_due(struct il_rq *q);

/* Hears the news from now on, if not already. 0 or errno. */
int il_rq_listen(struct il_rq *q);

/* The operation, which is in no line any more, is done; an error says of its handle what the server said. */
void il_rq_finish(struct il_rq *q, struct il_op *op, int err);

/* The queue is no more: operations that wait for a call end with EIDRM; the others get that answer. */
void il_rq_removed(struct il_rq *q);

/* Adds which messages are wanted (see queue_take.lua) to a call; text must stay until it is made. */
void il_rq_want(struct il_command *c, int64_t wanted, char text[IL_RQ_TYPE]);

/* 19 digits. */
void il_rq_type(int64_t type, char text[IL_RQ_TYPE]);

/* A process that the server has called does not need to come: the server calls the next one. For a message of this
 * type; 0: for room. */
void il_rq_pass(struct il_rq *q, int64_t type);

/* The server has called a process, which is perhaps busy or dead, for a message of this type; 0: for room. After a
 * moment the next one is called, if that is still there. */
void il_rq_recall(struct il_rq *q, int64_t type);

/* The message at a place in an answer, from 0, becomes the operation's: 0, or EPROTO. */
int il_rq_message(struct il_request *r, size_t place, struct il_op *op);

/* Receiving: queue_receive.c */
bool il_rq_receive_attempt(struct il_op *op);
int il_rq_receive_start(struct il_op *op);
bool il_rq_receive_cancel(struct il_op *op);
void il_rq_receivers_init(struct il_rq *q);
void il_rq_receivers_called(struct il_rq *q, int64_t wanted, int64_t type, const char *place);
void il_rq_receivers_up(struct il_rq *q);
/* Ends with err those of a handle, or of all: which == NULL; only those that wait for a call, if `idle_only`. */
void il_rq_receivers_end(struct il_rq *q, const struct il_queue *which, bool idle_only, int err);
void il_rq_receivers_forked(struct il_rq *q);

/* Sending: queue_send.c */
bool il_rq_send_attempt(struct il_op *op);
int il_rq_send_start(struct il_op *op);
bool il_rq_send_cancel(struct il_op *op);
void il_rq_senders_init(struct il_rq *q);
void il_rq_senders_called(struct il_rq *q, int64_t room, const char *place);
void il_rq_senders_up(struct il_rq *q);
void il_rq_senders_end(struct il_rq *q, const struct il_queue *which, bool idle_only, int err);
void il_rq_senders_forked(struct il_rq *q);

#endif
