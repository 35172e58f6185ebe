/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedData: the methods that read it. The bytes that an engine shows are its own until the next call: they are
 * copied before anything of Lua's can run, and decoded then.
 * Floor 4.
 */
#include "shared_data_read.h"
#include "shared_data_handle.h"
#include "bind.h"
#include "sched/await.h"

#include <errno.h>
#include <string.h>

/* Where things are on the stack: the handle, and the name. */
struct place {
	int handle, name;
};

/* In a method they are its arguments; else they are pushed. */
static struct place place_of(lua_State *L, const struct il_op *op)
{
	if (lua_touserdata(L, 1) == op->handle)
		return (struct place){ 1, 2 };
	il_push_object(L, op->handle);
	lua_pushlstring(L, op->name, op->name_size);
	return (struct place){ lua_gettop(L) - 1, lua_gettop(L) };
}

void il_data_remember(lua_State *L, int handle, int name, int64_t version)
{
	lua_getiuservalue(L, handle, IL_DATA_VERSIONS);
	lua_pushvalue(L, name);
	if (version)
		lua_pushinteger(L, version);
	else
		lua_pushnil(L); /* as if it had never got one */
	lua_rawset(L, -3);
}

bool il_data_decode(lua_State *L, struct il_shared_data *d, const char *name)
{
	if (d->codec == IL_CODEC_RAW)
		return true;
	il_codec_push(L, d->codec, d);
	lua_insert(L, -2);
	bool decoded = il_codec_decode(L, d->codec, -2);
	lua_remove(L, -2);
	if (decoded)
		return true;
	const char *why = lua_tostring(L, -1), *quote = name ? "'" : "";
	lua_pushfstring(L, "cannot decode %s%s%s of " NOUN " %s: %s", quote, name ? name : "a value", quote, d->what,
		why);
	lua_pushnil(L);
	lua_replace(L, -3);
	return false;
}

int il_data_push_value(lua_State *L, struct il_shared_data *d, const char *name, int64_t version)
{
	if (!il_data_decode(L, d, name))
		return 2;
	lua_pushinteger(L, version);
	return 2;
}

static int got(lua_State *L, struct il_op *op, bool remembers)
{
	struct il_shared_data *d = op->handle;
	int64_t version = op->err ? 0 : op->entry.version;
	if (op->err && op->err != ENOENT)
		return il_data_fail(L, d, op->err);
	if (remembers) {
		int top = lua_gettop(L);
		struct place p = place_of(L, op);
		il_data_remember(L, p.handle, p.name, version);
		lua_settop(L, top); /* the results of a select follow what is there */
	}
	if (!version) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushlstring(L, op->data, op->size);
	return il_data_push_value(L, d, op->name, version);
}

static int get_push(lua_State *L, struct il_op *op)
{
	return got(L, op, true);
}

static int query_push(lua_State *L, struct il_op *op)
{
	return got(L, op, false);
}

static int raw_push(lua_State *L, struct il_op *op)
{
	if (op->err && op->err != ENOENT)
		return il_data_fail(L, op->handle, op->err);
	if (op->err) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushlstring(L, op->data, op->size);
	lua_pushinteger(L, op->entry.version);
	return 2;
}

static int query(lua_State *L, int (*push)(lua_State *L, struct il_op *op))
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_op op;
	il_data_call(&op, d, &d->data->ops->get, push);
	op.name = il_data_check_name(L, 2, &op.name_size);
	return il_await_answer(L, &op);
}

int il_data_get(lua_State *L)
{
	return query(L, get_push);
}

int il_data_query(lua_State *L)
{
	return query(L, query_push);
}

int il_data_query_raw(lua_State *L)
{
	return query(L, raw_push);
}

int il_data_decoded(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	lua_settop(L, 3);
	return il_data_decode(L, d, lua_tostring(L, 2)) ? 1 : 2;
}

/* All names --------------------------------------------------------------------------------------------- */

