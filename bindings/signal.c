/* SPDX-License-Identifier: MIT
 *
 * ipc.Signal: a signal that is handled, ignored, sent or waited for. How its arrivals reach a listener and the waiters
 * is in signal_queue.c; a handler, which has many listeners, in signal_handler.c, traps in signal_trap.c. Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "os/signal.h"
#include "sched/await.h"
#include "signal_queue.h"
#include "signal_info.h"
#include "quit.h"

#include <limits.h>
#include <string.h>

#define CLASS "ipc.Signal"

static const char class[] = CLASS;

static struct il_signal_queue *check(lua_State *L)
{
	return il_signal_queue_check(L, class);
}

static struct il_signal_queue *check_open(lua_State *L)
{
	struct il_signal_queue *s = check(L);
	if (s->closed)
		il_error(L, "signal is closed");
	return s;
}

static struct il_signal_queue *check_catchable(lua_State *L)
{
	struct il_signal_queue *s = check_open(L);
	const char *why = il_push_signal_refusal(L, s->number);
	if (why)
		il_error(L, "%s", why);
	return s;
}

static int signal_signal(lua_State *L)
{
	return il_signal_queue_new(L, class, il_check_signal(L, 1));
}

static int signal_handle(lua_State *L)
{
	struct il_signal_queue *s = check_catchable(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, 1);
	return il_signal_queue_result(L, s, il_signal_queue_listen(L, s));
}

static int dispose(lua_State *L, void (*how)(int))
{
	struct il_signal_queue *s = check_catchable(L);
	il_signal_queue_stop(L, s);
	il_quit_leave(s->number);
	int err = il_signal_dispose(s->number, how);
	s->disposed = s->disposed || !err;
	return il_signal_queue_result(L, s, err);
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
	struct il_signal_queue *s = check_open(L);
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
	struct il_signal_queue *s = op->source;
	il_signal_drain();
	struct il_signal_arrival *a = il_list_empty(&s->waiters) ? il_signal_queue_take(s) : NULL;
	if (!a)
		return false;
	op->data = a;
	op->owned = true;
	return true;
}

static int wait_start(struct il_op *op)
{
	il_list_add(&((struct il_signal_queue *)op->source)->waiters, &op->link);
	return 0;
}

static int wait_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_word(L, "closed");
	il_push_siginfo(L, &((struct il_signal_arrival *)op->data)->info);
	return 1;
}

static const struct il_await_type wait_type = { { "signal wait", wait_attempt, wait_start, il_op_leave }, wait_push };

static int signal_wait(lua_State *L)
{
	struct il_signal_queue *s = check_catchable(L);
	int err = il_signal_queue_collect(L, s); /* from now on: nothing is lost between two waits */
	if (err)
		return il_signal_queue_result(L, s, err);
	return il_await(L, &wait_type, s, 0, 2);
}

static int signal_close(lua_State *L)
{
	return il_signal_queue_close(L, check(L));
}

/* What ignore or default set stands without the object: ipc.signal("INT"):ignore() is for good. */
static int signal__gc(lua_State *L)
{
	struct il_signal_queue *s = check(L);
	s->disposed = false;
	return il_signal_queue_close(L, s);
}

static int signal__index(lua_State *L)
{
	struct il_signal_queue *s = check(L);
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

static int signal__tostring(lua_State *L)
{
	return il_signal_queue_tostring(L, class);
}

static const luaL_Reg methods[] = {
	{ "handle", signal_handle },
	{ "ignore", signal_ignore },
	{ "default", signal_default },
	{ "dispatch", signal_dispatch },
	{ "wait", signal_wait },
	{ "close", signal_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", signal__tostring },
	{ "__gc", signal__gc },
	{ "__close", signal_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = { { "wait", signal_wait }, { NULL, NULL } };

static bool is_open(const void *object)
{
	return !((const struct il_signal_queue *)object)->closed;
}

static const struct il_cases cases = { .usual = "wait", .methods = waits, .open = is_open };

void il_signal_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	il_fields(L, CLASS, signal__index);
	lua_pushcfunction(L, signal_signal);
	lua_setfield(L, -2, "signal");
}
