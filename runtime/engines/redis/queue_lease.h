/* SPDX-License-Identifier: MIT
 *
 * The lease of this process for the jobs of a queue: one, whatever their number. A beat keeps it, every third of it,
 * while there is a job; its timer comes through the hook as well, so it is kept while Lua is busy. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_LEASE_H
#define IL_REDIS_QUEUE_LEASE_H

#include "engines/redis/queue.h"

/* kept: a beat has kept it. lost: the lease had ended; or it has, as far as is known here. */
void il_rq_lease_init(struct il_rq *q, void (*kept)(struct il_rq *q), void (*lost)(struct il_rq *q, bool ended));

/* The answers are not waited for any more. */
void il_rq_lease_fini(struct il_rq *q);

/* In a forked child: it is the parent's. */
void il_rq_lease_forked(struct il_rq *q);

/* The request was answered, at a time of the server's, in ms, and keeps the lease. */
void il_rq_lease_kept(struct il_rq *q, const struct il_request *r, uint64_t server_ms);

/* As far as is known here. */
bool il_rq_lease_is_over(const struct il_rq *q);

/* Sets the timer for what is due next, while there is a job. */
void il_rq_lease_arm(struct il_rq *q);

/* Adds the server's time, in ms, or a little more; or 0: the lease is to be kept by the request. */
void il_rq_lease_time(struct il_command *c, const struct il_rq *q);

#endif
