/* SPDX-License-Identifier: MIT
 *
 * ipc.Job: a message that is taken and not done yet. What its files share: the handle (job.c), the words about it
 * (job_word.c), the limit of time (job_limit.c). Its queue has the rest (queue_jobs.h).
 * Floor 4.
 */
#ifndef IL_JOB_H
#define IL_JOB_H

#include "base/fork.h"
#include "bind.h"
#include "engines/engine.h"
#include "job_limit.h"
#include "queue_handle.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hidden, and said so here: then it is reached directly. */
extern const char il_job_class[] __attribute__((visibility("hidden")));

struct il_job_handle {
	struct il_object object;
	struct il_queue_handle *q;
	const char *state; /* NULL: it is taken; or what has become of it */
	bool busy; /* its word is on the way; or was, when the wait for the answer was cancelled */
	uint32_t generation;
	struct il_job_time_limit *limit; /* behind the texts; NULL: none */
	int64_t type, token, sent;
	uint64_t place, number;
	uint32_t attempt, deaths, attempts;
	uint8_t id_size, reason_size;
	bool has_bytes; /* of its message, behind the reason: see il_job_begin */
	uint16_t room, message_size;
	char texts[]; /* id, reason, message */
};

/* The job at 1. Raises. */
static inline struct il_job_handle *il_job_check(lua_State *L)
{
	return il_self(L, il_job_class);
}

/* False in a forked child, and when the queue's handle was closed. */
static inline bool il_job_is_mine(const struct il_job_handle *j)
{
	return j->q->queue && il_fork_is_own(j->generation);
}

/* Pushes a handle for a delivery of the queue at stack index `queue`; from then on it answers for it. Raises before. */
struct il_job_handle *il_job_push(lua_State *L, int queue, int64_t type, const struct il_job *job);

/* The same in two steps, of which the second cannot fail: so a job that is taken between them needs no protected call.
 * The first pushes a handle with room for so many bytes of texts and message, and raises. The second fills it, at the
 * top; the message is its bytes: they are made a string when the program reads them. False: there is too little room.
 */
struct il_job_handle *il_job_new(lua_State *L, struct il_queue_handle *q, size_t room);
bool il_job_begin(lua_State *L, struct il_job_handle *j, int queue, const struct il_op *op);

/* The message at the top becomes the job's. Then its time begins to run, if there is a limit. Pops; raises. */
void il_job_set_message(lua_State *L, struct il_job_handle *j);

/* It is not taken any more. */
void il_job_set_over(struct il_job_handle *j, const char *state);

/* Fills what the engine gets: which delivery, and what becomes of it. */
void il_job_fill(struct il_job *job, const struct il_job_handle *j, enum il_job_outcome outcome);

/* A text that is too long is cut. */
void il_job_set_reason(struct il_job *job, const char *text, size_t size);

/* Pushes the id, which is made when it is needed. */
const char *il_job_push_id(lua_State *L, const struct il_job_handle *j);
const char *il_job_push_id_of(lua_State *L, const struct il_job *job);

/* Pushes the id for messages: of a long one the beginning. */
const char *il_job_push_name(lua_State *L, const struct il_job_handle *j);

/* Sets the fields attempt, deaths, id, reason, sent and type of the table at the top. */
void il_job_push_fields(lua_State *L, const struct il_job *job, int64_t type);

/* Registers the class. */
void il_job_open(lua_State *L);

#endif
