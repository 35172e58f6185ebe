/* SPDX-License-Identifier: MIT
 *
 * Jobs of ipc.Queue, see queue_jobs.h. What is taken has a handle before anything else can fail; without one it goes
 * back. Floor 4.
 */
#include "queue_jobs.h"
#include "base/clock.h"
#include "bind.h"
#include "job.h"
#include "job_op.h"
#include "job_word.h"
#include "option.h"
#include "queue_message.h"
#include "sched/await.h"
#include "script.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const struct il_job_op take_op = IL_JOB_OP("queue take", take), send_op = IL_JOB_OP("queue send", send),
			      dead_op = IL_JOB_OP("queue dead", dead);

/* Options ------------------------------------------------------------------------------------------------- */

enum { MOST_AT_ONCE = 1 << 20, MOST_ATTEMPTS = 65535, ATTEMPTS = 3, DEATHS = 3, KEEP = 1000 };

/* Element i of the list at the top, as ns; -1: it is no number of seconds. */
static int64_t seconds_at(lua_State *L, lua_Integer i)
{
	lua_Number seconds = lua_rawgeti(L, -1, i) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
	lua_pop(L, 1);
	return seconds >= 0 ? il_nanoseconds(seconds) : -1;
}

static void backoff_option(lua_State *L, int arg, struct il_queue_handle *q)
{
	static const char wanted[] =
		"backoff must be {first, longest}, two numbers of seconds, first not above longest";
	q->backoff.first = IL_SECOND;
	q->backoff.longest = 60 * IL_SECOND;
	int type = il_option(L, arg, "backoff");
	if (type != LUA_TNIL) {
		if (type != LUA_TTABLE)
			il_option_refuse(L, arg, wanted);
		q->backoff.first = seconds_at(L, 1);
		q->backoff.longest = seconds_at(L, 2);
		if (lua_rawlen(L, -1) != 2 || q->backoff.first < 0 || q->backoff.first > q->backoff.longest)
			luaL_argerror(L, arg, wanted);
	}
	lua_pop(L, 1);
}

static void within_option(lua_State *L, int arg, struct il_queue_handle *q)
{
	lua_Number seconds;
	if (!il_option_number(L, arg, "within", &seconds))
		return;
	if (!(seconds > 0))
		il_option_refuse(L, arg, "within must be seconds, more than 0");
	lua_pop(L, 1);
	q->within = il_nanoseconds(seconds);
}

void il_queue_job_options(lua_State *L, int arg, struct il_queue_handle *q)
{
	q->limits.attempts = (uint32_t)il_option_integer(L, arg, "attempts", 1, MOST_ATTEMPTS, "", ATTEMPTS);
	q->limits.deaths = (uint32_t)il_option_integer(L, arg, "deaths", 1, MOST_ATTEMPTS, "", DEATHS);
	q->limits.keep = (uint32_t)il_option_integer(L, arg, "keep", 0, INT_MAX, "dead letters", KEEP);
	backoff_option(L, arg, q);
	within_option(L, arg, q);
}

bool il_queue_has_job_option(lua_State *L, int arg)
{
	static const char *const names[] = { "attempts", "backoff", "deaths", "keep", "within", NULL };
	bool found = false;
	for (const char *const *name = names; *name && !found; name++) {
		found = il_option(L, arg, *name) != LUA_TNIL;
		lua_pop(L, 1);
	}
	return found;
}

/* What the engine of a queue does not have. */
static int no_jobs(lua_State *L, const struct il_queue_handle *q)
{
	lua_pushnil(L);
	lua_pushfstring(L,
		"queue %s has no jobs: with a file key it is the kernel's, which forgets what it has handed out; "
		"use a shm, disk or redis key, or receive",
		q->what);
	lua_pushinteger(L, ENOTSUP);
	return 3;
}

/* Sending ------------------------------------------------------------------------------------------------- */

