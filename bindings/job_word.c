/* SPDX-License-Identifier: MIT
 *
 * The words that end a job, see job_word.h. Floor 4.
 */
#include "job_word.h"
#include "base/clock.h"
#include "bind.h"
#include "job_op.h"
#include "loop/state.h"
#include "queue_message.h"
#include "sched/await.h"
#include "sched/cancel.h"
#include "sched/interrupt.h"
#include "sched/task.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

static const char expired[] = "expired";

/* From now on its word is on the way, whatever becomes of the wait for the answer. */
static int finish_start(struct il_op *op)
{
	struct il_job_handle *j = op->handle;
	int err = il_job_op_start(op);
	j->busy = !err;
	return err;
}

static const struct il_job_op finish_op = {
	{ "job end", il_job_op_attempt, finish_start, il_job_op_cancel },
	offsetof(struct il_queue_ops, finish),
};

/* A wait for the loss of a job ends with the job, whatever has ended that; also if another case of the same select has.
 */
static bool is_over(struct il_op *op)
{
	const struct il_job_handle *j = op->handle;
	return !il_job_is_mine(j) || j->state;
}

static bool lost_attempt(struct il_op *op)
{
	return is_over(op) || il_job_op_attempt(op);
}

static const struct il_job_op lost_op = {
	{ "job lost", lost_attempt, il_job_op_start, il_job_op_cancel },
	offsetof(struct il_queue_ops, lost),
};

/* Where jobs have no lease nothing else ends it. */
static const struct il_op_type never_op = { "job lost", is_over, il_op_join, il_op_leave };

static const char *const states[] = {
	[IL_JOB_DONE] = "done",
	[IL_JOB_RETRY] = "retried",
	[IL_JOB_RELEASE] = "released",
	[IL_JOB_BURY] = "buried",
};

/* Where nothing can wait, or no code would see the answer. */
static void end_now(struct il_queue *queue, struct il_job *job)
{
	struct il_op op;
	il_op_make(&op, &finish_op.type, queue);
	op.last = true;
	op.message.job = job;
	op.message.type = 0;
	op.type->attempt(&op);
	il_op_clear(&op);
}

static void finish_now(struct il_job_handle *j, struct il_job *job)
{
	il_job_set_over(j, states[job->outcome]);
	end_now(j->q->queue, job);
}

void il_job_bury_now(lua_State *L, struct il_job_handle *j)
{
	struct il_job job;
	size_t size;
	const char *reason = lua_tolstring(L, -1, &size);
	if (!il_job_is_mine(j) || j->state)
		return;
	il_job_fill(&job, j, IL_JOB_BURY);
	il_job_set_reason(&job, reason, size);
	finish_now(j, &job);
}

void il_job_give_back(struct il_queue_handle *q, const struct il_job *job, struct il_job_handle *j)
{
	struct il_job release;
	if (j && j->state)
		return;
	if (j)
		il_job_set_over(j, states[IL_JOB_RELEASE]);
	if (!q->queue)
		return;
	il_job_copy(&release, job);
	release.outcome = IL_JOB_RELEASE;
	end_now(q->queue, &release);
}

/* A second word is a mistake. */
static struct il_job_handle *check_taken(lua_State *L)
{
	struct il_job_handle *j = il_job_check(L);
	if (j->busy)
		il_error(L, "job %s of queue %s: a word about it is on its way", il_job_push_name(L, j), j->q->what);
	if (j->state && j->state != expired)
		il_error(L, "job %s of queue %s is %s already", il_job_push_name(L, j), j->q->what, j->state);
	return j;
}

/* It belongs to this process, as far as is known here. */
static bool check_own(lua_State *L, struct il_job_handle *j)
{
	if (il_job_is_mine(j) && !j->state)
		return true;
	if (!j->state)
		il_job_set_over(j, expired);
	il_word(L, expired);
	return false;
}

/* After any other error the job is still taken. */
static int failed(lua_State *L, struct il_job_handle *j, struct il_op *op)
{
	const struct il_queue_handle *q = j->q;
	int err = q->queue ? op->err : ECANCELED;
	if (err == ENOBUFS)
		return il_word(L, "full");
	if (err == EMSGSIZE)
		return il_queue_too_large(L, q, 0, op->size);
	if (err == ESTALE) {
		il_job_set_over(j, expired);
		return il_word(L, expired);
	}
	if (err == EIDRM || err == ECANCELED)
		il_job_set_over(j, err == EIDRM ? "removed" : expired);
	return il_queue_fail(L, q, err);
}

/* A word that was said counts, also if the queue's handle was closed before its task ran. */
static int word_push(lua_State *L, struct il_op *op)
{
	struct il_job_handle *j = op->handle;
	j->busy = false;
	if (op->err)
		return failed(L, j, op);
	enum il_job_outcome outcome = op->message.job->outcome;
	bool dead = outcome == IL_JOB_RETRY && op->message.job->dead;
	il_job_set_over(j, dead ? "dead" : states[outcome]);
	il_op_clear(op);
	lua_pushboolean(L, 1);
	if (!dead)
		return 1;
	lua_pushliteral(L, "dead");
	return 2;
}

