/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedData: the methods that read it. The bytes that an engine shows are its own until the next call: they are
 * copied before anything of Lua's can run, and decoded then.
 * Floor 4.
 */
#include "shared_data.h"
#include "ask.h"
#include "bind.h"
#include "sched/await.h"

#include <errno.h>
#include <string.h>

/* The version that the handle at 1 got last of the name at index `name`. */
static void remember(lua_State *L, int name, int64_t version)
{
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, name);
	if (version)
		lua_pushinteger(L, version);
	else
		lua_pushnil(L); /* as if it had never got one */
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

bool il_data_decode(lua_State *L, struct il_shared_data *d, const char *name)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, d);
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

/* Value and version; or nil and why it cannot be decoded. */
static int push_value(lua_State *L, struct il_shared_data *d, const char *name, int64_t version)
{
	if (!il_data_decode(L, d, name))
		return 2;
	lua_pushinteger(L, version);
	return 2;
}

static int look(lua_State *L, bool remembers, lua_CFunction again)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_entry e;
	size_t size;
	const char *name = il_data_check_name(L, 2, &size);
	lua_settop(L, 2);
	int err = d->data->ops->get(d->data, name, size, &e);
	if (err == EINPROGRESS)
		return il_ask(L, 1, again);
	if (err && err != ENOENT)
		return il_data_fail(L, d, err);
	int64_t version = err ? 0 : e.version;
	if (version)
		lua_pushlstring(L, e.value, e.size);
	if (remembers)
		remember(L, 2, version);
	if (version)
		return push_value(L, d, name, version);
	lua_pushnil(L);
	return 1;
}

int il_data_get(lua_State *L)
{
	return look(L, true, il_data_get);
}

int il_data_look(lua_State *L)
{
	return look(L, false, il_data_look);
}

/* All names --------------------------------------------------------------------------------------------- */

/* Each step looks anew, for the name after the last: no transaction stays open while Lua runs. */
static int pairs_next(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_entry e;
	size_t size = 0;
	lua_settop(L, 2);
	const char *name = lua_isnil(L, 2) ? NULL : il_data_check_name(L, 2, &size);
	int err = d->data->ops->next(d->data, name, size, &e);
	if (err == EINPROGRESS)
		return il_ask_or_raise(L, 1, pairs_next);
	if (err == ENOENT) {
		lua_pushnil(L);
		return 1;
	}
	if (err == EIDRM)
		return il_error(L, NOUN " %s: removed", d->what);
	if (err)
		return il_error(L, "%s", lua_tostring(L, 1 - il_data_fail(L, d, err)));
	/* both at once: pushing may collect garbage, whose finaliser may read; they are side by side */
	lua_pushlstring(L, e.name, e.name_size + e.size);
	name = lua_tostring(L, 3);
	lua_pushlstring(L, name, e.name_size);
	lua_pushlstring(L, name + e.name_size, e.size);
	remember(L, 4, e.version);
	return 1 + push_value(L, d, lua_tostring(L, 4), e.version);
}

int il_data__pairs(lua_State *L)
{
	il_data_check_open(L);
	lua_pushcfunction(L, pairs_next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static void push_count(lua_State *L, const struct il_data *data, const struct il_data_stat *stat)
{
	(void)data;
	lua_pushinteger(L, stat->names);
}

static void push_stat(lua_State *L, const struct il_data *data, const struct il_data_stat *stat)
{
	const struct {
		const char *name;
		int64_t value;
	} fields[] = {
		{ "names", stat->names },
		{ "used", stat->used },
		{ "waiters", stat->waiters },
		{ "size", (int64_t)data->size },
		{ "max_value", (int64_t)data->max_value },
	};
	lua_createtable(L, 0, 5);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		lua_pushinteger(L, fields[i].value);
		lua_setfield(L, -2, fields[i].name);
	}
}

static int tell(lua_State *L, void (*push)(lua_State *, const struct il_data *, const struct il_data_stat *),
	lua_CFunction again)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_data_stat stat;
	lua_settop(L, 1);
	int err = d->data->ops->stat(d->data, &stat);
	if (err == EINPROGRESS)
		return il_ask(L, 1, again);
	if (err)
		return il_data_fail(L, d, err);
	push(L, d->data, &stat);
	return 1;
}

int il_data_count(lua_State *L)
{
	return tell(L, push_count, il_data_count);
}

int il_data_stat(lua_State *L)
{
	return tell(L, push_stat, il_data_stat);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

/* The handle may be closed, and the engine's object gone, before the results are built. */
static bool wait_attempt(struct il_op *op)
{
	op->handle = ((struct il_data *)op->source)->owner;
	return ((struct il_data *)op->source)->ops->wait.attempt(op);
}

static int wait_start(struct il_op *op)
{
	return ((struct il_data *)op->source)->ops->wait.start(op);
}

static bool wait_cancel(struct il_op *op)
{
	return ((struct il_data *)op->source)->ops->wait.cancel(op);
}

static int wait_push(lua_State *L, struct il_op *op)
{
	struct il_shared_data *d = op->handle;
	int64_t version = op->arg;
	if (op->err)
		return il_data_fail(L, d, op->err);
	if (version) {
		lua_pushlstring(L, op->size ? op->data : "", op->size);
		il_op_clear(op);
		return push_value(L, d, NULL, version);
	}
	lua_pushnil(L);
	lua_pushinteger(L, 0);
	return 2;
}

static const struct il_await_type wait_type = {
	{ "shared data wait", wait_attempt, wait_start, wait_cancel },
	wait_push,
};

/* wait(name, version [, timeout]) */
int il_data_wait(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	const char *name = il_data_check_name(L, 2, &size);
	lua_Integer version = lua_isnoneornil(L, 3) ? 0 : il_check_range(L, 3, 0, LUA_MAXINTEGER, "version");
	return il_await_data(L, &wait_type, d->data, version, (void *)name, size, 4);
}