static const char *const send_options[] = { "after", "at", "attempts", "id", NULL };

static int64_t due_option(lua_State *L, int arg)
{
	lua_Number after, at;
	bool has_after = il_option_number(L, arg, "after", &after);
	if (il_option_number(L, arg, "at", &at)) {
		if (has_after)
			luaL_argerror(L, arg, "after and at are two ways to say the same");
		if (!(at >= 0) || il_nanoseconds(at) == IL_NEVER)
			il_option_refuse(L, arg,
				"at must be a time in seconds, as os.time() tells it, " IL_JOB_DUE_LIMIT);
		lua_pop(L, 1);
		return il_nanoseconds(at);
	}
	if (!has_after)
		return 0;
	int64_t due = after >= 0 ? il_job_due_in(il_nanoseconds(after)) : IL_NEVER;
	if (due == IL_NEVER)
		il_option_refuse(L, arg, "after must be seconds, 0 or more, and end " IL_JOB_DUE_LIMIT);
	lua_pop(L, 1);
	return due;
}

static void id_option(lua_State *L, int arg, struct il_job *job)
{
	size_t size = 0;
	int type = il_option(L, arg, "id");
	const char *id = type == LUA_TSTRING ? lua_tolstring(L, -1, &size) : "";
	if (type != LUA_TNIL && (!size || size > IL_JOB_ID_MAX || *id == '#'))
		il_option_refuse(L, arg, "id must be a string of 1 to 255 bytes that does not begin with '#'");
	memcpy(job->id, id, size);
	job->id_size = (uint8_t)size;
	lua_pop(L, 1);
}

/* How the message is to be sent. */
static void check_how(lua_State *L, int arg, struct il_job *job)
{
	memset(job, 0, sizeof *job);
	il_options(L, arg, send_options);
	id_option(L, arg, job);
	job->attempts = (uint32_t)il_option_integer(L, arg, "attempts", 1, MOST_ATTEMPTS, "", 0);
	job->due = due_option(L, arg);
}

static int send_push(lua_State *L, struct il_op *op)
{
	const struct il_queue_handle *q = op->handle;
	if (op->err == EEXIST)
		return il_word(L, "exists");
	if (op->err)
		return il_queue_send_fail(L, q, op, 0, op->size);
	lua_pushboolean(L, 1);
	il_job_push_id_of(L, op->message.job);
	il_op_clear(op);
	return 2;
}

/* Stack while it waits: queue, type, the bytes of the message, timeout, options. */
int il_queue_send_job(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	const char *reason;
	size_t size;
	struct il_job how;
	lua_Integer type = il_check_range(L, 2, 1, LONG_MAX, "type");
	lua_settop(L, 5);
	check_how(L, 5, &how);
	il_queue_encode(L, q, 3);
	const char *bytes = lua_tolstring(L, 3, &size);
	int64_t deadline = il_queue_send_deadline(L);
	if (!q->queue->ops->take.attempt)
		return no_jobs(L, q);
	if (size > il_queue_limit(q, &reason))
		return il_queue_too_large(L, q, 0, size);
	struct il_op *op = il_await_begin(L, &send_op.type, q->queue, send_push);
	op->handle = q;
	op->message.type = type;
	il_job_op_set(L, op, q, &how);
	op->data = (void *)bytes;
	op->size = size;
	return il_await_end(L, op, deadline);
}

/* Taking -------------------------------------------------------------------------------------------------- */

struct delivery {
	struct il_queue_handle *q;
	struct il_op *op;
	struct il_job_handle *handle; /* NULL: there is none yet */
	struct il_job job;
};

