/* SPDX-License-Identifier: MIT
 *
 * ipc.select, see select.h. On the stack while it waits: 1 the cases, 2 the timeout, 3 a list of keys and of what the
 * operations need kept alive, 4 the memory of the operations.
 * Floor 3.
 */
#include "sched/select.h"
#include "sched/await.h"
#include "sched/task.h"

#include <lauxlib.h>
#include <string.h>

enum { CASES = 1, TIMEOUT, KEYS, OPS, KEEP };

struct ops {
	uint32_t count;
	struct il_op op[];
};

/* The operations of a select that was left by an error may own payloads. */
static int ops_gc(lua_State *L)
{
	struct ops *s = lua_touserdata(L, 1);
	for (uint32_t i = 0; i < s->count; i++)
		il_op_clear(&s->op[i]);
	return 0;
}

/* What waits if the case is just the object: the metatable's field __wait names the method. */
static const char *usual_method(lua_State *L, int object)
{
	const char *name = NULL;
	if (luaL_getmetafield(L, object, "__wait") == LUA_TSTRING)
		name = lua_tostring(L, -1); /* kept by the metatable */
	if (lua_isnil(L, -1) || name)
		lua_pop(L, name ? 1 : 0);
	return name;
}

/* Pushes the method and its arguments for the case at the top; returns how many arguments. */
static int push_call(lua_State *L, int at)
{
	const char *method;
	if (lua_type(L, at) != LUA_TTABLE || luaL_getmetafield(L, at, "__wait") != LUA_TNIL) {
		lua_settop(L, at);
		method = usual_method(L, at);
		if (!method)
			return luaL_error(L, "select: a case must be an object that waits or {object, \"method\", ...}, got %s",
					  luaL_typename(L, at));
		lua_getfield(L, at, method);
		lua_pushvalue(L, at);
		return 1;
	}
	int n = (int)lua_rawlen(L, at);
	lua_rawgeti(L, at, 1);
	lua_rawgeti(L, at, 2);
	method = lua_tostring(L, -1);
	if (lua_isnil(L, -2) || (n > 1 && !method))
		return luaL_error(L, "select: a case must be an object that waits or {object, \"method\", ...}");
	lua_pop(L, 1);
	if (!method && !(method = usual_method(L, -1)))
		return luaL_error(L, "select: %s has no usual wait: name a method", luaL_typename(L, -1));
	if (lua_getfield(L, -1, method) == LUA_TNIL)
		return luaL_error(L, "select: no method '%s'", method);
	lua_insert(L, -2);
	luaL_checkstack(L, n, "too many arguments in a case");
	for (int i = 3; i <= n; i++)
		lua_rawgeti(L, at, i);
	return n > 2 ? n - 1 : 1;
}

/* Learns the operation of the case on top of the stack and pops it. */
static void collect(lua_State *L, struct ops *s)
{
	int at = lua_gettop(L);
	int nargs = push_call(L, at);
	int fn = lua_gettop(L) - nargs;
	for (int i = fn + 1; i <= fn + nargs; i++) { /* the object, and what a method replaced stays with its frame */
		lua_pushvalue(L, i);
		lua_rawseti(L, KEEP, (lua_Integer)lua_rawlen(L, KEEP) + 1);
	}
	struct il_collector c = { .L = L, .op = &s->op[s->count] }, *outer = il_collector;
	il_collector = &c;
	int status = lua_pcall(L, nargs, LUA_MULTRET, 0);
	il_collector = outer;
	if (status != LUA_OK)
		lua_error(L);
	if (!c.taken)
		luaL_error(L, "select: a case's method does not wait");
	s->count++;
	for (int i = fn; i <= lua_gettop(L); i++) { /* what the method leaves is kept for the operation */
		lua_pushvalue(L, i);
		lua_rawseti(L, KEEP, (lua_Integer)lua_rawlen(L, KEEP) + 1);
	}
	lua_settop(L, at - 1);
}

static int push_selected(lua_State *L, struct il_op *op)
{
	struct ops *s = lua_touserdata(L, OPS);
	lua_settop(L, KEEP);
	lua_rawgeti(L, KEYS, (lua_Integer)(op - s->op) + 1);
	return 1 + il_container_of(op->type, const struct il_await_type, op)->push(L, op);
}

static uint32_t count_cases(lua_State *L)
{
	uint32_t n = 0;
	for (lua_pushnil(L); lua_next(L, CASES); lua_pop(L, 1))
		n++;
	return n;
}

static void add_case(lua_State *L, struct ops *s)
{
	lua_pushvalue(L, -2);
	lua_rawseti(L, KEYS, s->count + 1);
	collect(L, s);
}

int il_select(lua_State *L)
{
	luaL_checktype(L, CASES, LUA_TTABLE);
	int64_t deadline = il_check_deadline(L, TIMEOUT);
	lua_settop(L, TIMEOUT);
	uint32_t n = count_cases(L), listed = (uint32_t)lua_rawlen(L, CASES);
	lua_createtable(L, (int)n, 0);
	struct ops *s = lua_newuserdatauv(L, sizeof *s + n * sizeof s->op[0], 0);
	memset(s, 0, sizeof *s + n * sizeof s->op[0]);
	if (luaL_newmetatable(L, "ipc.select")) {
		lua_pushcfunction(L, ops_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, OPS);
	lua_newtable(L);
	for (uint32_t i = 1; i <= listed && i <= n; i++) {
		lua_pushinteger(L, i);
		if (lua_rawgeti(L, CASES, i) == LUA_TNIL)
			lua_settop(L, KEEP);
		else
			add_case(L, s);
		lua_settop(L, KEEP);
	}
	for (lua_pushnil(L); lua_next(L, CASES);) {
		bool in_list = lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= listed;
		if (in_list)
			lua_pop(L, 1);
		else
			add_case(L, s);
	}
	return il_await_many(L, s->op, s->count, deadline, push_selected);
}
