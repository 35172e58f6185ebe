/* SPDX-License-Identifier: MIT
 *
 * Deliveries of a queue on a server: what a process has asked for, so that the server can give the same again.
 * Floor 2.
 */
#ifndef IL_REDIS_DELIVERY_H
#define IL_REDIS_DELIVERY_H

#include "engines/redis/queue.h"

/* A slot of this process, in which one request at a time takes messages, see queue_receive.lua. */
struct il_delivery {
	struct il_list node; /* in slots or owing */
	struct il_rq *queue;
	struct il_request *request;
	struct il_list asks; /* that it answers, in order */
	int index;
	int64_t number; /* of the last request, */
	int64_t wanted; /* what it wants, */
	int count; /* and how many at most */
	int keep; /* of its messages, when the others go back */
	bool dirty; /* the server keeps what was taken */
};

/* An operation asks for a message. */
struct il_rq_ask {
	struct il_list node; /* in the queue's asks, or the slot's */
	struct il_op *op;
	struct il_delivery *slot; /* NULL: not yet */
	int64_t wanted;
	int64_t type; /* of the message for which it was called, or 0; */
	char place[IL_RQ_PLACE]; /* and its place in the line then, or "" */
	bool again; /* what it asks for may have come since */
};

/* A slot for a new request; NULL: no memory. */
struct il_delivery *il_delivery_get(struct il_rq *q);

/* Nothing is asked there any more. */
void il_delivery_recycle(struct il_delivery *s);

/* Makes the request: 0 or errno. */
int il_delivery_ask(struct il_delivery *s, int64_t wanted, int count, const char *place, enum il_request_flags flags,
	void (*answered)(struct il_request *r));

/* Of what it took, or is about to take, only so many messages are kept. False: the slot is not the caller's any more;
 * so it is if none is kept. */
bool il_delivery_put_back(struct il_delivery *s, int keep);

/* What could not be put back is tried again. */
void il_deliveries_retry(struct il_rq *q);

void il_deliveries_init(struct il_rq *q);

/* The queue has its id: the server looks for processes that have ended. */
void il_deliveries_opened(struct il_rq *q);

void il_deliveries_fini(struct il_rq *q, bool forked);

#endif
