/* SPDX-License-Identifier: MIT
 *
 * ipc.Task and the functions of time: task, sleep, yield, now, select, run, step, stats.
 * Floor 4.
 */
#include "sched/suspend.h"
#include "sched/task.h"
#include "base/clock.h"
#include "bind.h"
#include "classes.h"
#include "loop/epoll.h"
#include "loop/loop.h"
#include "option.h"
#include "sched/await.h"
#include "sched/cancel.h"
#include "sched/host.h"
#include "sched/run_queue.h"
#include "sched/select.h"
#include "sched/state.h"
#include "sched/park.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const char *const status_names[] = { "ready", "running", "waiting", "done", "failed", "cancelled" };

static struct il_task *check_task(lua_State *L)
{
	return il_task_here(il_self(L, il_task_class));
}

static const char *status_name(const struct il_task *t)
{
	return status_names[t->status];
}

/* Raises if the table at 1 has more than a list of n and a name. */
static void check_fields(lua_State *L, lua_Integer n)
{
	static const char *const names[] = { "name", NULL };
	for (lua_pushnil(L); lua_next(L, 1);) {
		lua_pop(L, 1);
		if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > n)
			il_check_option_name(L, 1, names);
	}
}

/* {name = , fn, ...} at 1: becomes the name, the function and its arguments. Returns the index of the name, 0: none. */
static int spread(lua_State *L)
{
	lua_Integer n = luaL_len(L, 1);
	check_fields(L, n);
	lua_settop(L, 1);
	int type = lua_getfield(L, 1, "name");
	if (type == LUA_TNIL)
		lua_pop(L, 1);
	else if (type != LUA_TSTRING || strlen(lua_tostring(L, 2)) != lua_rawlen(L, 2))
		luaL_argerror(L, 1, "name must be a string without a zero byte");
	if (n > INT_MAX / 2 || !lua_checkstack(L, (int)n + LUA_MINSTACK))
		return luaL_argerror(L, 1, "too many arguments");
	for (lua_Integer i = 1; i <= n; i++)
		lua_geti(L, 1, i);
	if (n < 1 || !lua_isfunction(L, -(int)n))
		return luaL_argerror(L, 1, "a function must be the first in the table");
	lua_remove(L, 1);
	return type != LUA_TNIL;
}

static int new_task(lua_State *L)
{
	int name = lua_istable(L, 1) ? spread(L) : 0;
	luaL_checktype(L, name + 1, LUA_TFUNCTION);
	il_run_queue_add(il_task_new(L, lua_gettop(L) - name - 1, name));
	return 1;
}

static bool join_attempt(struct il_op *op)
{
	return ((struct il_task *)op->source)->status >= IL_FINISHED;
}

static int join_start(struct il_op *op)
{
	il_list_add(&((struct il_task *)op->source)->joiners, &op->link);
	return 0;
}

/* The task's results are copied, since it may be joined more than once. */
static int join_push(lua_State *L, struct il_op *op)
{
	struct il_task *t = op->source;
	int n = t->status == IL_FAILED ? 1 : t->results;
	lua_pushboolean(L, t->status == IL_FINISHED);
	if (t->status == IL_GONE) {
		il_cancel_push(L);
		return 2;
	}
	if (!n)
		return 1;
	if (lua_gettop(t->co) < n)
		return luaL_error(L, "the task's coroutine was closed, and its results are gone");
	luaL_checkstack(L, n, "too many results");
	if (!lua_checkstack(t->co, n))
		return il_error(L, "too many results to copy");
	for (int i = 1; i <= n; i++)
		lua_pushvalue(t->co, i);
	lua_xmove(t->co, L, n);
	return n + 1;
}

static const struct il_await_type join_type = { { "task join", join_attempt, join_start, il_op_leave }, join_push };

static int task_join(lua_State *L)
{
	struct il_task *t = check_task(L);
	if (t == il_sched()->current)
		return il_error(L, "a task cannot join itself");
	return il_await(L, &join_type, t, 0, 2);
}

/* join that no cancellation ends, after it has cancelled the other: for scopes. Returns at once where nothing can wait,
 * as in coroutine.close(). */
static int task_outlast(lua_State *L)
{
	struct il_task *t = check_task(L);
	return il_may_wait(L) ? il_await_uncancellable(L, &join_type, t, 0, IL_NEVER) : 0;
}

static int task_cancel(lua_State *L)
{
	il_task_cancel(check_task(L));
	return 0;
}

static int closed_push(lua_State *L, struct il_op *op)
{
	(void)L;
	(void)op;
	return 0;
}

static const struct il_await_type close_type = { { "task close", join_attempt, join_start, il_op_leave }, closed_push };

/* Cancels and waits for the end, where something can wait. */
static int task_close(lua_State *L)
{
	struct il_task *t = check_task(L);
	il_task_cancel(t);
	if (t == il_sched()->current || !il_may_wait(L))
		return 0;
	return il_await_uncancellable(L, &close_type, t, 0, IL_NEVER);
}

static int task_status(lua_State *L)
{
	lua_pushstring(L, status_name(check_task(L)));
	return 1;
}

