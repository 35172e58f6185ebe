/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedData: the methods that change it. Values are encoded before the engine is called: nothing of Lua's runs
 * while the data is locked.
 * Floor 4.
 */
#include "shared_data.h"
#include "ask.h"
#include "bind.h"

#include <errno.h>

/* How often something may come between before the Lua half goes on, which knows an end. */
enum { AT_ONCE = 100 };

/* What the handle got last. */
static lua_Integer remembered(lua_State *L, int name)
{
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, name);
	lua_rawget(L, -2);
	lua_Integer version = lua_tointeger(L, -1);
	lua_pop(L, 2);
	return version;
}

/* The bytes take the place of the value at index `value`. An encoder of the user's may have closed the handle. */
static void encode(lua_State *L, struct il_shared_data *d, int value)
{
	if (d->codec == IL_CODEC_RAW && lua_type(L, value) == LUA_TSTRING)
		return;
	int top = lua_gettop(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, d);
	il_codec_encode(L, d->codec, value, top + 1);
	lua_settop(L, top);
	il_data_check_open(L);
}

/* Writes the bytes at index `value`, or deletes if that is nil; pushes nothing. */
static int write_value(lua_State *L, struct il_shared_data *d, int value, lua_Integer check, struct il_entry *e)
{
	*e = (struct il_entry){ 0 };
	e->name = lua_tolstring(L, 2, &e->name_size);
	e->value = lua_tolstring(L, value, &e->size);
	return d->data->ops->set(d->data, e, check);
}

static int wrote(lua_State *L, const struct il_shared_data *d, int err, const struct il_entry *e)
{
	if (err == EMSGSIZE)
		return il_fail(L, err,
			"value of %I bytes is over the limit of %I bytes (a quarter of the size of " NOUN " %s)",
			(LUAI_UACINT)e->size, (LUAI_UACINT)d->data->max_value, d->what);
	if (err)
		return il_data_fail(L, d, err);
	lua_pushinteger(L, e->version);
	return 1;
}

static lua_Integer check_option(lua_State *L, int arg)
{
	if (lua_isboolean(L, arg))
		return lua_toboolean(L, arg) ? remembered(L, 2) : IL_ANY_VERSION;
	if (lua_isnil(L, arg))
		return IL_ANY_VERSION;
	if (!lua_isinteger(L, arg))
		luaL_argerror(L, arg, "check must be true, or a version");
	return il_check_range(L, arg, 0, LUA_MAXINTEGER, "version");
}

/* Stack: the handle, name, bytes, check. */
static int set(lua_State *L)
{
	struct il_shared_data *d = lua_touserdata(L, 1);
	struct il_entry e;
	int err = write_value(L, d, 3, lua_tointeger(L, 4), &e);
	return err == EINPROGRESS ? il_ask(L, 1, set) : wrote(L, d, err, &e);
}

/* set(name, value [, check]) */
int il_data_set(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	il_data_check_name(L, 2, &size);
	luaL_argcheck(L, !lua_isnoneornil(L, 3), 3, "value expected, got nil; delete removes a name");
	lua_settop(L, 4);
	lua_pushinteger(L, check_option(L, 4));
	lua_replace(L, 4);
	encode(L, d, 3);
	return set(L);
}

static int half_done(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L) - 3;
}

/* Got, added, and set if nothing came between, by the Lua half: each step may wait. */
static int add_by_steps(lua_State *L, const struct il_shared_data *d)
{
	lua_settop(L, 3);
	il_push_lua_half(L, "ipc.shared_data", "add");
	for (int i = 1; i <= 3; i++)
		lua_pushvalue(L, i);
	lua_pushstring(L, d->what);
	lua_callk(L, 4, LUA_MULTRET, 0, half_done);
	return half_done(L, LUA_OK, 0);
}

