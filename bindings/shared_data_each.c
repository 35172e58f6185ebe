/* SPDX-License-Identifier: MIT
 *
 * ipc.Snapshot: what data:each() goes through. The engine answers with a copy of all names and values at once; each
 * step decodes one of them. So a loop body may do what it likes, and nothing of it is seen. The handle is a user
 * value: it has the codec, and the versions that it got.
 * Floor 4.
 */
#include "shared_data_each.h"
#include "shared_data_handle.h"
#include "bind.h"
#include "shared_data_read.h"
#include "sched/await.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLASS "ipc.Snapshot"

enum { HANDLE = 1 };

struct snapshot {
	char *bytes; /* of each name a struct il_listed, and its own; NULL: none, or it is closed */
	size_t size, at;
};

static int snapshot_close(lua_State *L)
{
	struct snapshot *s = luaL_checkudata(L, 1, CLASS);
	free(s->bytes);
	*s = (struct snapshot){ .bytes = NULL };
	return 0;
}

/* Name, value and version; a value that cannot be decoded is nil, and its version says why. All bytes at once: pushing
 * may collect garbage, whose finaliser may close the snapshot. */
static int push_entry(lua_State *L, const struct il_listed *head, const char *bytes)
{
	lua_settop(L, 1);
	lua_getiuservalue(L, 1, HANDLE);
	lua_pushlstring(L, bytes, head->name_size + head->size);
	bytes = lua_tostring(L, 3);
	lua_pushlstring(L, bytes, head->name_size);
	il_data_remember(L, 2, 4, head->version);
	lua_pop(L, 1);
	lua_pushlstring(L, bytes + head->name_size, head->size);
	return 1 + il_data_push_value(L, lua_touserdata(L, 2), lua_tostring(L, 4), head->version);
}

static int next_entry(lua_State *L)
{
	struct snapshot *s = luaL_checkudata(L, 1, CLASS);
	if (s->at == s->size)
		return snapshot_close(L);
	const char *at = s->bytes + s->at;
	struct il_listed head;
	memcpy(&head, at, sizeof head);
	s->at += il_listed_size(&head);
	return push_entry(L, &head, at + sizeof head);
}

/* Stack: the handle, the prefix, and the snapshot, which gets what the operation owns. */
static int each_push(lua_State *L, struct il_op *op)
{
	struct snapshot *s = lua_touserdata(L, 3);
	if (op->err)
		return il_data_raise(L, op);
	*s = (struct snapshot){ .bytes = op->data, .size = op->size };
	op->owned = false;
	op->data = NULL;
	lua_settop(L, 3);
	lua_pushcfunction(L, next_entry);
	lua_pushvalue(L, 3);
	lua_pushnil(L);
	lua_pushvalue(L, 3);
	return 4;
}

/* each([prefix]) → next, snapshot, nil, snapshot: the loop closes it however it ends. */
int il_data_each(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_op op;
	size_t size;
	const char *prefix = luaL_optlstring(L, 2, "", &size);
	il_check_last(L, 2, "each takes one prefix");
	luaL_argcheck(L, size <= IL_DATA_NAME_MAX, 2, "prefix has more bytes than a name");
	lua_settop(L, 2);
	struct snapshot *s = lua_newuserdatauv(L, sizeof *s, HANDLE);
	*s = (struct snapshot){ .bytes = NULL };
	luaL_setmetatable(L, CLASS);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, 3, HANDLE);
	il_data_call(&op, d, &d->data->ops->each, each_push);
	op.name = prefix;
	op.name_size = size;
	return il_await_answer_served(L, &op);
}

static int snapshot__tostring(lua_State *L)
{
	const struct snapshot *s = luaL_checkudata(L, 1, CLASS);
	lua_pushfstring(L, CLASS " (%I bytes left)", (LUAI_UACINT)(s->size - s->at));
	return 1;
}

static const luaL_Reg methods[] = {
	{ "close", snapshot_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", snapshot__tostring },
	{ "__gc", snapshot_close },
	{ "__close", snapshot_close },
	{ NULL, NULL },
};

void il_snapshot_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, NULL);
}
