/* SPDX-License-Identifier: MIT
 *
 * The jobs of a queue that this process has taken. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_JOB_H
#define IL_REDIS_QUEUE_JOB_H

#include "engines/redis/queue.h"

void il_rq_jobs_init(struct il_rq *q);

/* All are forgotten. In a forked child they are the parent's. */
void il_rq_jobs_fini(struct il_rq *q, bool forked);

/* Adds limits as the scripts have them. */
void il_rq_limits(struct il_command *c, const struct il_job_limits *limits);

/* The answer to a request that takes: whether the lease was kept, or had ended. */
void il_rq_job_leased(struct il_rq *q, const struct il_request *r);

/* An entry and its value at a place in the answer, from 0, become the operation's job. 0; EPROTO or ENOMEM. */
int il_rq_job_taken(struct il_request *r, size_t place, struct il_op *op);

/* In how many ms a job is to be ready, by the server's clock, which counts from when it gets the request. */
int64_t il_rq_job_delay(const struct il_job *job);

/* The lease had ended, and they are not this process's any more; or only the waits for that end. */
void il_rq_jobs_lost(struct il_rq *q, bool ended);

/* What the program has let go is told to the server, as far as that has not answered it. */
void il_rq_jobs_tell(struct il_rq *q);

/* The jobs that were taken with a handle go back. */
void il_rq_jobs_release(struct il_rq_handle *h);

/* The functions of the operations `finish` and `lost`. */
bool il_rq_finish_attempt(struct il_op *op);
int il_rq_finish_start(struct il_op *op);
bool il_rq_finish_cancel(struct il_op *op);
bool il_rq_lost_attempt(struct il_op *op);
int il_rq_lost_start(struct il_op *op);

#endif
