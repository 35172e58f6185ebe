/* SPDX-License-Identifier: MIT
 *
 * What the files of queues on a server have in common: queue.c opens, asks and closes, queue_receive.c and queue_send.c
 * have those who wait. They ask again when the server publishes news: a message came, there is room, it was removed.
 * Floor 2.
 */
#ifndef IL_REDIS_QUEUE_H
#define IL_REDIS_QUEUE_H

#include "engines/engine.h"
#include "engines/redis/face.h"
#include "loop/timer.h"

enum { IL_RQ_ID = 40, IL_RQ_BOUND = 24, IL_RQ_BATCH = 16 };

/* A queue of a server: one per process, however many handles there are. */
struct il_rq {
	struct il_list node;
	struct il_list due; /* it has something to ask when the loop looks next */
	struct il_face face; /* for the requests of who waits; handles have their own for what is asked of them */
	int refs;
	uint32_t generation;
	bool removed; /* there will be no news */
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
	uint64_t rooms; /* news of room so far */
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

/* Has il_rq_asks_due and il_rq_flights_due called when the loop looks next: what comes up until then is asked at once.
 */
void il_rq_due(struct il_rq *q);
void il_rq_asks_due(struct il_rq *q);
void il_rq_flights_due(struct il_rq *q);

/* Hears the news from now on, if not already. 0 or errno. */
int il_rq_listen(struct il_rq *q);

/* The operation, which is in no line any more, is done; an error says of its handle what the server said. */
void il_rq_finish(struct il_rq *q, struct il_op *op, int err);

/* The queue is no more: those who wait for news end with EIDRM, the others are told by the server. */
void il_rq_removed(struct il_rq *q);

/* The bounds between which the names of messages of the wanted types are (see queue_send.lua); "" for all. */
void il_rq_bounds(int64_t wanted, char lowest[IL_RQ_BOUND], char highest[IL_RQ_BOUND]);

/* The message at a place in an answer, from 0, becomes the operation's: 0, or EPROTO. */
int il_rq_message(struct il_request *r, size_t place, struct il_op *op);

/* Slots: queue_slot.c. In a slot one request at a time takes messages, see queue_receive.lua. */
struct il_rq_slot {
	struct il_list node; /* in slots or owing */
	struct il_rq *queue;
	struct il_request *request;
	struct il_list asks; /* that it answers, in order */
	int index;
	int64_t number; /* of the last request */
	int keep; /* of its messages, when the others go back */
	bool dirty; /* the server keeps what was taken */
};

/* An operation asks for a message. */
struct il_rq_ask {
	struct il_list node; /* in the queue's asks, or the slot's */
	struct il_op *op;
	struct il_rq_slot *slot; /* NULL: not yet */
	int64_t wanted;
	int64_t news; /* the type of the message because of which it asks; or 0 */
	bool again; /* what it asks for may have come since, */
	int64_t mark; /* and that is of this type; or 0 */
	bool sweeps; /* there may be more than one */
};

/* A slot for a new request; NULL: no memory. */
struct il_rq_slot *il_rq_slot_get(struct il_rq *q);

/* Nothing is asked there any more. */
void il_rq_slot_rest(struct il_rq_slot *s);

/* Makes the request: 0 or errno. */
int il_rq_slot_ask(struct il_rq_slot *s, int64_t wanted, int count, enum il_request_flags flags,
	void (*answered)(struct il_request *r));

/* Of what it took, or is about to take, only so many messages are kept. False: the slot is not the caller's any more;
 * so it is if none is kept. */
bool il_rq_slot_put_back(struct il_rq_slot *s, int keep);

/* What could not be put back is tried again. */
void il_rq_slots_retry(struct il_rq *q);

void il_rq_slots_init(struct il_rq *q);
void il_rq_slots_fini(struct il_rq *q, bool forked);

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
