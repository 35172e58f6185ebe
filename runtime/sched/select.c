/* SPDX-License-Identifier: MIT
 *
 * ipc.select, see select.h. The user's code runs while the cases are collected: codecs, finalisers, signal listeners.
 * So the table of cases is read once, before; nothing is taken from it later. A handle that was closed meanwhile is
 * found out at the end, and from then on no foreign code runs until all operations stand in their queues.
 * On the stack while it waits: 1 the cases, 2 the timeout, 3 the list of keys and cases, key before case, and behind
 * them what the operations need kept alive, 4 the memory of the operations.
 * Floor 3.
 */
#include "sched/select.h"
#include "sched/await.h"
#include "sched/state.h"
#include "sched/task.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { CASES = 1, TIMEOUT, LIST, SELECTION };

struct chosen {
	const void *object;
	const struct il_cases *class;
	const char *method;
};

struct selection {
	struct il_collector collector;
	struct chosen *chosen;
	lua_Integer kept; /* length of LIST */
	uint32_t count; /* operations that have been made */
	bool owns; /* one of them owns something: not to be left to the collector */
	struct il_op op[];
};

static char classes; /* registry key, its address: metatable → struct il_cases */

void il_select_class(lua_State *L, const struct il_cases *cases)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &classes) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &classes);
	}
	lua_pushvalue(L, -2);
	lua_pushlightuserdata(L, (void *)cases);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

static const struct il_cases *class_of(lua_State *L, int object)
{
	if (!lua_getmetatable(L, object))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &classes);
	lua_insert(L, -2);
	lua_rawget(L, -2);
	const struct il_cases *class = lua_touserdata(L, -1);
	lua_pop(L, 2);
	return class;
}

/* Operations may own payloads, such as a descriptor that was to be sent. */
static int selection__close(lua_State *L)
{
	struct selection *s = lua_touserdata(L, 1);
	for (uint32_t i = 0; i < s->count; i++)
		il_op_clear(&s->op[i]);
	return 0;
}

/* The table of cases ------------------------------------------------------------------------------------- */

/* The key is at the top, the case below it. */
static void list(lua_State *L, lua_Integer *n)
{
	lua_rawseti(L, LIST, ++*n);
	lua_rawseti(L, LIST, ++*n);
}

/* Into LIST: first the list, in order, then what has other keys. Returns how many they are. */
static uint32_t read_cases(lua_State *L)
{
	lua_Integer n = 0, listed = (lua_Integer)lua_rawlen(L, CASES);
	lua_createtable(L, listed < INT_MAX / 4 ? (int)listed * 4 : 0, 0);
	for (lua_Integer i = 1; i <= listed; i++) {
		if (lua_rawgeti(L, CASES, i) != LUA_TNIL) {
			lua_pushinteger(L, i);
			list(L, &n);
		}
		lua_settop(L, LIST);
	}
	for (lua_pushnil(L); lua_next(L, CASES);) {
		if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= listed) {
			lua_pop(L, 1);
		} else {
			lua_pushvalue(L, -2);
			list(L, &n);
		}
	}
	return (uint32_t)(n / 2);
}

static struct selection *push_selection(lua_State *L, uint32_t n)
{
	size_t ops = sizeof(struct selection) + n * sizeof(struct il_op), size = ops + n * sizeof(struct chosen);
	struct selection *s = lua_newuserdatauv(L, size, 0);
	memset(s, 0, size);
	s->chosen = (struct chosen *)((char *)s + ops);
	s->kept = 2 * (lua_Integer)n;
	if (luaL_newmetatable(L, "ipc.select")) {
		lua_pushcfunction(L, selection__close);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, selection__close);
		lua_setfield(L, -2, "__close");
	}
	lua_setmetatable(L, -2);
	return s;
}

/* One case ----------------------------------------------------------------------------------------------- */

/* Pushes something. */
static const char *name_of_key(lua_State *L, int at)
{
	int type = lua_type(L, at);
	lua_pushvalue(L, at);
	if (type == LUA_TSTRING)
		return lua_pushfstring(L, "'%s'", lua_tostring(L, -1));
	return type == LUA_TNUMBER ? lua_tostring(L, -1) : lua_typename(L, type);
}

static const char *kind_of(lua_State *L, int at)
{
	return luaL_getmetafield(L, at, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, at);
}

static int no_case(lua_State *L, int at)
{
	return luaL_error(L, "must be an object that waits or {object, \"method\", ...}, got %s", kind_of(L, at));
}

static const luaL_Reg *check_method(lua_State *L, const struct il_cases *class, int object, const char *name)
{
	for (const luaL_Reg *m = class ? class->methods : NULL; m && m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	luaL_error(L, "the method '%s' of %s cannot be a case: make it a task", name, kind_of(L, object));
	return NULL;
}

/* What stands elsewhere than in the list would be overlooked. */
static void check_fields(lua_State *L, int at, lua_Integer n)
{
	lua_pushinteger(L, n);
	if (!lua_next(L, at)) /* of a table that was written as a list the last is the last */
		return;
	lua_pop(L, 2);
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
		if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || lua_tointeger(L, -2) > n)
			luaL_error(L, "a case has no field %s", name_of_key(L, -2));
}

