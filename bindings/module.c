/* SPDX-License-Identifier: MIT
 *
 * luaopen_ipc: the classes and functions; and those scripts of scripts/ipc that are modules of their own. One Lua state
 * of a process can have the module at a time, for signals and the loop belong to the process. Floor 4.
 */
#include "module.h"
#include "codec/array.h"
#include "bind.h"
#include "classes.h"
#include "owner.h"
#include "script.h"
#include "engines/engine.h"
#include "engines/registry.h"
#include "loop/loop.h"
#include "loop/state.h"
#include "loop/thread_pool.h"
#include "os/board.h"
#include "os/process.h"
#include "loop/timer.h"
#include "os/process_watch.h"
#include "os/signal.h"
#include "sched/await.h"
#include "sched/coroutine.h"
#include "sched/event.h"
#include "sched/host.h"
#include "sched/outside.h"
#include "sched/preempt.h"
#include "sched/sched.h"
#include "sched/state.h"
#include "sched/task.h"
#include "stream/stream_end.h"
#include "quit.h"

#include <string.h>
#include <unistd.h>

enum { LUA_5_1_GLOBALS = -10002 };

static int dispatch(lua_State *L)
{
	il_signal_drain();
	il_timers_expire();
	il_events_run(L);
	lua_pushboolean(L, 1);
	return 1;
}

/* ipc.signals_async([on]): whether handlers and timers may interrupt code that does not wait; returns what it was. */
static int signals_async(lua_State *L)
{
	bool was = !il_sched()->deferred;
	if (!lua_isnoneornil(L, 1)) {
		luaL_checktype(L, 1, LUA_TBOOLEAN);
		il_sched()->deferred = !lua_toboolean(L, 1);
		il_preempt();
	}
	lua_pushboolean(L, was);
	return 1;
}

static int stats(lua_State *L)
{
	const struct il_counter counters[] = {
		{ "tasks", il_sched()->living },
		{ "alive", il_sched()->alive },
		{ "switches", il_sched()->switches },
		{ "timers", il_loop->timers.count },
		{ "deadlines", il_loop->deadlines.count },
		{ "threads", il_thread_pool_threads() },
		{ "signals_lost", il_signals_lost },
	};
	il_push_counters(L, counters, sizeof counters / sizeof counters[0]);
	return 1;
}

static int pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

static const luaL_Reg functions[] = {
	{ "pid", pid },
	{ "dispatch", dispatch },
	{ "signals_async", signals_async },
	{ "stats", stats },
	{ NULL, NULL },
};

/* The state is closing: nothing may point into it any more. */
static int fini(lua_State *L)
{
	if (!il_owner_is(L))
		return 0;
	if (il_sched()->open) {
		il_sched_forget();
		il_preempt_close();
		il_events_drop();
		il_signal_fini();
		il_outside_close();
		il_engines_fini();
		il_streams_drop();
		il_process_watches_drop();
		il_loop_fini();
		il_board_close();
	}
	il_owner_release();
	return 0;
}

/* Has fini called when the state closes, and not before. */
static void call_fini_at_end(lua_State *L)
{
	static char key;
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	}
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, fini);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
}

/* The references to Lua are weak (Makefile), so that any other Lua loads ipc.so and gets here. Calls nothing that one
 * of them lacks. */
static void check_version(lua_State *L)
{
	if (lua_newuserdatauv && lua_version(L) == LUA_VERSION_NUM)
		return;
	if (lua_getglobal)
		lua_getglobal(L, "_VERSION");
	else
		lua_getfield(L, LUA_5_1_GLOBALS, "_VERSION");
	luaL_error(L, "ipc is for " LUA_VERSION ", and this is %s", lua_tostring(L, -1));
}

/* Scripts that are modules of their own. */
static const struct {
	const char *name;
	lua_CFunction open;
} modules[] = { { "ipc.pool", luaopen_ipc_pool }, { "ipc.supervisor", luaopen_ipc_supervisor } };

/* So that they are found in any Lua, and also when there is no descriptor to look for a file. */
static void preload_modules(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
		lua_pushcfunction(L, modules[i].open);
		lua_setfield(L, -2, modules[i].name);
	}
	lua_pop(L, 1);
}

static void constants(lua_State *L)
{
	lua_pushliteral(L, "ipc " IL_VERSION);
	lua_setfield(L, -2, "_VERSION");
	lua_pushboolean(L, 1);
	lua_setfield(L, -2, "SIGNALS_ASYNC");
	lua_pushlightuserdata(L, NULL); /* lua-cjson's null is the same */
	lua_setfield(L, -2, "null");
	il_array_open(L);
	il_coroutine_open(L);
	lua_setfield(L, -2, "coroutine");
}

int luaopen_ipc(lua_State *L)
{
	check_version(L);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, il_owner_key()) == LUA_TTABLE)
		return 1;
	call_fini_at_end(L); /* its finaliser is the last: it was made first */
	if (!il_owner_claim(L))
		return il_error(L, "ipc is loaded in another Lua state of this process");
	il_loop_init();
	il_sched_init();
	il_signal_init();
	il_host_init();
	il_quit_open();
	il_loop->guest = !il_sched()->guarded;
	lua_newtable(L);
	il_script_open(L);
	il_task_open(L);
	il_board_open(L);
	il_timer_open(L);
	il_signal_open(L);
	il_signal_handler_open(L);
	il_signal_trap_open(L);
	il_stream_channel_open(L);
	il_multi_stream_channel_open(L);
	il_process_open(L);
	il_key_open(L);
	il_guard_open(L);
	il_semaphore_open(L);
	il_mutex_open(L);
	il_file_lock_open(L);
	il_queue_open(L);
	il_shared_memory_open(L);
	il_shared_data_open(L);
	luaL_setfuncs(L, functions, 0);
	constants(L);
	il_script_load(L, lua_gettop(L), "ipc.scope"); /* it adds to the module */
	lua_pop(L, 1);
	preload_modules(L);
	il_await_open(L);
	il_sched_open(L);
	il_preempt_open(L);
	il_outside_open();
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, il_owner_key());
	return 1;
}

void il_module_preload(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(L, luaopen_ipc);
	lua_setfield(L, -2, "ipc");
	lua_pop(L, 1);
	preload_modules(L);
}

/* Stock Lua finds these functions in ipc.so by itself. */
static int open_script(lua_State *L, const char *name)
{
	check_version(L);
	luaL_requiref(L, "ipc", luaopen_ipc, 0);
	il_script_load(L, lua_gettop(L), name);
	return 1;
}

int luaopen_ipc_pool(lua_State *L)
{
	return open_script(L, "ipc.pool");
}

int luaopen_ipc_supervisor(lua_State *L)
{
	return open_script(L, "ipc.supervisor");
}
