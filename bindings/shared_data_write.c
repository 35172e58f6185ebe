/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedData: the methods that change it. Values are encoded before the engine is called: nothing of Lua's runs
 * while the data is locked.
 * Floor 4.
 */
#include "shared_data_write.h"
#include "option.h"
#include "script.h"
#include "shared_data_handle.h"
#include "bind.h"
#include "shared_data_read.h"
#include "sched/await.h"

#include <errno.h>
#include <string.h>

/* How often something may come between before the script goes on, which knows an end. */
enum { AT_ONCE = 100 };

static const int64_t LONGEST_TTL = INT64_C(100) * 366 * 86400 * IL_SECOND;

/* What the handle got last. */
static lua_Integer remembered(lua_State *L, int name)
{
	lua_getiuservalue(L, 1, IL_DATA_VERSIONS);
	lua_pushvalue(L, name);
	lua_rawget(L, -2);
	lua_Integer version = lua_tointeger(L, -1);
	lua_pop(L, 2);
	return version;
}

/* An encoder of the user's may have closed the handle. */
void il_data_encode_at(lua_State *L, struct il_shared_data *d, int value)
{
	if (d->codec == IL_CODEC_RAW && lua_type(L, value) == LUA_TSTRING)
		return;
	int top = lua_gettop(L);
	il_codec_push(L, d->codec, d);
	il_codec_encode(L, d->codec, value, top + 1, "value");
	lua_settop(L, top);
	il_data_check_open(L);
}

/* Writes the bytes at index `value`, or deletes if that is nil. */
static int change(lua_State *L, struct il_shared_data *d, int value, lua_Integer check, int64_t ttl,
	int (*push)(lua_State *L, struct il_op *op))
{
	struct il_op op;
	bool deletes = lua_isnil(L, value);
	il_data_call(&op, d, deletes ? &d->data->ops->delete : &d->data->ops->set, push);
	op.name = lua_tolstring(L, 2, &op.name_size);
	if (!deletes)
		op.data = (void *)lua_tolstring(L, value, &op.size);
	op.entry.version = check;
	op.entry.ttl = ttl;
	return il_await_answer_served(L, &op);
}

int il_data_write_fail(lua_State *L, const struct il_op *op)
{
	const struct il_shared_data *d = op->handle;
	if (op->err == EMSGSIZE && d->data)
		return il_fail(L, op->err,
			"value of %I bytes is over the limit of %I bytes (name '%s', a quarter of the size of " NOUN
			" %s)",
			(LUAI_UACINT)op->size, (LUAI_UACINT)d->data->max_value, op->name ? op->name : "?", d->what);
	return il_data_fail(L, d, op->err);
}

static int set_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_data_write_fail(L, op);
	lua_pushinteger(L, op->entry.version);
	return 1;
}

static lua_Integer check_option(lua_State *L, int arg)
{
	if (lua_isboolean(L, arg))
		return lua_toboolean(L, arg) ? remembered(L, 2) : IL_ANY_VERSION;
	if (lua_isnil(L, arg))
		return IL_ANY_VERSION;
	if (lua_istable(L, arg))
		luaL_argerror(L, arg, "check must be true, or a version, got table; options such as ttl come after it");
	if (!lua_isinteger(L, arg))
		luaL_argerror(L, arg, "check must be true, or a version");
	return il_check_range(L, arg, 0, LUA_MAXINTEGER, "version");
}

static const char *const options[] = { "ttl", NULL };

/* One of centuries is none. */
int64_t il_data_ttl_option(lua_State *L, int arg)
{
	if (lua_isnil(L, arg))
		return IL_TTL_NONE;
	il_options(L, arg, options);
	lua_Number seconds;
	if (!il_option_number(L, arg, "ttl", &seconds))
		return IL_TTL_NONE;
	if (!(seconds > 0))
		il_option_refuse(L, arg, "ttl must be seconds, more than 0");
	lua_pop(L, 1);
	int64_t ttl = il_nanoseconds(seconds);
	return ttl < LONGEST_TTL ? ttl : IL_TTL_NONE;
}

/* set(name, value [, check [, options]]) */
int il_data_set(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	il_data_check_name(L, 2, &size);
	luaL_argcheck(L, !lua_isnoneornil(L, 3), 3, "value expected, got nil; delete removes a name");
	lua_settop(L, 5);
	lua_Integer check = check_option(L, 4);
	int64_t ttl = il_data_ttl_option(L, 5);
	il_data_encode_at(L, d, 3);
	return change(L, d, 3, check, ttl, set_push);
}

static int half_done(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L) - 3;
}

/* Got, added, and set if nothing came between, by the script: each step may wait. */
static int add_by_steps(lua_State *L, const struct il_shared_data *d)
{
	lua_settop(L, 3);
	il_push_script(L, "ipc.shared_data", "add");
	for (int i = 1; i <= 3; i++)
		lua_pushvalue(L, i);
	lua_pushstring(L, d->what);
	lua_callk(L, 4, LUA_MULTRET, 0, half_done);
	return half_done(L, LUA_OK, 0);
}