/* `type` 0: no next message; else its bytes are at index 3. */
static int finish(lua_State *L, struct il_job_handle *j, struct il_job *job, int64_t type)
{
	struct il_op op;
	il_op_make(&op, &finish_op.type, j->q->queue);
	op.handle = j;
	op.push = word_push;
	op.message.job = job;
	op.message.type = type;
	if (type)
		op.data = (void *)lua_tolstring(L, 3, &op.size);
	return il_await_answer_served(L, &op);
}

/* The next message, by its arguments: its type, 0 if there is none; its bytes are at 3 then. A negative one: these are
 * the results on the stack, as many as 0 is more. */
static int64_t check_next(lua_State *L, struct il_job_handle *j)
{
	size_t size;
	const char *reason;
	bool has_message = !lua_isnone(L, 3);
	lua_settop(L, 3);
	if (lua_isnil(L, 2) && lua_isnil(L, 3))
		return 0;
	lua_Integer type = il_check_range(L, 2, 1, LONG_MAX, "type");
	luaL_argcheck(L, has_message, 3, "value expected");
	if (!check_own(L, j))
		return -2;
	il_queue_encode(L, j->q, 3);
	check_taken(L); /* the encoder may be the user's */
	lua_tolstring(L, 3, &size);
	return size > il_queue_limit(j->q, &reason) ? -il_queue_too_large(L, j->q, 0, size) : type;
}

/* One that is done has no need of a finaliser any more: its new metatable, the function's upvalue, has none. That is
 * worth while, since the collector takes as long for a finaliser as the engine for the job. */
int il_job_done(lua_State *L)
{
	struct il_job_handle *j = check_taken(L);
	struct il_job job;
	int64_t type = lua_gettop(L) > 1 ? check_next(L, j) : 0;
	if (type < 0)
		return (int)-type;
	if (!check_own(L, j))
		return 2;
	il_job_fill(&job, j, IL_JOB_DONE);
	int results = finish(L, j, &job, type);
	if (j->state && lua_touserdata(L, 1) == j) {
		lua_pushvalue(L, lua_upvalueindex(1));
		lua_setmetatable(L, 1);
	}
	return results;
}

static void optional_reason(lua_State *L, int arg, struct il_job *job)
{
	size_t size;
	const char *text = luaL_optlstring(L, arg, "", &size);
	il_job_set_reason(job, text, size);
}

/* Twice as long after each attempt, from the first delay of the queue's option backoff= to the longest. */
static int64_t back_off(const struct il_job_handle *j)
{
	const struct il_queue_handle *q = j->q;
	int64_t delay = q->backoff.first;
	for (uint32_t i = 1; i < j->attempt && delay && delay < q->backoff.longest; i++)
		delay = il_time_add(delay, delay);
	return delay < q->backoff.longest ? delay : q->backoff.longest;
}

int64_t il_job_due_in(int64_t delay)
{
	return delay ? il_time_add(il_wall_now(), delay) : 0;
}

/* Of a retry. */
static int64_t check_due(lua_State *L, int arg)
{
	int isnum;
	lua_Number seconds = lua_tonumberx(L, arg, &isnum);
	if (!isnum)
		luaL_argerror(L, arg,
			lua_pushfstring(L, "seconds must be a number, got %s%s", luaL_typename(L, arg),
				lua_type(L, arg) == LUA_TSTRING ? "; the reason comes after it" : ""));
	luaL_argcheck(L, seconds >= 0, arg,
		isnan(seconds) ? "seconds must not be NaN" : "seconds must not be negative");
	int64_t due = il_job_due_in(il_nanoseconds(seconds));
	luaL_argcheck(L, due != IL_NEVER, arg, "seconds must end " IL_JOB_DUE_LIMIT);
	return due;
}

int il_job_retry(lua_State *L)
{
	struct il_job_handle *j = check_taken(L);
	struct il_job job;
	int64_t due = lua_isnoneornil(L, 2) ? il_job_due_in(back_off(j)) : check_due(L, 2);
	il_job_fill(&job, j, IL_JOB_RETRY);
	optional_reason(L, 3, &job);
	if (!check_own(L, j))
		return 2;
	job.due = due;
	return finish(L, j, &job, 0);
}

int il_job_release(lua_State *L)
{
	struct il_job_handle *j = check_taken(L);
	struct il_job job;
	if (!check_own(L, j))
		return 2;
	il_job_fill(&job, j, IL_JOB_RELEASE);
	return finish(L, j, &job, 0);
}

int il_job_bury(lua_State *L)
{
	struct il_job_handle *j = check_taken(L);
	struct il_job job;
	il_job_fill(&job, j, IL_JOB_BURY);
	optional_reason(L, 2, &job);
	if (!check_own(L, j))
		return 2;
	return finish(L, j, &job, 0);
}

