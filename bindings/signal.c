/* SPDX-License-Identifier: MIT
 *
 * ipc.Signal and ipc.SignalHandler: listeners and waiters of one signal. Both are the same struct; a handler has many
 * listeners, a signal has one. Each arrival is queued for the listeners, and for the waiters once there has been one.
 * Traps are in signal_trap.c.
 * Floor 4.
 */
#include "loop/signal.h"
#include "bind.h"
#include "sched/await.h"
#include "sched/interrupt.h"
#include "sched/task.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SIGNAL "ipc.Signal"
#define HANDLER "ipc.SignalHandler"

struct arrival {
	struct il_list node;
	struct il_siginfo info;
};

struct signal {
	struct il_sigwatch watch;
	struct il_event event;
	struct il_list calls;   /* arrivals for the listeners */
	struct il_list waits;   /* arrivals for wait */
	struct il_list waiters; /* operations */
	int number, anchor;
	bool listens, collects, disposed, closed;
};

void il_push_siginfo(lua_State *L, const struct il_siginfo *info)
{
	lua_createtable(L, 0, 5);
	lua_pushstring(L, il_signal_name(info->number));
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, info->number);
	lua_setfield(L, -2, "number");
	if (info->has_sender) {
		lua_pushinteger(L, info->pid);
		lua_setfield(L, -2, "pid");
		lua_pushinteger(L, info->uid);
		lua_setfield(L, -2, "uid");
	}
	if (info->has_value) {
		lua_pushinteger(L, info->value);
		lua_setfield(L, -2, "value");
	}
}

int il_check_catchable(lua_State *L, int number, int arg)
{
	if (number == SIGKILL || number == SIGSTOP)
		luaL_argerror(L, arg, lua_pushfstring(L, "SIG%s cannot be caught or ignored", il_signal_name(number)));
	if (number == IL_SIGNAL_TIMER || number == IL_SIGNAL_POOL)
		luaL_argerror(L, arg, lua_pushfstring(L, "SIG%s is the runtime's own", il_signal_name(number)));
	return number;
}

static struct arrival *first(struct il_list *queue)
{
	return il_container_of(queue->next, struct arrival, node);
}

static void clear(struct il_list *queue)
{
	while (!il_list_empty(queue)) {
		struct arrival *a = first(queue);
		il_list_del(&a->node);
		free(a);
	}
}

static void keep(struct il_list *queue, const struct il_siginfo *info)
{
	struct arrival *a = malloc(sizeof *a);
	if (!a) {
		il_signals_lost++;
		return;
	}
	a->info = *info;
	il_list_add(queue, &a->node);
}

/* The first waiter gets the first arrival. */
static void serve(struct signal *s)
{
	if (il_list_empty(&s->waits) || il_list_empty(&s->waiters))
		return;
	struct il_op *op = il_container_of(s->waiters.next, struct il_op, line);
	struct arrival *a = first(&s->waits);
	il_list_del(&a->node);
	op->data = a;
	op->owned = true;
	il_list_del(&op->line);
	il_op_finish(op, 0);
}

static void arrived(struct il_sigwatch *w, const struct il_siginfo *info)
{
	struct signal *s = il_container_of(w, struct signal, watch);
	if (s->listens) {
		keep(&s->calls, info);
		if (!il_list_empty(&s->calls))
			il_event_post(&s->event);
	}
	if (s->collects) {
		keep(&s->waits, info);
		serve(s);
	}
}

/* One delivery: the Lua half calls the listeners one after the other. */
static bool run(lua_State *L, struct il_event *e)
{
	struct signal *s = il_container_of(e, struct signal, event);
	luaL_checkstack(L, 10, NULL);
	il_push_lua_half(L, "ipc.signal", "deliver");
	il_push_anchored(L, s->anchor);
	lua_getiuservalue(L, -1, 1);
	lua_replace(L, -2);
	struct arrival *a = first(&s->calls);
	il_push_siginfo(L, &a->info);
	struct il_task *task = il_task_prepare(L, 2, NULL, NULL, false);
	il_list_del(&a->node);
	free(a);
	il_task_run(L, task, e);
	return !il_list_empty(&s->calls);
}

static struct signal *check(lua_State *L, const char *class)
{
	return luaL_checkudata(L, 1, class);
}

static struct signal *check_open(lua_State *L, const char *class)
{
	struct signal *s = check(L, class);
	if (s->closed)
		luaL_error(L, "%s is closed", strcmp(class, SIGNAL) == 0 ? "signal" : "signal handler");
	return s;
}

