/* SPDX-License-Identifier: MIT
 *
 * ipc.Queue, see queue_handle.h: how it is opened, queried, removed and closed. Floor 4.
 */
#include "queue_handle.h"
#include "base/clock.h"
#include "base/reason.h"
#include "classes.h"
#include "key.h"
#include "job.h"
#include "key_object.h"
#include "option.h"
#include "queue_jobs.h"
#include "queue_many.h"
#include "queue_message.h"
#include "queue_remainder.h"
#include "sched/await.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static lua_Integer size_option(lua_State *L, int arg, const char *name)
{
	return il_option_integer(L, arg, name, 1, INT_MAX, "bytes", 0);
}

static struct il_queue_handle *push_handle(lua_State *L, int options, const struct il_key *key)
{
	size_t size = strlen(key->text) + 1;
	struct il_queue_handle *q = lua_newuserdatauv(L, sizeof *q + size, IL_QUEUE_VALUES);
	*q = (struct il_queue_handle){ .object.class = il_queue_class, .codec = IL_CODEC_RAW };
	il_list_init(&q->losses);
	memcpy(q->what, key->text, size);
	q->identity = il_key_identity(key, "queue");
	luaL_setmetatable(L, il_queue_class);
	il_register_object(L);
	luaL_getmetatable(L, il_job_class);
	lua_setiuservalue(L, -2, IL_QUEUE_JOBS); /* to find it there takes less than by its name */
	q->max_message = size_option(L, options, "max_message");
	il_queue_job_options(L, options, q);
	q->codec = il_codec_option(L, options);
	il_codec_keep(L, q->codec);
	return q;
}

static const char *const options[] = { "attempts", "backoff", "capacity", "codec", "create", "deaths", "keep",
	"max_message", "mode", "sync", "within", NULL };

static struct il_queue_options check_options(lua_State *L)
{
	struct il_queue_options o = { .mode = il_mode_option(L, 2), .sync = il_sync_option(L, 2) };
	o.capacity = (size_t)size_option(L, 2, "capacity");
	return o;
}

static int cannot_open(lua_State *L, int err, const struct il_key *key, size_t found, size_t wanted)
{
	if (err == EEXIST)
		return il_fail(L, err, "queue %s has a capacity of %I bytes, not %I", key->text, (LUAI_UACINT)found,
			(LUAI_UACINT)wanted);
	if (err == EPERM && wanted)
		return il_fail(L, err, "queue %s: a capacity of %I bytes is over the limit of %I (kernel.msgmnb)",
			key->text, (LUAI_UACINT)wanted, (LUAI_UACINT)found);
	return il_key_fail(L, err, "queue", key);
}

static int opened(lua_State *L, const struct il_queue_handle *q)
{
	il_warn_shared(L, &q->queue->shared, "queue", q->what);
	lua_settop(L, 3);
	return 1;
}

/* Stack: the key, options, and the handle that is to be opened. */
static int open_push(lua_State *L, struct il_op *op)
{
	struct il_queue_handle *q = op->handle;
	struct il_queue *queue = q->queue;
	if (!op->err)
		return opened(L, q);
	const struct il_key *key = il_check_key(L);
	il_note_why(op->err, queue);
	int results = cannot_open(L, op->err, key, queue->max_message, check_options(L).capacity);
	q->queue = NULL;
	queue->ops->close(queue);
	return results;
}

static int check_key(lua_State *L, const struct il_key *key, enum il_sync sync)
{
	int err = il_check_sync(key, sync);
	if (err || key->engine->jobs || !il_queue_has_job_option(L, 2))
		return err;
	return il_because(ENOTSUP,
		"attempts, deaths, backoff, within and keep are options of jobs, which are there "
		"with a shm, disk or redis key, and with ipc.private");
}

static int open_queue(lua_State *L, const struct il_key *key, struct il_queue_handle *q)
{
	struct il_queue_options o = check_options(L);
	size_t wanted = o.capacity;
	struct il_op op;
	bool collected = false;
	int err;
	do {
		err = check_key(L, key, o.sync);
		if (!err)
			err = il_codec_prepare(L, q->codec);
		if (!err)
			err = key->engine->queue ? key->engine->queue(key, &o, &q->queue) : ENOTSUP;
	} while (il_collect(L, err, &collected));
	if (err)
		return cannot_open(L, err, key, o.found, wanted);
	q->queue->limits = q->limits;
	if (!q->queue->ops->open.attempt)
		return opened(L, q);
	il_queue_op(&op, q, &q->queue->ops->open, open_push);
	return il_await_answer(L, &op);
}

static int queue(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 2);
	il_options(L, 2, options);
	check_options(L);
	return open_queue(L, key, push_handle(L, 2, key));
}

static int len_push(lua_State *L, struct il_op *op)
{
	const struct il_queue_handle *q = op->handle;
	int err = q->queue ? op->err : ECANCELED;
	if (err == EIDRM || err == ECANCELED)
		return il_error(L, "queue %s: %s", q->what, err == EIDRM ? "removed" : "closed");
	if (err) {
		il_queue_fail(L, q, err);
		return il_error(L, "%s", lua_tostring(L, -2));
	}
	lua_pushinteger(L, q->queue->stat.messages);
	return 1;
}

