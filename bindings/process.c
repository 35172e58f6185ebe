/* SPDX-License-Identifier: MIT
 *
 * ipc.Process: a child. Here those that are forked to run a Lua function, with a channel to it, and what can be done
 * with any; program.c has those that run another program.
 * Floor 4.
 */
#include "process.h"
#include "base/fork.h"
#include "base/clock.h"
#include "bind.h"
#include "classes.h"
#include "script.h"
#include "program.h"
#include "engines/engine.h"
#include "engines/registry.h"
#include "sched/interrupt.h"
#include "sched/shutdown.h"
#include "sched/state.h"
#include "stream/hub.h"
#include "os/signal.h"
#include "sched/await.h"
#include "sched/error.h"
#include "sched/host.h"
#include "sched/suspend.h"
#include "sched/task.h"
#include "stream/stream.h"
#include "stream/stream_end.h"
#include "sched/park.h"
#include "quit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLASS "ipc.Process"

/* After close() has sent TERM. */
static const int64_t GRACE = 5 * IL_SECOND;

static const char *const names[IL_CHILD_CHANNELS] = { "stdin", "stdout", "stderr", "channel" };

static const char class[] = CLASS;

static struct il_child *check_process(lua_State *L)
{
	return il_self(L, class);
}

static struct il_child *check_own(lua_State *L)
{
	struct il_child *c = check_process(L);
	if (c->inherited)
		il_error(L, "process %d is a child of another process", (int)c->p.pid);
	return c;
}

static void ended(struct il_process *p)
{
	il_unref(il_sched()->main, &il_container_of(p, struct il_child, p)->ref);
}

static void inherit(struct il_process *p)
{
	struct il_child *c = il_container_of(p, struct il_child, p);
	c->inherited = true;
	for (int i = 0; i < IL_CHILD_CHANNELS; i++)
		if (c->channels[i])
			il_channel_abandon(c->channels[i]);
}

struct il_child *il_child_push(lua_State *L)
{
	il_push_script(L, "ipc.process", "close"); /* loads it: to close must not fail for want of memory */
	lua_pop(L, 1);
	struct il_child *c = lua_newuserdatauv(L, sizeof *c, IL_CHILD_CHANNELS);
	*c = (struct il_child){ .object.class = class, .ref = LUA_NOREF };
	il_process_init(&c->p);
	c->p.on_end = ended;
	luaL_setmetatable(L, CLASS);
	return c;
}

struct il_channel *il_child_channel(lua_State *L, struct il_child *c, int which, int options)
{
	c->channels[which] = il_channel_push(L, options);
	lua_setiuservalue(L, -2, which + 1);
	return c->channels[which];
}

static int message_handler(lua_State *L)
{
	il_error_show(L, 1, 1);
	return 1;
}

static int run_child(lua_State *L)
{
	lua_call(L, lua_gettop(L) - 1, 0);
	return il_host_run(L);
}

/* The child's whole life: the function, then its tasks, then the end, without going back into the parent's frames.
 * Stack: function, channel, arguments. */
static _Noreturn void live(lua_State *L)
{
	il_quit_open();
	lua_pushcfunction(L, message_handler);
	lua_insert(L, 1);
	lua_pushcfunction(L, run_child);
	lua_insert(L, 2);
	int status = lua_pcall(L, lua_gettop(L) - 2, 0, 1);
	if (status != LUA_OK)
		lua_writestringerror("ipc: process %s\n", lua_tostring(L, -1));
	il_shutdown(L);
	il_engines_fini(); /* what was asked of others last is still to be said */
	il_board_close();
	bool failed = fflush(NULL) != 0;
	_exit(status != LUA_OK || il_host_failed() || failed ? 1 : 0);
}

/* In both processes there are both ends of their channel then. */
static int start(struct il_process *p, const struct il_stream_options *o, struct il_stream *pair[2], bool *child)
{
	int err = il_stream_pair(pair, o);
	if (!err && (err = il_process_fork(p, child))) {
		il_stream_abandon(pair[0]);
		il_stream_abandon(pair[1]);
	}
	return err;
}

/* Of an interrupt that came while the child was made: on its way to the variable that it is for, the handle would be
 * lost, and the child would run on. */
static void end_at_once(lua_State *L, struct il_child *c)
{
	il_process_signal(&c->p, SIGKILL);
	il_process_wait_blocking(&c->p, IL_NEVER);
	il_interrupt_check(L);
}

int il_child_started(lua_State *L, struct il_child *c)
{
	if (il_interrupt_due())
		end_at_once(L, c);
	return 1;
}

/* Stack: function, arguments. */
static int fork_function(lua_State *L)
{
	struct il_stream *pair[2];
	bool child, collected = false;
	int err;
	lua_pushnil(L);
	int none = lua_gettop(L);
	struct il_child *c = il_child_push(L);
	struct il_channel *outer = il_child_channel(L, c, IL_CHILD_CHANNEL, none);
	struct il_channel *inner = il_channel_push(L, none); /* the child's end */
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	il_tasks_prepare_fork(L);
	c->ref = il_ref(L, none + 1);
	do {
		err = il_codec_prepare(L, inner->codec);
		if (!err)
			err = start(&c->p, &inner->options, pair, &child);
	} while (il_collect(L, err == EAGAIN ? ENOMEM : err, &collected)); /* the places of processes are short, too */
	if (err) {
		il_unref(L, &c->ref);
		return il_fail(L, err,
			err == EAGAIN ? "cannot start a process, of which ulimit -u allows no more"
				      : "cannot start a process");
	}
	(child ? inner : outer)->stream = pair[child];
	if (!child) {
		il_stream_abandon(pair[1]);
		lua_settop(L, none + 1);
		return il_child_started(L, c);
	}
	il_sched()->running = L;
	il_fork_begin_anew();
	il_stream_abandon(pair[0]);
	c->inherited = true;
	il_process_unblock();
	lua_insert(L, 2);
	lua_settop(L, none); /* function, channel, arguments: nil, process and channel have gone */
	live(L);
}