static int add_push(lua_State *L, struct il_op *op)
{
	if (op->err == EAGAIN)
		return add_by_steps(L, op->handle);
	if (op->err)
		return il_data_fail(L, op->handle, op->err);
	lua_pushinteger(L, op->entry.number);
	return 1;
}

/* The engine adds by itself, if the numbers are integers and the sum is one. */
static int add_there(lua_State *L, struct il_shared_data *d)
{
	struct il_op op;
	if (d->codec != IL_CODEC_JSON || !lua_isinteger(L, 3))
		return add_by_steps(L, d);
	il_data_call(&op, d, &d->data->ops->add, add_push);
	op.name = lua_tolstring(L, 2, &op.name_size);
	op.entry.number = lua_tointeger(L, 3);
	return il_await_answer_served(L, &op);
}

/* The sum and its bytes, of what `get` has found. 0; or how many results say why not. */
static int push_sum(lua_State *L, struct il_shared_data *d, const struct il_op *get)
{
	if (get->err)
		lua_pushinteger(L, 0);
	else
		lua_pushlstring(L, get->data, get->size);
	if (!get->err && !il_data_decode(L, d, get->name))
		return 2;
	if (lua_type(L, 4) != LUA_TNUMBER)
		return il_error(L, "'%s' of " NOUN " %s is a %s, not a number", get->name, d->what,
			luaL_typename(L, 4));
	il_data_check_open(L);
	lua_pushvalue(L, 3);
	lua_arith(L, LUA_OPADD);
	lua_pushvalue(L, 4);
	il_data_encode_at(L, d, 5);
	return 0;
}

/* No codec runs while the data is locked: read, add, and write if nothing came between. If another process is in the
 * way, by steps that can wait. */
static int add_here(lua_State *L, struct il_shared_data *d)
{
	struct il_op get, set;
	for (int attempts = 0; attempts < AT_ONCE; attempts++) {
		lua_settop(L, 3);
		il_data_call(&get, d, &d->data->ops->get, NULL);
		get.name = lua_tolstring(L, 2, &get.name_size);
		if (!get.type->attempt(&get))
			return add_by_steps(L, d);
		if (get.err && get.err != ENOENT)
			return il_data_fail(L, d, get.err);
		int failed = push_sum(L, d, &get);
		if (failed)
			return failed;
		il_data_call(&set, d, &d->data->ops->set, NULL);
		set.name = get.name;
		set.name_size = get.name_size;
		set.data = (void *)lua_tolstring(L, 5, &set.size);
		set.entry.version = get.err ? 0 : get.entry.version;
		set.entry.ttl = IL_TTL_KEEP;
		if (!set.type->attempt(&set))
			return add_by_steps(L, d);
		if (set.err && set.err != ESTALE)
			return il_data_write_fail(L, &set);
		lua_settop(L, 4);
		if (!set.err)
			return il_serve(set.size) ? 1 : il_served(L, 1);
	}
	return add_by_steps(L, d);
}

int il_data_add(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	il_data_check_name(L, 2, &size);
	luaL_checktype(L, 3, LUA_TNUMBER);
	lua_settop(L, 3);
	return d->data->ops->add.attempt ? add_there(L, d) : add_here(L, d);
}

static int delete_push(lua_State *L, struct il_op *op)
{
	if (op->err && op->err != ENOENT)
		return il_data_fail(L, op->handle, op->err);
	lua_pushboolean(L, !op->err);
	return 1;
}

/* delete(name [, check]) */
int il_data_delete(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	il_data_check_name(L, 2, &size);
	il_check_last(L, 3, "delete takes one name, and a version");
	lua_settop(L, 3);
	lua_Integer check = check_option(L, 3);
	lua_pushnil(L);
	return change(L, d, 4, check, IL_TTL_NONE, delete_push);
}

static int clear_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_data_fail(L, op->handle, op->err);
	lua_pushinteger(L, op->entry.number);
	return 1;
}

int il_data_clear(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_op op;
	il_check_last(L, 1, "clear deletes all names, and takes none");
	il_data_call(&op, d, &d->data->ops->clear, clear_push);
	return il_await_answer_served(L, &op);
}

/* That nothing was there is what was required. */
static int swap_push(lua_State *L, struct il_op *op)
{
	if (op->err && op->err != ENOENT)
		return il_data_write_fail(L, op);
	lua_pushboolean(L, 1);
	return 1;
}

/* For update: (name, value or nil, version) → true | nil, why... */
int il_data_swap(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	lua_settop(L, 4);
	if (!lua_isnil(L, 3))
		il_data_encode_at(L, d, 3);
	return change(L, d, 3, lua_tointeger(L, 4), IL_TTL_KEEP, swap_push);
}

/* The script calls the function, which may wait. */
int il_data_update(lua_State *L)
{
	size_t size;
	il_data_check_open(L);
	il_data_check_name(L, 2, &size);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	lua_settop(L, 3);
	il_push_script(L, "ipc.shared_data", "update");
	for (int i = 1; i <= 3; i++)
		lua_pushvalue(L, i);
	lua_callk(L, 3, LUA_MULTRET, 0, half_done);
	return half_done(L, LUA_OK, 0);
}