static int lost_push(lua_State *L, struct il_op *op)
{
	struct il_job_handle *j = op->handle;
	if (op->err && op->err != ECANCELED && j->q->queue)
		return il_queue_fail(L, j->q, op->err);
	if (!j->state && !j->busy)
		il_job_set_over(j, expired);
	lua_pushboolean(L, 1);
	return 1;
}

int il_job_lost(lua_State *L)
{
	struct il_job_handle *j = check_taken(L);
	struct il_queue_handle *q = j->q;
	int64_t deadline = il_check_deadline(L, 2);
	if (!il_job_is_mine(j) || j->state) {
		lua_pushboolean(L, 1);
		return 1;
	}
	bool never = !q->queue->ops->lost.attempt;
	struct il_job job;
	il_job_fill(&job, j, IL_JOB_RELEASE);
	struct il_op *op =
		il_await_begin(L, never ? &never_op : &lost_op.type, never ? (void *)&q->losses : q->queue, lost_push);
	op->handle = op->state = j;
	if (!never)
		il_job_op_set(L, op, q, &job);
	return il_await_end(L, op, deadline);
}

/* Without a word ------------------------------------------------------------------------------------------ */

static bool ends_with(const char *line, size_t size, const char *word)
{
	size_t n = strlen(word);
	return size >= n && memcmp(line + size - n, word, n) == 0;
}

/* Is the error at `index` that of a program which is being stopped? Of the main chunk it has a traceback by now. Stock
 * Lua has an error of its own. */
static bool is_interrupt(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TSTRING)
		return false;
	const char *text = lua_tostring(L, index);
	size_t line = strcspn(text, "\n");
	return (il_interrupted() && ends_with(text, line, "interrupted")) ||
		(il_loop->guest && ends_with(text, line, "interrupted!"));
}

static int text_of(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

/* The first line of an error's text. */
static void set_error(lua_State *L, int index, struct il_job *job)
{
	size_t size;
	lua_pushcfunction(L, text_of);
	lua_pushvalue(L, index);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING)
		lua_pushfstring(L, "error object is a %s value", luaL_typename(L, index));
	const char *text = lua_tolstring(L, -1, &size), *line = memchr(text, '\n', size);
	il_job_set_reason(job, text, line ? (size_t)(line - text) : size);
	lua_pop(L, 1);
}

/* A program makes the same mistake with each job of a queue, so one warning is enough. */
static void warn_once(lua_State *L, struct il_job_handle *j)
{
	if (j->q->warned)
		return;
	j->q->warned = true;
	lua_pushfstring(L,
		"job %s of queue %s was closed without a word, and is released: it needs done, retry, release or bury",
		il_job_push_name(L, j), j->q->what);
	lua_warning(L, lua_tostring(L, -1), 0);
	lua_pop(L, 2);
}

/* close(), __close and __gc: an error at 2 retries, a cancellation releases, nothing at all releases and warns. */
int il_job_close(lua_State *L)
{
	struct il_job_handle *j = il_job_check(L);
	struct il_job job;
	if (j->busy && j->limit)
		il_job_limit_stop(j->limit);
	if (j->state || j->busy)
		return 0;
	if (!il_job_is_mine(j)) {
		il_job_set_over(j, expired);
		return 0;
	}
	lua_settop(L, 2);
	if (lua_isnil(L, 2) || il_cancel_is(L, 2) || is_interrupt(L, 2)) {
		il_job_fill(&job, j, IL_JOB_RELEASE);
		finish_now(j, &job);
		if (lua_isnil(L, 2))
			warn_once(L, j);
		return 0;
	}
	il_job_fill(&job, j, IL_JOB_RETRY);
	set_error(L, 2, &job);
	if (j->state || !il_job_is_mine(j)) /* __tostring of the error is the user's */
		return 0;
	job.due = il_job_due_in(back_off(j));
	finish_now(j, &job);
	return 0;
}

/* (job, error) → as retry */
int il_job_fail(lua_State *L)
{
	struct il_job_handle *j = check_taken(L);
	struct il_job job;
	lua_settop(L, 2);
	il_job_fill(&job, j, IL_JOB_RETRY);
	set_error(L, 2, &job);
	check_taken(L); /* __tostring of the error is the user's */
	if (!check_own(L, j))
		return 2;
	job.due = il_job_due_in(back_off(j));
	return finish(L, j, &job, 0);
}

int il_job_is_stopped_by(lua_State *L)
{
	bool cancelled = il_sched()->current && il_sched()->current->cancelled && il_cancel_is(L, 1);
	lua_pushboolean(L, cancelled || is_interrupt(L, 1));
	return 1;
}

/* The collector and close() have no error to hand over. */
int il_job_end(lua_State *L)
{
	lua_settop(L, 1);
	return il_job_close(L);
}