static int process(lua_State *L)
{
	if (lua_istable(L, 1))
		return il_program(L);
	if (!lua_isfunction(L, 1))
		luaL_typeerror(L, 1, "function or table");
	return fork_function(L);
}

static int wait_push(lua_State *L, struct il_op *op)
{
	struct il_process *p = op->source;
	if (op->err)
		return il_word(L, "closed");
	if (p->err)
		return il_fail(L, p->err, "process %d has ended, but how is not known (is SIGCHLD ignored?)",
			(int)p->pid);
	if (!p->signalled && p->code == 0)
		lua_pushboolean(L, 1);
	else
		lua_pushnil(L);
	lua_pushstring(L, p->signalled ? "signal" : "exit");
	lua_pushinteger(L, p->code);
	return 3;
}

static const struct il_await_type wait_type = {
	{ "process wait", il_process_wait_attempt, il_process_wait_start, il_op_leave },
	wait_push,
};

static int process_wait(lua_State *L)
{
	return il_await(L, &wait_type, &check_own(L)->p, 0, 2);
}

static int process_signal(lua_State *L)
{
	struct il_child *c = check_own(L);
	int number = il_check_signal(L, 2), err = il_process_signal(&c->p, number);
	if (err == ESRCH)
		return il_fail(L, err, "process %d has ended", (int)c->p.pid);
	if (err)
		return il_fail(L, err, "cannot send SIG%s to process %d", il_signal_name(number), (int)c->p.pid);
	lua_pushboolean(L, 1);
	return 1;
}

/* close waits for the end; for ever, or for the grace time. A cancellation does not stop it, or the child would be
 * neither killed nor reaped. Where nothing can wait it blocks the process. */
static int process_reap(lua_State *L)
{
	struct il_child *c = check_process(L);
	int64_t grace = lua_toboolean(L, 2) ? IL_NEVER : il_sched()->over ? 0 : GRACE;
	if (c->inherited || c->p.ended)
		return 0;
	c->p.closing = true;
	if (il_may_wait(L)) {
		lua_settop(L, 1);
		return il_await_uncancellable(L, &wait_type, &c->p, 0, il_time_add(il_now(), grace));
	}
	il_process_wait_blocking(&c->p, grace);
	return 0;
}

static int process_ended(lua_State *L)
{
	struct il_child *c = check_process(L);
	lua_pushboolean(L, c->inherited || c->p.ended);
	return 1;
}

/* Collected with the state, while the process runs on. */
static int process__gc(lua_State *L)
{
	struct il_child *c = check_process(L);
	if (!c->inherited)
		il_process_fini(&c->p);
	return 0;
}

static int process__index(lua_State *L)
{
	struct il_child *c = check_process(L);
	const char *key = lua_tostring(L, 2);
	if (key && strcmp(key, "pid") == 0) {
		lua_pushinteger(L, c->p.pid);
		return 1;
	}
	for (int i = 0; key && i < IL_CHILD_CHANNELS; i++)
		if (strcmp(key, names[i]) == 0) {
			lua_getiuservalue(L, 1, i + 1);
			return 1;
		}
	lua_settop(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	return 1;
}

static int process__tostring(lua_State *L)
{
	struct il_child *c = check_process(L);
	lua_pushfstring(L, CLASS " (pid %d, %s)", (int)c->p.pid,
		c->inherited         ? "of another process"
			: c->p.ended ? "ended"
				     : "running");
	return 1;
}

/* An interrupt in the middle of it must not leave a child that runs on. */
static int closed(lua_State *L, int status, lua_KContext context)
{
	struct il_child *c = check_process(L);
	(void)context;
	if (status == LUA_OK || status == LUA_YIELD)
		return 0;
	if (!c->inherited && !c->p.ended)
		il_process_signal(&c->p, SIGKILL);
	return lua_error(L);
}

static int process_close(lua_State *L)
{
	check_process(L);
	il_push_script(L, "ipc.process", "close");
	lua_pushvalue(L, 1);
	return closed(L, lua_pcallk(L, 1, 0, 0, 0, closed), 0);
}

static const luaL_Reg methods[] = {
	{ "wait", process_wait },
	{ "signal", process_signal },
	{ "close", process_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", process__tostring },
	{ "__gc", process__gc },
	{ "__close", process_close },
	{ NULL, NULL },
};

static const luaL_Reg internals[] = { { "reap", process_reap }, { "ended", process_ended }, { NULL, NULL } };

static const luaL_Reg waits[] = { { "wait", process_wait }, { NULL, NULL } };

static void describe(const void *child, struct il_described *d)
{
	*d = (struct il_described){ .key = "", .other = ((const struct il_child *)child)->p.pid };
}

static const struct il_cases cases = { .usual = "wait", .methods = waits, .describe = describe };

void il_process_open(lua_State *L)
{
	il_processes_init(inherit);
	il_class(L, CLASS, methods, meta, &cases);
	il_fields(L, CLASS, process__index);
	lua_pushcfunction(L, process);
	lua_setfield(L, -2, "process");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	luaL_setfuncs(L, internals, 0);
	lua_pop(L, 1);
}