/* The queue and the delivery → the job, nil; or nil and why it has no message. */
static int make_job(lua_State *L)
{
	struct delivery *d = lua_touserdata(L, 2);
	int64_t type = d->op->message.type;
	lua_pushlstring(L, d->op->size ? d->op->data : "", d->op->size);
	il_op_clear(d->op);
	d->handle = il_job_push(L, 1, type, &d->job);
	lua_insert(L, 3);
	if (il_queue_decode(L, d->q, type) > 1) {
		il_job_bury_now(L, d->handle);
		return 2;
	}
	if (!d->q->queue)
		return il_queue_fail(L, d->q, ECANCELED); /* the decoder is the user's, and has closed it */
	il_job_set_message(L, d->handle);
	lua_pushnil(L);
	return 2;
}

/* A job with a short message, of bytes that are not decoded, is taken into a handle that is there before. */
enum { MOST_ROOM = 512 };

static void note_room(struct il_queue_handle *q, const struct il_job *job, size_t size)
{
	size_t room = (size_t)job->id_size + job->reason_size + size;
	if (room > MOST_ROOM || q->codec != IL_CODEC_RAW || q->within)
		q->job_room = 0;
	else if (room >= q->job_room)
		q->job_room = room + 16;
}

/* What fails from here on, memory or a hook, has nothing to do with the job: it goes back. */
static int take_push(lua_State *L, struct il_op *op)
{
	struct delivery d;
	d.q = op->handle;
	if (op->err || !d.q->queue)
		return il_queue_fail(L, d.q, op->err);
	d.op = op;
	d.handle = NULL;
	il_job_copy(&d.job, op->message.job);
	note_room(d.q, &d.job, op->size);
	lua_pushcfunction(L, make_job);
	il_push_object(L, d.q);
	lua_pushlightuserdata(L, &d);
	if (lua_pcall(L, 2, 2, 0) != LUA_OK) {
		il_job_give_back(d.q, &d.job, d.handle);
		return lua_error(L);
	}
	if (!lua_isnil(L, -1))
		return 2;
	lua_pop(L, 1);
	return 1;
}

static int take_into(lua_State *L, struct il_op *op, struct il_job_handle *j)
{
	if (op->err || !il_job_begin(L, j, 1, op))
		return take_push(L, op);
	il_op_clear(op);
	return 1;
}

/* If it has to wait, it gets a handle later: then the one that was made is dropped, which is in no metatable yet. */
static int __attribute__((noinline)) take_short(lua_State *L, struct il_queue_handle *q, int64_t type, int64_t deadline)
{
	struct il_job_handle *j = il_job_new(L, q, q->job_room);
	if (!q->queue)
		il_error(L, "queue %s is closed", q->what); /* a finaliser has run */
	struct il_op *op = il_await_begin(L, &take_op.type, q->queue, take_push);
	op->handle = q;
	op->message.type = type;
	op->message.job = &q->scratch;
	if (!il_await_first(op->type, op, deadline)) {
		lua_pop(L, 1);
		return il_await_slow(L, op, deadline);
	}
	bool more = il_serve(op->size);
	int results = take_into(L, op, j);
	return more ? results : il_served(L, results);
}

static int take(lua_State *L, struct il_queue_handle *q)
{
	bool bare = lua_gettop(L) == 1; /* as most calls are */
	lua_Integer type = bare ? 0 : il_queue_optional_type(L, 2);
	int64_t deadline = bare ? IL_NEVER : il_check_deadline(L, 3);
	if (!q->queue->ops->take.attempt)
		return no_jobs(L, q);
	if (q->job_room && !il_sched()->collector)
		return take_short(L, q, type, deadline);
	struct il_op *op = il_await_begin(L, &take_op.type, q->queue, take_push);
	op->handle = q;
	op->message.type = type;
	op->message.job = &q->scratch;
	return il_await_end(L, op, deadline);
}

int il_queue_take(lua_State *L)
{
	return take(L, il_queue_check_open(L));
}

int il_queue_take_next(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check(L);
	return q->queue ? take(L, q) : il_word(L, "closed");
}

static int work_done(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L) - 3;
}

