/* SPDX-License-Identifier: MIT
 *
 * ipc.SignalTrap: remembers the first of some signals, as the flag that ends a main loop.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "signal_info.h"
#include "base/fork.h"
#include "os/signal.h"
#include "sched/await.h"
#include "quit.h"

#include <errno.h>

#define CLASS "ipc.SignalTrap"

static const char class[] = CLASS;

struct trap {
	struct il_object object;
	struct il_siginfo info;
	struct il_list waiters;
	bool trapped, closed;
	uint32_t forks; /* il_fork.beginnings of the process whose it is */
	int count;
	struct watch {
		struct il_sigwatch w;
		struct trap *trap;
	} watches[];
};

static void arrived(struct il_sigwatch *w, const struct il_siginfo *info)
{
	struct trap *t = il_container_of(w, struct watch, w)->trap;
	if (!t->trapped) {
		t->info = *info;
		t->trapped = true;
	}
	il_op_finish_all(&t->waiters, 0);
}

static struct trap *check_trap(lua_State *L)
{
	return il_self(L, class);
}

static struct trap *check_open(lua_State *L)
{
	struct trap *t = check_trap(L);
	if (t->forks != il_fork.beginnings)
		il_error(L, "signal trap is another process's: make one in this process, too");
	if (t->closed)
		il_error(L, "signal trap is closed");
	return t;
}

static void unwatch(struct trap *t)
{
	for (int i = 0; i < t->count && t->forks == il_fork.beginnings; i++)
		il_signal_unwatch(&t->watches[i].w);
	t->count = 0;
}

static int signal_trap(lua_State *L)
{
	int n = lua_gettop(L);
	int i = 1;
	do /* without any, the first is missing */
		il_check_catchable(L, il_check_signal(L, i), i);
	while (++i <= n);
	struct trap *t = lua_newuserdatauv(L, sizeof *t + (size_t)n * sizeof t->watches[0], 0);
	t->object.class = class;
	t->trapped = t->closed = false;
	t->forks = il_fork.beginnings;
	t->count = 0;
	il_list_init(&t->waiters);
	luaL_setmetatable(L, CLASS);
	for (i = 0; i < n; i++) {
		struct watch *w = &t->watches[i];
		int number = il_check_signal(L, i + 1);
		w->trap = t;
		w->w.arrived = arrived;
		il_list_init(&w->w.node);
		il_quit_leave(number);
		int err = il_signal_watch(&w->w, number);
		if (err) {
			unwatch(t);
			return il_fail(L, err, "cannot trap SIG%s", il_signal_name(number));
		}
		t->count++;
	}
	return 1;
}

static int trap_trapped(lua_State *L)
{
	struct trap *t = check_open(L);
	il_signal_drain();
	if (t->trapped)
		il_push_siginfo(L, &t->info);
	else
		lua_pushboolean(L, 0);
	return 1;
}

static bool wait_attempt(struct il_op *op)
{
	il_signal_drain();
	return ((struct trap *)op->source)->trapped;
}

static int wait_start(struct il_op *op)
{
	il_list_add(&((struct trap *)op->source)->waiters, &op->link);
	return 0;
}

static int wait_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_word(L, "closed");
	il_push_siginfo(L, &((struct trap *)op->source)->info);
	return 1;
}

static const struct il_await_type wait_type = { { "trap wait", wait_attempt, wait_start, il_op_leave }, wait_push };

static int trap_wait(lua_State *L)
{
	return il_await(L, &wait_type, check_open(L), 0, 2);
}

static int trap_reset(lua_State *L)
{
	struct trap *t = check_open(L);
	il_signal_drain(); /* what came before belongs to before */
	t->trapped = false;
	lua_settop(L, 1);
	return 1;
}

static int trap_close(lua_State *L)
{
	struct trap *t = check_trap(L);
	t->closed = true;
	unwatch(t);
	il_op_finish_all(&t->waiters, ECANCELED);
	return 0;
}

static int trap__tostring(lua_State *L)
{
	struct trap *t = check_trap(L);
	if (t->trapped)
		lua_pushfstring(L, CLASS " (trapped SIG%s)", il_signal_name(t->info.number));
	else
		lua_pushfstring(L, CLASS " (%s)", t->closed ? "closed" : "waiting");
	return 1;
}

static const luaL_Reg methods[] = {
	{ "trapped", trap_trapped },
	{ "wait", trap_wait },
	{ "reset", trap_reset },
	{ "close", trap_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", trap__tostring },
	{ "__gc", trap_close },
	{ "__close", trap_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = { { "wait", trap_wait }, { NULL, NULL } };

static bool is_open(const void *object)
{
	return !((const struct trap *)object)->closed;
}

static const struct il_cases cases = { .usual = "wait", .methods = waits, .open = is_open };

void il_signal_trap_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	lua_pushcfunction(L, signal_trap);
	lua_setfield(L, -2, "signal_trap");
}
