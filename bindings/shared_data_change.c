/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedData: change(fn). The script (scripts/ipc/shared_data.lua) calls the function, and keeps what it has read
 * and written; here are the steps that it is made of.
 * Floor 4.
 */
#include "shared_data_change.h"
#include "shared_data_handle.h"
#include "bind.h"
#include "script.h"
#include "shared_data_write.h"
#include "sched/await.h"

#include <errno.h>
#include <string.h>

int il_data_encode(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	size_t size;
	il_data_check_name(L, 2, &size);
	if (lua_isnoneornil(L, 3))
		il_bad_argument(L, 3, "value expected, got nil; delete removes a name");
	lua_settop(L, 4);
	lua_pushinteger(L, il_data_ttl_option(L, 4));
	lua_replace(L, 4);
	il_data_encode_at(L, d, 3);
	return 2;
}

int il_data_name(lua_State *L)
{
	size_t size;
	il_data_check_open(L);
	il_data_check_name(L, 2, &size);
	lua_settop(L, 2);
	return 1;
}

static int commit_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_data_write_fail(L, op);
	lua_pushboolean(L, 1);
	return 1;
}

enum { ITEM = 4 /* elements: name, version, bytes (true: as it is, false: deleted), ttl */ };

/* Its strings are in the list, which keeps them. */
static struct il_data_change item_at(lua_State *L, int list, lua_Integer first)
{
	struct il_data_change c = { .edit = IL_DATA_CHECK };
	for (int i = 0; i < ITEM; i++)
		lua_rawgeti(L, list, first + i);
	c.name = lua_tolstring(L, -4, &c.name_size);
	c.version = lua_tointeger(L, -3);
	c.ttl = lua_tointeger(L, -1);
	if (lua_type(L, -2) == LUA_TSTRING) {
		c.value = lua_tolstring(L, -2, &c.size);
		c.edit = IL_DATA_SET;
	} else if (!lua_toboolean(L, -2)) {
		c.edit = IL_DATA_DELETE;
	}
	lua_pop(L, ITEM);
	return c;
}

static char *pack(char *to, const struct il_data_change *c)
{
	struct il_data_packed head = { c->version, c->ttl, c->edit, c->name_size, c->size };
	char *name = mempcpy(to, &head, sizeof head);
	memcpy(name, c->name, c->name_size);
	if (c->size)
		memcpy(name + c->name_size, c->value, c->size);
	return to + il_data_packed_size(c->name_size, c->size);
}

/* The bytes that all take; 0: one of them has too many, c. */
static size_t measure(lua_State *L, const struct il_shared_data *d, lua_Integer count, struct il_data_change *c)
{
	size_t size = 0;
	for (lua_Integer i = 0; i < count; i++) {
		*c = item_at(L, 2, i * ITEM + 1);
		if (c->size > d->data->max_value)
			return 0;
		size += il_data_packed_size(c->name_size, c->size);
	}
	return size;
}

int il_data_commit(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_data_change c = { .edit = IL_DATA_CHECK };
	struct il_op op;
	lua_settop(L, 2);
	lua_Integer count = (lua_Integer)lua_rawlen(L, 2) / ITEM;
	il_data_call(&op, d, &d->data->ops->change, commit_push);
	op.size = measure(L, d, count, &c);
	if (!op.size) {
		op.err = EMSGSIZE;
		op.name = c.name;
		op.size = c.size;
		return il_data_write_fail(L, &op);
	}
	char *to = op.data = lua_newuserdatauv(L, op.size, 0);
	for (lua_Integer i = 0; i < count; i++) {
		c = item_at(L, 2, i * ITEM + 1);
		to = pack(to, &c);
	}
	return il_await_answer_served(L, &op);
}

static int ended(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L) - 2;
}

/* The script calls the function, which may wait. */
int il_data_change(lua_State *L)
{
	il_data_check_open(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	il_push_script(L, "ipc.shared_data", "change");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_callk(L, 2, LUA_MULTRET, 0, ended);
	return ended(L, LUA_OK, 0);
}