/* Watches if there is a reason to, and not otherwise. 0 or errno. */
static int update(lua_State *L, struct signal *s, int index)
{
	bool wanted = s->listens || s->collects, watched = !il_list_empty(&s->watch.node);
	int err = wanted && !watched ? il_signal_watch(&s->watch, s->number) : 0;
	if (!wanted)
		il_signal_unwatch(&s->watch);
	if (err)
		return err;
	if (s->listens && s->anchor == LUA_NOREF)
		s->anchor = il_anchor(L, index);
	if (!s->listens) {
		il_event_withdraw(&s->event);
		clear(&s->calls);
		il_unanchor(L, &s->anchor);
	}
	return 0;
}

static int result(lua_State *L, struct signal *s, int err)
{
	if (err)
		return il_fail(L, err, "SIG%s", il_signal_name(s->number));
	lua_pushboolean(L, 1);
	return 1;
}

static int new_signal(lua_State *L, const char *class)
{
	int number = il_check_signal(L, 1);
	if (strcmp(class, HANDLER) == 0)
		il_check_catchable(L, number, 1);
	struct signal *s = lua_newuserdatauv(L, sizeof *s, 1);
	*s = (struct signal){ .number = number, .anchor = LUA_NOREF, .watch.arrived = arrived };
	il_list_init(&s->watch.node);
	il_list_init(&s->calls);
	il_list_init(&s->waits);
	il_list_init(&s->waiters);
	il_event_init(&s->event, run);
	luaL_setmetatable(L, class);
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

static int signal_signal(lua_State *L)
{
	return new_signal(L, SIGNAL);
}

static int signal_handler(lua_State *L)
{
	return new_signal(L, HANDLER);
}

/* Listens with the list of listeners at the top of the stack, which it pops. */
static int listen_with(lua_State *L, struct signal *s)
{
	s->listens = lua_rawlen(L, -1) > 0;
	lua_setiuservalue(L, 1, 1);
	return update(L, s, 1);
}

static int signal_handle(lua_State *L)
{
	struct signal *s = check_open(L, SIGNAL);
	il_check_catchable(L, s->number, 1);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, 1);
	return result(L, s, listen_with(L, s));
}

static int dispose(lua_State *L, void (*how)(int))
{
	struct signal *s = check_open(L, SIGNAL);
	il_check_catchable(L, s->number, 1);
	s->listens = s->collects = false;
	clear(&s->waits);
	update(L, s, 1);
	int err = il_signal_dispose(s->number, how);
	s->disposed = s->disposed || !err;
	return result(L, s, err);
}

static int signal_ignore(lua_State *L)
{
	return dispose(L, SIG_IGN);
}

static int signal_default(lua_State *L)
{
	return dispose(L, SIG_DFL);
}

static int signal_dispatch(lua_State *L)
{
	struct signal *s = check_open(L, SIGNAL);
	lua_Integer pid = il_check_range(L, 2, INT_MIN, INT_MAX, "pid");
	luaL_argcheck(L, pid > 0 || pid < -1, 2, "pid must be a process (1 or more) or a group (-2 or less)");
	bool has_value = !lua_isnoneornil(L, 3);
	lua_Integer value = has_value ? il_check_range(L, 3, INT32_MIN, INT32_MAX, "value") : 0;
	luaL_argcheck(L, !has_value || pid > 0, 2, "a value can be sent to a process only, not to a group");
	int err = il_signal_send((pid_t)pid, s->number, has_value, (int32_t)value);
	if (err)
		return il_fail(L, err, "cannot send SIG%s to process %d", il_signal_name(s->number), (int)pid);
	lua_pushboolean(L, 1);
	return 1;
}

static bool wait_attempt(struct il_op *op)
{
	struct signal *s = op->source;
	il_signal_drain();
	if (il_list_empty(&s->waits) || !il_list_empty(&s->waiters))
		return false;
	op->data = first(&s->waits);
	op->owned = true;
	il_list_del(&first(&s->waits)->node);
	return true;
}

static int wait_start(struct il_op *op)
{
	il_list_add(&((struct signal *)op->source)->waiters, &op->line);
	return 0;
}

static bool wait_cancel(struct il_op *op)
{
	il_list_del(&op->line);
	return false;
}

static int wait_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_word(L, "closed");
	il_push_siginfo(L, &((struct arrival *)op->data)->info);
	return 1;
}

static const struct il_await_type wait_type = { { "signal wait", wait_attempt, wait_start, wait_cancel }, wait_push };