/* The option type, at the top already. */
static void check_type(lua_State *L, int arg)
{
	int isnum;
	lua_tointegerx(L, -1, &isnum);
	if (!lua_isnil(L, -1) && (!isnum || lua_type(L, -1) != LUA_TNUMBER))
		il_option_refuse(L, arg, "type must be an integer");
}

/* Pushes what the options say: at_once, type. */
static void push_work_options(lua_State *L, int arg)
{
	static const char *const options[] = { "at_once", "type", NULL };
	il_options(L, arg, options);
	lua_pushinteger(L, il_option_integer(L, arg, "at_once", 1, MOST_AT_ONCE, "", 1));
	il_option(L, arg, "type");
	check_type(L, arg);
}

/* The script calls the function, which may wait. */
int il_queue_work(lua_State *L)
{
	il_queue_check_open(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 3);
	il_push_script(L, "ipc.queue", "work");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	push_work_options(L, 3);
	const struct il_queue_handle *q = il_queue_check_open(L); /* what the options say may be code of the user's */
	if (!q->queue->ops->take.attempt)
		return no_jobs(L, q);
	lua_callk(L, 4, LUA_MULTRET, 0, work_done);
	return work_done(L, LUA_OK, 0);
}

/* Dead letters -------------------------------------------------------------------------------------------- */

/* A letter whose message cannot be decoded has its bytes, as `raw`. */
static void push_letter(lua_State *L, struct il_queue_handle *q, struct il_op *op)
{
	int64_t type = op->message.type;
	struct il_job job;
	il_job_copy(&job, op->message.job);
	lua_pushlstring(L, op->size ? op->data : "", op->size);
	il_op_clear(op);
	lua_createtable(L, 0, 8);
	lua_insert(L, -2);
	lua_pushvalue(L, -1);
	if (il_queue_decode(L, q, type) == 1) {
		lua_setfield(L, -3, "message");
		lua_pop(L, 1);
	} else {
		lua_pop(L, 2);
		lua_setfield(L, -2, "raw");
	}
	il_job_push_fields(L, &job, type);
}

/* The place of the last letter is an upvalue. */
static int letter_push(lua_State *L, struct il_op *op)
{
	struct il_queue_handle *q = op->handle;
	if (op->err == ENOMSG || (op->err == EIDRM || op->err == ECANCELED) || !q->queue)
		return 0;
	if (op->err) {
		il_queue_fail(L, q, op->err);
		return il_error(L, "%s", lua_tostring(L, -2));
	}
	lua_pushinteger(L, (lua_Integer)op->message.job->place);
	lua_replace(L, lua_upvalueindex(1));
	push_letter(L, q, op);
	return 1;
}

static int next_letter(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check(L);
	struct il_op op;
	struct il_job job = { .place = (uint64_t)lua_tointeger(L, lua_upvalueindex(1)) };
	lua_settop(L, 1);
	if (!q->queue)
		return 0;
	il_queue_op(&op, q, &dead_op.type, letter_push);
	op.message.job = &job;
	return il_await_answer_served(L, &op);
}

int il_queue_dead(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	if (!q->queue->ops->dead.attempt)
		return no_jobs(L, q);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, next_letter, 1);
	lua_pushvalue(L, 1);
	return 2;
}

static int count_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_queue_fail(L, op->handle, op->err);
	lua_pushinteger(L, op->arg);
	return 1;
}

static int change_letters(lua_State *L, struct il_queue_handle *q, const struct il_op_type *type)
{
	struct il_op op;
	if (!type->attempt)
		return no_jobs(L, q);
	il_queue_op(&op, q, type, count_push);
	op.name = luaL_optlstring(L, 2, NULL, &op.name_size);
	lua_settop(L, 2);
	return il_await_answer_served(L, &op);
}

int il_queue_revive(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	return change_letters(L, q, &q->queue->ops->revive);
}

int il_queue_drop(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	return change_letters(L, q, &q->queue->ops->drop);
}
