/* SPDX-License-Identifier: MIT
 *
 * The words that end a job, and what its handle says when none was said.
 * Floor 4.
 */
#ifndef IL_JOB_WORD_H
#define IL_JOB_WORD_H

#include "job.h"

#include <lua.h>
#include <stdint.h>

/* Methods. */
int il_job_done(lua_State *L);
int il_job_retry(lua_State *L);
int il_job_release(lua_State *L);
int il_job_bury(lua_State *L);
int il_job_lost(lua_State *L);

/* close() and __gc: releases and warns, if there was no word. __close: after an error at 2 it retries with that reason;
 * a cancellation releases. Never wait. */
int il_job_end(lua_State *L);
int il_job_close(lua_State *L);

/* For the script: (job, error): retry, with the first line of the error. (error): is it the cancellation of this task,
 * or of the program? */
int il_job_fail(lua_State *L);
int il_job_is_stopped_by(lua_State *L);

/* When a delay from now on is over; 0: there is none. IL_NEVER: it would be over the limit of times. */
int64_t il_job_due_in(int64_t delay);

#define IL_JOB_DUE_LIMIT "before the year 2261"

/* To the dead letters, for the reason at the top, without waiting for an answer. */
void il_job_bury_now(lua_State *L, struct il_job_handle *j);

/* A delivery without a handle, or with one that has not reached its task: goes back, without waiting. j may be NULL. */
void il_job_give_back(struct il_queue_handle *q, const struct il_job *job, struct il_job_handle *j);

#endif