/* Another machine adds by itself, if the numbers are integers and the sum is one. */
static int remote_add(lua_State *L)
{
	struct il_shared_data *d = lua_touserdata(L, 1);
	int64_t sum;
	size_t size;
	const char *name = lua_tolstring(L, 2, &size);
	bool plain = d->codec == IL_CODEC_JSON && lua_isinteger(L, 3);
	int err = plain ? d->data->ops->add(d->data, name, size, lua_tointeger(L, 3), &sum) : EAGAIN;
	if (err == EINPROGRESS)
		return il_ask(L, 1, remote_add);
	if (!err)
		lua_pushinteger(L, sum);
	if (err != EAGAIN)
		return err ? il_data_fail(L, d, err) : 1;
	return add_by_steps(L, d);
}

/* No codec runs while the data is locked: read, add, and write if nothing came between. If another process stands in
 * the way, by steps that can wait. */
int il_data_add(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_entry e;
	size_t size;
	int err, attempts = 0;
	const char *name = il_data_check_name(L, 2, &size);
	luaL_checktype(L, 3, LUA_TNUMBER);
	lua_settop(L, 3);
	if (il_is_far(d->data->remote))
		return remote_add(L);
	do {
		lua_settop(L, 3);
		err = d->data->ops->get(d->data, name, size, &e);
		if (err == EINPROGRESS)
			return add_by_steps(L, d);
		if (err && err != ENOENT)
			return il_data_fail(L, d, err);
		lua_Integer version = err ? 0 : e.version;
		if (err)
			lua_pushinteger(L, 0);
		else
			lua_pushlstring(L, e.value, e.size);
		if (!err && !il_data_decode(L, d, name))
			return 2;
		if (lua_type(L, 4) != LUA_TNUMBER)
			return il_error(L, "'%s' of " NOUN " %s is a %s, not a number", name, d->what,
				luaL_typename(L, 4));
		il_data_check_open(L);
		lua_pushvalue(L, 3);
		lua_arith(L, LUA_OPADD);
		lua_pushvalue(L, 4);
		encode(L, d, 5);
		err = write_value(L, d, 5, version, &e);
	} while (err == ESTALE && ++attempts < AT_ONCE);
	if (err == EINPROGRESS || err == ESTALE)
		return add_by_steps(L, d);
	if (err)
		return wrote(L, d, err, &e);
	lua_settop(L, 4);
	return 1;
}

int il_data_delete(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_entry e = { 0 };
	e.name = il_data_check_name(L, 2, &e.name_size);
	lua_settop(L, 2);
	int err = d->data->ops->set(d->data, &e, IL_ANY_VERSION);
	if (err == EINPROGRESS)
		return il_ask(L, 1, il_data_delete);
	if (err && err != ENOENT)
		return il_data_fail(L, d, err);
	lua_pushboolean(L, !err);
	return 1;
}

/* Stack: the handle, name, bytes or nil, check. */
static int swap(lua_State *L)
{
	struct il_shared_data *d = lua_touserdata(L, 1);
	struct il_entry e;
	lua_Integer check = lua_tointeger(L, 4);
	int err = write_value(L, d, 3, check, &e);
	if (err == EINPROGRESS)
		return il_ask(L, 1, swap);
	if (err && !(err == ENOENT && check == 0))
		return wrote(L, d, err, &e);
	lua_pushboolean(L, 1);
	return 1;
}

/* For update: (name, value or nil, version) → true | nil, why... */
int il_data_swap(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	lua_settop(L, 4);
	if (!lua_isnil(L, 3))
		encode(L, d, 3);
	return swap(L);
}

/* The Lua half calls the function, which may wait. */
int il_data_update(lua_State *L)
{
	size_t size;
	il_data_check_open(L);
	il_data_check_name(L, 2, &size);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	lua_settop(L, 3);
	il_push_lua_half(L, "ipc.shared_data", "update");
	for (int i = 1; i <= 3; i++)
		lua_pushvalue(L, i);
	lua_callk(L, 3, LUA_MULTRET, 0, half_done);
	return half_done(L, LUA_OK, 0);
}
