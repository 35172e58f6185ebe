/* SPDX-License-Identifier: MIT
 *
 * ipc.Job, see job.h. A handle says one word about its job (job_word.h); until then it answers for it. The user values
 * are the queue and the message, unless that is bytes which lie in the handle. Floor 4.
 */
#include "job.h"
#include "job_word.h"
#include "sched/park.h"

#include <string.h>

enum { QUEUE = 1, MESSAGE };

enum { LONGEST_NAME = 40 }; /* bytes of an id in a message */

const char il_job_class[] = "ipc.Job";

/* The names that programs read most. Of a short text there is one string, as long as that is alive: so its address says
 * which name it is. */
static const void *message_name, *done_name;

/* The userdata holds the texts and the limit behind the handle: jobs are many, so it is no larger than need be. */
static struct il_job_handle *push_handle(lua_State *L, struct il_queue_handle *q, size_t room, int values)
{
	size_t limit = (offsetof(struct il_job_handle, texts) + room + 15) & ~(size_t)15;
	struct il_job_handle *j = lua_newuserdatauv(L, q->within ? limit + sizeof *j->limit : limit, values);
	j->object.class = il_job_class;
	j->q = q;
	j->state = NULL;
	j->busy = false;
	j->limit = NULL;
	j->has_bytes = false;
	j->room = (uint16_t)room;
	if (q->within) {
		j->limit = (struct il_job_time_limit *)(void *)((char *)j + limit);
		il_job_limit_init(j->limit, j);
	}
	return j;
}

struct il_job_handle *il_job_new(lua_State *L, struct il_queue_handle *q, size_t room)
{
	return push_handle(L, q, room, QUEUE);
}

/* The handle at the top becomes that of the delivery. */
static void fill(lua_State *L, struct il_job_handle *j, int queue, int64_t type, const struct il_job *job)
{
	j->generation = il_fork.generation;
	j->type = type;
	j->token = job->token;
	j->sent = job->sent;
	j->place = job->place;
	j->number = job->number;
	j->attempt = job->attempt;
	j->deaths = job->deaths;
	j->attempts = job->attempts;
	j->id_size = job->id_size;
	j->reason_size = job->reason_size;
	memcpy(j->texts, job->id, job->id_size);
	memcpy(j->texts + job->id_size, job->reason, job->reason_size);
	lua_pushvalue(L, queue);
	lua_setiuservalue(L, -2, QUEUE);
	lua_getiuservalue(L, queue, IL_QUEUE_JOBS);
	lua_setmetatable(L, -2);
}

struct il_job_handle *il_job_push(lua_State *L, int queue, int64_t type, const struct il_job *job)
{
	struct il_queue_handle *q = lua_touserdata(L, queue);
	struct il_job_handle *j = push_handle(L, q, (size_t)job->id_size + job->reason_size, MESSAGE);
	fill(L, j, queue, type, job);
	return j;
}

bool il_job_begin(lua_State *L, struct il_job_handle *j, int queue, const struct il_op *op)
{
	const struct il_job *job = op->message.job;
	size_t texts = (size_t)job->id_size + job->reason_size;
	if (texts > j->room || op->size > j->room - texts)
		return false;
	fill(L, j, queue, op->message.type, job);
	j->has_bytes = true;
	j->message_size = (uint16_t)op->size;
	if (op->size)
		memcpy(j->texts + texts, op->data, op->size);
	return true;
}

void il_job_set_message(lua_State *L, struct il_job_handle *j)
{
	lua_setiuservalue(L, -2, MESSAGE);
	if (j->limit && il_job_limit_start(j->limit, j->q->within))
		il_error(L, "not enough memory");
}

void il_job_fill(struct il_job *job, const struct il_job_handle *j, enum il_job_outcome outcome)
{
	job->token = j->token;
	job->sent = j->sent;
	job->due = 0;
	job->place = j->place;
	job->number = j->number;
	job->attempt = j->attempt;
	job->deaths = j->deaths;
	job->attempts = j->attempts;
	job->outcome = outcome;
	job->dead = false;
	job->id_size = j->id_size;
	memcpy(job->id, j->texts, j->id_size);
	job->reason_size = 0;
}

