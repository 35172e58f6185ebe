/* SPDX-License-Identifier: MIT
 *
 * Messages as the server keeps them: what queue_state.lua says stands in front of the bytes. Floor 2.
 */
#ifndef IL_REDIS_QUEUE_RECORD_H
#define IL_REDIS_QUEUE_RECORD_H

#include "engines/engine.h"
#include "engines/redis/client/answer.h"

/* Adds a type of 19 digits, as the scripts have them, "-" before it if it is a bound, or "0". */
void il_rq_record_type(struct il_command *c, int64_t type);

/* Adds a message that is sent; job: how, or NULL. */
void il_rq_record_command(struct il_command *c, const struct il_job *job, const void *data, size_t size);

/* How many bytes stand in front of a message; 0: it makes no sense. */
size_t il_rq_record_head(const char *record, size_t size);

/* When it was sent; ns of the wall clock. 0: it makes no sense. */
int64_t il_rq_record_sent(const char *record, size_t size);

/* The message at a place in an answer, from 0, becomes the operation's: 0, EPROTO or ENOMEM. */
int il_rq_record_message(struct il_request *r, size_t place, struct il_op *op);

/* The same of a record that is or was a job, with its name, "type:number": job->place is the number; sent,
 * attempts and id are set too. */
int il_rq_record_job(const char *name, const char *record, size_t size, struct il_op *op);

#endif