int il_data_raise(lua_State *L, const struct il_op *op)
{
	const struct il_shared_data *d = op->handle;
	if (!d->data)
		return il_error(L, NOUN " %s is closed", d->what);
	if (op->err == EIDRM)
		return il_error(L, NOUN " %s: removed", d->what);
	return il_error(L, "%s", lua_tostring(L, 1 - il_data_fail(L, d, op->err)));
}

/* Both at once: pushing may collect garbage, whose finaliser may read. */
static int pairs_push(lua_State *L, struct il_op *op)
{
	struct il_shared_data *d = op->handle;
	if (op->err == ENOENT) {
		lua_pushnil(L);
		return 1;
	}
	if (op->err || !d->data)
		return il_data_raise(L, op);
	size_t name_size = op->name_size, size = op->size;
	lua_pushlstring(L, op->data, size);
	const char *name = lua_tostring(L, -1);
	lua_pushlstring(L, name, name_size);
	il_data_remember(L, 1, lua_gettop(L), op->entry.version);
	lua_pop(L, 1);
	lua_pushlstring(L, name + name_size, size - name_size);
	return 1 + il_data_push_value(L, d, lua_tostring(L, -2), op->entry.version);
}

/* Each step looks anew, for the name after the last: no transaction stays open while Lua runs. */
static int pairs_next(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_op op;
	il_data_call(&op, d, &d->data->ops->next, pairs_push);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		op.name = il_data_check_name(L, 2, &op.name_size);
	return il_await_answer(L, &op);
}

int il_data__pairs(lua_State *L)
{
	il_data_check_open(L);
	lua_pushcfunction(L, pairs_next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int count_push(lua_State *L, struct il_op *op)
{
	struct il_shared_data *d = op->handle;
	if (op->err || !d->data)
		return il_data_fail(L, d, op->err);
	lua_pushinteger(L, d->data->stat.names);
	return 1;
}

static int stat_push(lua_State *L, struct il_op *op)
{
	const struct il_shared_data *d = op->handle;
	if (op->err || !d->data)
		return il_data_fail(L, d, op->err);
	const struct il_data *data = d->data;
	const struct il_counter counters[] = {
		{ "names", data->stat.names },
		{ "used", data->stat.used },
		{ "waiters", data->stat.waiters },
		{ "size", (int64_t)data->size },
		{ "max_value", (int64_t)data->max_value },
	};
	il_push_counters(L, counters, sizeof counters / sizeof counters[0]);
	return 1;
}

static int ask_stat(lua_State *L, int (*push)(lua_State *L, struct il_op *op))
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_op op;
	lua_settop(L, 1);
	il_data_call(&op, d, &d->data->ops->stat, push);
	return il_await_answer(L, &op);
}

int il_data_count(lua_State *L)
{
	il_check_last(L, 1, "count counts all names, and takes none");
	return ask_stat(L, count_push);
}

int il_data_stat(lua_State *L)
{
	return ask_stat(L, stat_push);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

static int wait_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_data_fail(L, op->handle, op->err);
	if (op->entry.version) {
		lua_pushlstring(L, op->size ? op->data : "", op->size);
		il_op_clear(op);
		return il_data_push_value(L, op->handle, NULL, op->entry.version);
	}
	lua_pushnil(L);
	lua_pushinteger(L, 0);
	return 2;
}

/* wait(name, version [, timeout]) */
int il_data_wait(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	const char *name = il_data_check_name(L, 2, &size);
	lua_Integer version = lua_isnoneornil(L, 3) ? 0 : il_check_range(L, 3, 0, LUA_MAXINTEGER, "version");
	int64_t deadline = il_check_deadline(L, 4);
	struct il_op *op = il_await_begin(L, &d->data->ops->wait, d->data, wait_push);
	op->handle = d;
	op->name = name;
	op->name_size = size;
	op->entry.version = version;
	return il_await_end(L, op, deadline);
}