/* How many bytes of a text there are up to the limit without a part of a character of UTF-8 at its end. */
static size_t cut(const char *text, size_t size, size_t limit)
{
	if (size <= limit)
		return size;
	for (size = limit; size > limit - 4 && ((unsigned char)text[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

void il_job_set_reason(struct il_job *job, const char *text, size_t size)
{
	size = cut(text, size, IL_JOB_REASON_MAX);
	memcpy(job->reason, text, size);
	job->reason_size = (uint8_t)size;
}

void il_job_set_over(struct il_job_handle *j, const char *state)
{
	j->state = state;
	j->busy = false;
	if (j->limit)
		il_job_limit_stop(j->limit);
	if (!il_list_empty(&j->q->losses))
		il_op_finish_of(&j->q->losses, j);
}

static const char *push_id(lua_State *L, const char *id, size_t size, uint64_t number)
{
	return size ? lua_pushlstring(L, id, size) : lua_pushfstring(L, "#%I", (LUAI_UACINT)number);
}

const char *il_job_push_id(lua_State *L, const struct il_job_handle *j)
{
	return push_id(L, j->texts, j->id_size, j->number);
}

const char *il_job_push_id_of(lua_State *L, const struct il_job *job)
{
	return push_id(L, job->id, job->id_size, job->number);
}

const char *il_job_push_name(lua_State *L, const struct il_job_handle *j)
{
	size_t size = cut(j->texts, j->id_size, LONGEST_NAME);
	if (size == j->id_size)
		return il_job_push_id(L, j);
	lua_pushlstring(L, j->texts, size);
	lua_pushliteral(L, "...");
	lua_concat(L, 2);
	return lua_tostring(L, -1);
}

/* Fields -------------------------------------------------------------------------------------------------- */

static void push_text(lua_State *L, const char *text, size_t size)
{
	if (size)
		lua_pushlstring(L, text, size);
	else
		lua_pushnil(L);
}

static void push_time(lua_State *L, int64_t ns)
{
	if (ns)
		lua_pushnumber(L, (lua_Number)ns / 1e9);
	else
		lua_pushnil(L);
}

/* Of the job at 1. */
static void push_message(lua_State *L, const struct il_job_handle *j)
{
	if (j->has_bytes)
		lua_pushlstring(L, j->texts + j->id_size + j->reason_size, j->message_size);
	else
		lua_getiuservalue(L, 1, MESSAGE);
}

/* Those that a dead letter has, too, but the token; and not the message. */
static bool push_field(lua_State *L, const char *name, const struct il_job_handle *j)
{
	if (strcmp(name, "id") == 0)
		il_job_push_id(L, j);
	else if (strcmp(name, "type") == 0)
		lua_pushinteger(L, j->type);
	else if (strcmp(name, "attempt") == 0)
		lua_pushinteger(L, j->attempt);
	else if (strcmp(name, "deaths") == 0)
		lua_pushinteger(L, j->deaths);
	else if (strcmp(name, "sent") == 0)
		push_time(L, j->sent);
	else if (strcmp(name, "reason") == 0)
		push_text(L, j->texts + j->id_size, j->reason_size);
	else if (strcmp(name, "token") == 0)
		lua_pushinteger(L, j->token);
	else
		return false;
	return true;
}

enum { METHODS = 1, DONE, MESSAGE_NAME }; /* upvalues of the function below */

static int job__index(lua_State *L)
{
	const void *name = lua_topointer(L, 2);
	if (name == message_name) {
		push_message(L, il_job_check(L));
		return 1;
	}
	if (name == done_name) {
		lua_pushvalue(L, lua_upvalueindex(DONE));
		return 1;
	}
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(METHODS)) != LUA_TNIL)
		return 1;
	struct il_job_handle *j = il_job_check(L);
	if (!push_field(L, lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "", j))
		lua_pushnil(L);
	return 1;
}

void il_job_push_fields(lua_State *L, const struct il_job *job, int64_t type)
{
	lua_pushinteger(L, type);
	lua_setfield(L, -2, "type");
	il_job_push_id_of(L, job);
	lua_setfield(L, -2, "id");
	lua_pushinteger(L, job->attempt);
	lua_setfield(L, -2, "attempt");
	lua_pushinteger(L, job->deaths);
	lua_setfield(L, -2, "deaths");
	push_time(L, job->sent);
	lua_setfield(L, -2, "sent");
	push_text(L, job->reason, job->reason_size);
	lua_setfield(L, -2, "reason");
}

static int job__tostring(lua_State *L)
{
	struct il_job_handle *j = il_job_check(L);
	const char *state = j->state ? j->state : il_job_is_mine(j) ? "taken" : "expired";
	lua_pushfstring(L, "ipc.Job %s (%s, %s)", il_job_push_name(L, j), j->q->what, state);
	return 1;
}

/* For the script: has no word been said? */
static int job_is_open(lua_State *L)
{
	struct il_job_handle *j = il_job_check(L);
	lua_pushboolean(L, !j->state && !j->busy);
	return 1;
}

/* And `done`, see open_done. */
static const luaL_Reg methods[] = {
	{ "retry", il_job_retry },
	{ "release", il_job_release },
	{ "bury", il_job_bury },
	{ "lost", il_job_lost },
	{ "close", il_job_end },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", job__tostring },
	{ "__gc", il_job_end },
	{ "__close", il_job_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = { { "lost", il_job_lost }, { NULL, NULL } };

static void describe(const void *job, struct il_described *d)
{
	il_queue_describe(((const struct il_job_handle *)job)->q, d);
}

static const struct il_cases cases = { .methods = waits, .describe = describe };

/* The metatable is below the top. What programs read most is found by its name; the upvalues keep the names alive. */
static void open_fields(lua_State *L)
{
	lua_getfield(L, -2, "__index");
	lua_pushvalue(L, -1);
	lua_setfield(L, -4, "__methods");
	lua_pushliteral(L, "done");
	done_name = lua_topointer(L, -1);
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, il_job_done, 1);
	lua_rawset(L, -3);
	lua_getfield(L, -1, "done");
	lua_pushliteral(L, "message");
	message_name = lua_topointer(L, -1);
	lua_pushcclosure(L, job__index, MESSAGE_NAME);
	lua_setfield(L, -3, "__index");
}

/* The metatable is at the top. A second one, without __gc, is for jobs that are done: `done` has it as an upvalue.
 * Pops. */
static void open_done(lua_State *L)
{
	lua_newtable(L);
	open_fields(L);
	for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_pushnil(L);
	lua_setfield(L, -2, "__gc");
	il_select_class(L, &cases);
	lua_pop(L, 2);
}

static const luaL_Reg internals[] = {
	{ "job_is_open", job_is_open },
	{ "job_fail", il_job_fail },
	{ "is_stopped_by", il_job_is_stopped_by },
	{ NULL, NULL },
};

void il_job_open(lua_State *L)
{
	il_class(L, il_job_class, methods, meta, &cases);
	luaL_getmetatable(L, il_job_class);
	open_done(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	luaL_setfuncs(L, internals, 0);
	lua_pop(L, 1);
}