static int signal_wait(lua_State *L)
{
	struct signal *s = check_open(L, SIGNAL);
	il_check_catchable(L, s->number, 1);
	s->collects = true; /* from now on: nothing is lost between two waits */
	int err = update(L, s, 1);
	if (err)
		return result(L, s, err);
	return il_await(L, &wait_type, s, 0, 2);
}

static int close_signal(lua_State *L, struct signal *s)
{
	s->closed = true;
	s->listens = s->collects = false;
	update(L, s, 1);
	clear(&s->waits);
	il_op_finish_all(&s->waiters, ECANCELED);
	if (s->disposed)
		il_signal_dispose(s->number, SIG_ERR);
	s->disposed = false;
	return 0;
}

static int signal_close(lua_State *L)
{
	return close_signal(L, check(L, SIGNAL));
}

/* What ignore or default set stands without the object: ipc.signal("INT"):ignore() is for good. */
static int signal__gc(lua_State *L)
{
	struct signal *s = check(L, SIGNAL);
	s->disposed = false;
	return close_signal(L, s);
}

static int handler_close(lua_State *L)
{
	return close_signal(L, check(L, HANDLER));
}

/* The list is never changed while a delivery may walk it: it is replaced. */
static lua_Integer copy_listeners(lua_State *L, int skip)
{
	lua_Integer n = 0, count;
	lua_getiuservalue(L, 1, 1);
	count = (lua_Integer)lua_rawlen(L, -1);
	lua_createtable(L, (int)count + 1, 0);
	for (lua_Integer i = 1; i <= count; i++)
		if (i != skip) {
			lua_rawgeti(L, -2, i);
			lua_rawseti(L, -2, ++n);
		}
	lua_replace(L, -2);
	return n;
}

static int handler_add(lua_State *L)
{
	struct signal *s = check_open(L, HANDLER);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_Integer n = copy_listeners(L, 0);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, n + 1);
	return result(L, s, listen_with(L, s));
}

static int handler_remove(lua_State *L)
{
	struct signal *s = check_open(L, HANDLER);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_getiuservalue(L, 1, 1);
	int i = (int)lua_rawlen(L, -1);
	for (; i > 0; i--) {
		bool found = lua_rawgeti(L, -1, i) && lua_rawequal(L, -1, 2);
		lua_pop(L, 1);
		if (found)
			break;
	}
	if (i) {
		copy_listeners(L, i);
		listen_with(L, s);
	}
	lua_pushboolean(L, i > 0);
	return 1;
}

static int signal__index(lua_State *L)
{
	struct signal *s = check(L, SIGNAL);
	const char *key = lua_tostring(L, 2);
	if (key && strcmp(key, "name") == 0) {
		lua_pushstring(L, il_signal_name(s->number));
	} else if (key && strcmp(key, "number") == 0) {
		lua_pushinteger(L, s->number);
	} else {
		lua_settop(L, 2);
		lua_rawget(L, lua_upvalueindex(1));
	}
	return 1;
}

static int tostring(lua_State *L, const char *class)
{
	struct signal *s = check(L, class);
	lua_pushfstring(L, "%s (SIG%s%s)", class, il_signal_name(s->number), s->closed ? ", closed" :
			s->listens ? ", handled" : "");
	return 1;
}

static int signal__tostring(lua_State *L)
{
	return tostring(L, SIGNAL);
}

static int handler__tostring(lua_State *L)
{
	return tostring(L, HANDLER);
}

static const luaL_Reg signal_methods[] = {
	{ "handle", signal_handle },     { "ignore", signal_ignore }, { "default", signal_default },
	{ "dispatch", signal_dispatch }, { "wait", signal_wait },     { "close", signal_close },
	{ NULL, NULL },
};

static const luaL_Reg signal_meta[] = {
	{ "__tostring", signal__tostring }, { "__gc", signal__gc }, { "__close", signal_close }, { NULL, NULL },
};

static const luaL_Reg handler_methods[] = {
	{ "add", handler_add }, { "remove", handler_remove }, { "close", handler_close }, { NULL, NULL },
};

static const luaL_Reg handler_meta[] = {
	{ "__tostring", handler__tostring }, { "__gc", handler_close }, { "__close", handler_close }, { NULL, NULL },
};

static const luaL_Reg functions[] = {
	{ "signal", signal_signal }, { "signal_handler", signal_handler }, { NULL, NULL },
};

void il_signal_open(lua_State *L)
{
	il_class(L, SIGNAL, signal_methods, signal_meta, "wait");
	il_class(L, HANDLER, handler_methods, handler_meta, NULL);
	il_fields(L, SIGNAL, signal__index);
	luaL_setfuncs(L, functions, 0);
}