static int task_detach(lua_State *L)
{
	struct il_task *t = check_task(L);
	if (!t->detached && t->status < IL_FINISHED)
		il_sched_release();
	t->detached = true;
	lua_settop(L, 1);
	return 1;
}

/* Whether the running task has been asked to end. */
static int is_asked(lua_State *L)
{
	lua_pushboolean(L, il_sched()->current && il_sched()->current->cancelled);
	return 1;
}

/* A scope looks after the task's error. */
static int task_hold(lua_State *L)
{
	check_task(L)->held = true;
	lua_settop(L, 1);
	return 1;
}

/* A message about a callback that failed; the host's exit status will be 1. */
static int report(lua_State *L)
{
	il_sched()->failed = true;
	lua_writestringerror("ipc: %s\n", luaL_checkstring(L, 1));
	return 0;
}

static int task_traceback(lua_State *L)
{
	il_task_traceback(L, check_task(L));
	return 1;
}

static int task__tostring(lua_State *L)
{
	struct il_task *t = check_task(L);
	if (t->named)
		lua_pushfstring(L, "ipc.Task %I '%s' (%s)", (LUAI_UACINT)t->id, t->name, status_name(t));
	else
		lua_pushfstring(L, "ipc.Task %I (%s)", (LUAI_UACINT)t->id, status_name(t));
	return 1;
}

static int now(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)il_now() / 1e9);
	return 1;
}

static int sleep_for(lua_State *L)
{
	luaL_checknumber(L, 1);
	int64_t deadline = il_check_deadline(L, 1);
	return deadline ? il_await_deadline(L, deadline) : il_await_turn(L);
}

static int fileno_of_loop(lua_State *L)
{
	bool collected = false;
	int fd;
	do
		fd = il_epoll_fileno();
	while (fd < 0 && il_collect(L, errno, &collected));
	if (fd < 0)
		return il_fail(L, errno, "the event loop");
	il_loop_nested(!il_run_queue_empty() ? 1 : il_loop_next());
	lua_pushinteger(L, fd);
	return 1;
}

static int current(lua_State *L)
{
	if (!il_sched()->current || !il_task_push(L, il_sched()->current))
		lua_pushnil(L);
	return 1;
}

struct listing {
	int table;
	lua_Integer n;
};

static void list_task(lua_State *L, struct il_task *t, void *arg)
{
	struct listing *l = arg;
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, t->id);
	lua_setfield(L, -2, "id");
	if (t->named) {
		lua_pushstring(L, t->name);
		lua_setfield(L, -2, "name");
	}
	lua_pushstring(L, status_name(t));
	lua_setfield(L, -2, "status");
	if (t->status == IL_WAITS && t->wait.state == IL_WAITING) {
		lua_pushstring(L, !t->wait.count ? "sleep" : t->wait.count > 1 ? "select" : t->op.type->name);
		lua_setfield(L, -2, "waiting_on");
	}
	il_task_where(L, t);
	lua_setfield(L, -2, "where");
	lua_rawseti(L, l->table, ++l->n);
}

static int by_id(lua_State *L)
{
	lua_getfield(L, 1, "id");
	lua_getfield(L, 2, "id");
	lua_pushboolean(L, lua_compare(L, -2, -1, LUA_OPLT));
	return 1;
}

static int tasks(lua_State *L)
{
	lua_newtable(L);
	struct listing l = { .table = lua_gettop(L) };
	il_task_each(L, list_task, &l);
	lua_getglobal(L, "table");
	if (lua_istable(L, -1) && lua_getfield(L, -1, "sort") == LUA_TFUNCTION) {
		lua_pushvalue(L, l.table);
		lua_pushcfunction(L, by_id);
		lua_call(L, 2, 0);
	}
	lua_settop(L, l.table);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "join", task_join },
	{ "cancel", task_cancel },
	{ "status", task_status },
	{ "detach", task_detach },
	{ "close", task_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = { { "__tostring", task__tostring }, { "__close", task_close }, { NULL, NULL } };

static const luaL_Reg functions[] = {
	{ "task", new_task },
	{ "now", now },
	{ "sleep", sleep_for },
	{ "yield", il_await_turn },
	{ "select", il_select },
	{ "run", il_host_run },
	{ "step", il_host_step },
	{ "fileno", fileno_of_loop },
	{ "current", current },
	{ "tasks", tasks },
	{ "shield", il_cancel_shield },
	{ NULL, NULL },
};

static const luaL_Reg internals[] = {
	{ "outlast", task_outlast },
	{ "hold", task_hold },
	{ "is_asked", is_asked },
	{ "report", report },
	{ "traceback", task_traceback },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = { { "join", task_join }, { NULL, NULL } };

static void describe(const void *task, struct il_described *d)
{
	*d = (struct il_described){ .key = "", .other = ((const struct il_task *)task)->id };
}

static const struct il_cases cases = { .usual = "join", .methods = waits, .describe = describe };

void il_task_open(lua_State *L)
{
	il_class(L, il_task_class, methods, meta, &cases);
	luaL_setfuncs(L, functions, 0);
	il_cancel_open(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	luaL_setfuncs(L, internals, 0);
	lua_pop(L, 1);
}