/* Of the case {object, "method", ...} at the top, pushes the function, the object and the arguments. */
static const luaL_Reg *push_listed(lua_State *L, int at, struct chosen *c)
{
	if (lua_type(L, at) != LUA_TTABLE || lua_rawgeti(L, at, 1) == LUA_TNIL)
		no_case(L, at);
	c->class = class_of(L, -1);
	int n = (int)lua_rawlen(L, at), named = lua_rawgeti(L, at, 2) == LUA_TSTRING;
	check_fields(L, at, n);
	if (!named && (n > 1 || !c->class || !c->class->usual))
		no_case(L, at);
	const luaL_Reg *method = check_method(L, c->class, at + 1, named ? lua_tostring(L, -1) : c->class->usual);
	lua_pushcfunction(L, method->func);
	lua_replace(L, -2);
	lua_insert(L, -2);
	luaL_checkstack(L, n, "too many arguments");
	for (int i = 3; i <= n; i++)
		lua_rawgeti(L, at, i);
	return method;
}

/* The same for any case at the top. */
static const luaL_Reg *push_call(lua_State *L, int at, struct chosen *c)
{
	c->class = class_of(L, at);
	if (!c->class)
		return push_listed(L, at, c);
	if (!c->class->usual)
		no_case(L, at);
	const luaL_Reg *method = check_method(L, c->class, at, c->class->usual);
	lua_pushcfunction(L, method->func);
	lua_pushvalue(L, at);
	return method;
}

/* A call that was over without a wait: what is too large to send is an outcome, too. Its results are kept in reverse.
 */
static bool done_attempt(struct il_op *op)
{
	(void)op;
	return true;
}

static int done_push(lua_State *L, struct il_op *op)
{
	int n = (int)op->size;
	luaL_checkstack(L, n, "too many results");
	for (int i = n - 1; i >= 0; i--)
		lua_rawgeti(L, LIST, op->arg + i);
	return n;
}

static const struct il_await_type done_type = { { "select", done_attempt, NULL, NULL }, done_push };

/* Learns the operation of the case at the top. What its method leaves on the stack is kept for it. */
static void collect(lua_State *L, struct selection *s)
{
	int at = lua_gettop(L);
	struct chosen *c = &s->chosen[s->count];
	s->collector.op = &s->op[s->count];
	s->collector.taken = false;
	c->method = push_call(L, at, c)->name;
	c->object = lua_touserdata(L, at + 2);
	lua_call(L, lua_gettop(L) - at - 1, LUA_MULTRET);
	if (!s->collector.taken) {
		il_op_init(s->collector.op, &done_type.op, NULL, s->kept + 1);
		s->collector.op->push = done_type.push;
		s->collector.op->size = (size_t)(lua_gettop(L) - at);
	}
	s->count++;
	s->owns |= s->collector.op->owned;
	while (lua_gettop(L) > at)
		lua_rawseti(L, LIST, ++s->kept);
}

/* All of them -------------------------------------------------------------------------------------------- */

/* The selection, how many cases, LIST. It calls each method itself, by which il_is_collected knows these calls. */
static int collect_all(lua_State *L)
{
	struct selection *s = lua_touserdata(L, 1);
	lua_Integer n = lua_tointeger(L, 2);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, LIST, 2 * i);
		collect(L, s);
		lua_settop(L, LIST);
	}
	return 0;
}

static const char *name_of(lua_State *L, uint32_t i)
{
	lua_rawgeti(L, LIST, 2 * (lua_Integer)i + 1);
	return name_of_key(L, -1);
}

/* The case that could not be collected is the first that has no operation; what is wrong with it is at the top. */
static int complain(lua_State *L, const struct selection *s)
{
	int arg, rest = 0;
	if (lua_type(L, -1) != LUA_TSTRING)
		return lua_error(L);
	const char *text = lua_tostring(L, -1), *method = s->chosen[s->count].method;
	if (method && sscanf(text, "bad argument #%d to '?' %n", &arg, &rest) == 1 && rest)
		text = lua_pushfstring(L, "bad argument #%d to '%s' %s", arg - 1, method, text + rest);
	return luaL_error(L, "select: case %s: %s", name_of(L, s->count), text);
}

/* From here on nothing of the user's runs. */
static void check_open(lua_State *L, const struct selection *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct chosen *c = &s->chosen[i];
		if (c->class->open && !c->class->open(c->object))
			luaL_error(L, "select: case %s: it was closed meanwhile", name_of(L, i));
	}
}

static int push_selected(lua_State *L, struct il_op *op)
{
	struct selection *s = lua_touserdata(L, SELECTION);
	lua_settop(L, SELECTION);
	lua_rawgeti(L, LIST, 2 * (lua_Integer)(op - s->op) + 1);
	return 1 + op->push(L, op);
}

const void *il_select_case(const void *selection, uint32_t i, const struct il_cases **class)
{
	const struct chosen *c = &((const struct selection *)selection)->chosen[i];
	*class = c->class;
	return c->object;
}

int il_select(lua_State *L)
{
	luaL_checktype(L, CASES, LUA_TTABLE);
	int64_t deadline = il_check_deadline(L, TIMEOUT);
	lua_settop(L, TIMEOUT);
	uint32_t n = read_cases(L);
	if (!n)
		return luaL_error(L, "select: there is no case");
	struct selection *s = push_selection(L, n);
	struct il_collector *outer = il_sched()->collector;
	s->collector.L = L;
	s->collector.by = collect_all;
	il_sched()->collector = &s->collector;
	lua_pushcfunction(L, collect_all);
	lua_pushvalue(L, SELECTION);
	lua_pushinteger(L, n);
	lua_pushvalue(L, LIST);
	int status = lua_pcall(L, 3, 0, 0);
	il_sched()->collector = outer;
	if (s->owns)
		lua_toclose(L, SELECTION);
	if (status != LUA_OK)
		return status == LUA_ERRMEM ? lua_error(L) : complain(L, s);
	check_open(L, s);
	return il_await_many(L, s->op, s->count, SELECTION, deadline, push_selected);
}