static int query_stat(lua_State *L, int (*push)(lua_State *L, struct il_op *op))
{
	struct il_queue_handle *q = il_queue_check_open(L);
	struct il_op op;
	il_queue_op(&op, q, &q->queue->ops->stat, push);
	return il_await_answer(L, &op);
}

static int queue__len(lua_State *L)
{
	return query_stat(L, len_push);
}

static int stat_push(lua_State *L, struct il_op *op)
{
	const struct il_queue_handle *q = op->handle;
	if (op->err || !q->queue)
		return il_queue_fail(L, q, op->err);
	const struct il_queue_stat *stat = &q->queue->stat;
	const struct il_counter counters[] = {
		{ "messages", stat->messages },
		{ "ready", stat->messages },
		{ "delayed", stat->delayed },
		{ "taken", stat->taken },
		{ "dead", stat->dead },
		{ "bytes", stat->bytes },
		{ "capacity", stat->capacity },
		{ "senders", stat->senders },
		{ "receivers", stat->receivers },
		{ "last_sender", stat->last_sender },
		{ "last_receiver", stat->last_receiver },
		{ "max_message", (lua_Integer)q->queue->max_message },
	};
	int64_t age = il_wall_now() - stat->oldest;
	il_push_counters(L, counters, sizeof counters / sizeof counters[0]);
	if (stat->oldest) {
		lua_pushnumber(L, age > 0 ? (lua_Number)age / 1e9 : 0);
		lua_setfield(L, -2, "oldest");
	}
	return 1;
}

static int queue_stat(lua_State *L)
{
	return query_stat(L, stat_push);
}

static int remove_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_queue_fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static int queue_remove(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check_open(L);
	struct il_op op;
	il_check_last(L, 1, "remove ends the queue with all its messages; drop is for dead letters");
	il_queue_op(&op, q, &q->queue->ops->remove, remove_push);
	return il_await_answer(L, &op);
}

static int queue_close(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check(L);
	struct il_queue *engine = q->queue;
	il_queue_remainder_close(q);
	q->queue = NULL;
	il_op_finish_all(&q->losses, ECANCELED);
	if (engine)
		engine->ops->close(engine);
	return 0;
}

/* Only what can be known without a wait. */
static int queue__tostring(lua_State *L)
{
	struct il_queue_handle *q = il_queue_check(L);
	struct il_op op;
	if (!q->queue) {
		lua_pushfstring(L, "ipc.Queue (%s, closed)", q->what);
		return 1;
	}
	il_queue_op(&op, q, &q->queue->ops->stat, NULL);
	bool known = op.type->attempt(&op);
	if (q->queue->shared.removed || (known && op.err))
		lua_pushfstring(L, "ipc.Queue (%s, removed)", q->what);
	else if (known)
		lua_pushfstring(L, "ipc.Queue (%s, %I messages)", q->what, (LUAI_UACINT)q->queue->stat.messages);
	else
		lua_pushfstring(L, "ipc.Queue (%s)", q->what);
	return 1;
}

static int queue_send(lua_State *L)
{
	return lua_gettop(L) < 5 || lua_isnil(L, 5) ? il_queue_send(L) : il_queue_send_job(L);
}

static const luaL_Reg methods[] = {
	{ "send", queue_send },
	{ "receive", il_queue_receive },
	{ "send_many", il_queue_send_many },
	{ "receive_many", il_queue_receive_many },
	{ "messages", il_queue_messages },
	{ "peek", il_queue_peek },
	{ "take", il_queue_take },
	{ "work", il_queue_work },
	{ "dead", il_queue_dead },
	{ "revive", il_queue_revive },
	{ "drop", il_queue_drop },
	{ "stat", queue_stat },
	{ "remove", queue_remove },
	{ "close", queue_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__len", queue__len },
	{ "__tostring", queue__tostring },
	{ "__gc", queue_close },
	{ "__close", queue_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "receive", il_queue_receive },
	{ "receive_many", il_queue_receive_many },
	{ "take", il_queue_take },
	{ "send", queue_send },
	{ "peek", il_queue_peek },
	{ "stat", queue_stat },
	{ NULL, NULL },
};

static bool is_open(const void *object)
{
	return ((const struct il_queue_handle *)object)->queue != NULL;
}

static const struct il_cases cases = { .usual = "receive",
	.methods = waits,
	.open = is_open,
	.describe = il_queue_describe };

void il_queue_open(lua_State *L)
{
	il_class(L, il_queue_class, methods, meta, &cases);
	il_job_open(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	lua_pushcfunction(L, il_queue_take_next);
	lua_setfield(L, -2, "queue_take_next");
	lua_pop(L, 1);
	lua_pushcfunction(L, queue);
	lua_setfield(L, -2, "queue");
}
