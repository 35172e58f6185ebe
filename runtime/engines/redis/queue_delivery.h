/* SPDX-License-Identifier: MIT
 *
 * Deliveries: in each of them one request of this process at a time receives messages, or takes jobs. The server keeps
 * what it gave to the last request of a delivery until the next request says how much has arrived. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_DELIVERY_H
#define IL_REDIS_QUEUE_DELIVERY_H

#include "engines/redis/queue.h"

enum { IL_RQ_NUMBER = 16 }; /* digits of the number of a request */

/* See queue_receive.lua. Operations that want the same use its waiter. */
struct il_rq_delivery {
	struct il_redis_waiter waiter;
	int64_t wanted;
	bool once;
	bool takes; /* jobs */
	struct il_job_limits limits;
	char name[IL_RQ_NAME];
	int64_t number; /* of the last request, */
	int64_t answered; /* and of the last one that was given messages, as far as is known, */
	int arrived; /* and how many of them have arrived */
	bool dirty; /* the server keeps what arrived */
	char *bytes; /* of a message that was handed over, until the server has answered that it is ours; or NULL */
	size_t size;
	int64_t type;
};

static inline struct il_rq_delivery *il_rq_delivery_of(struct il_redis_waiter *w)
{
	return il_container_of(w, struct il_rq_delivery, waiter);
}

static inline struct il_rq *il_rq_delivery_queue(const struct il_rq_delivery *s)
{
	return il_rq_of(s->waiter.all);
}

/* Makes a request for `count` messages. stands: if there is none, it stands in line. 0 or errno. */
int il_rq_delivery_request(struct il_rq_delivery *s, int count, bool stands, enum il_request_flags flags,
	void (*answered)(struct il_request *r));

/* A request for nothing says what has arrived. If it is lost, the next one in the delivery says so. */
void il_rq_delivery_acknowledge(struct il_rq_delivery *s);

void il_rq_delivery_forget_bytes(struct il_rq_delivery *s);

/* For a kind of waiter: no operation uses the delivery any more. */
void il_rq_delivery_idle(struct il_redis_waiter *w);

void il_rq_deliveries_init(struct il_rq *q);

/* They go; in a forked child they are the parent's. */
void il_rq_deliveries_fini(struct il_rq *q, bool forked);

#endif
