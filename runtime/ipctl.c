/* SPDX-License-Identifier: MIT
 *
 * ipctl, the program that shows and mends what is behind keys: its scripts, scripts/ipctl, run by the runtime. It is a
 * program of its own, for ipclua is lua(1) under whatever name it is called; it shares what runs Lua with it, and has
 * no prompt. It reads nothing of the user's: no LUA_INIT, no LUA_PATH. Floor 5.
 */
#include "call.h"
#include "ipctl_scripts.h"
#include "listing.h"
#include "lua_heap.h"
#include "module.h"
#include "reaper.h"
#include "sched/coroutine.h"
#include "sched/interrupt.h"
#include "sched/shutdown.h"
#include "sched/state.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_ERROR = 2, EXIT_INTERRUPTED = 130 };

/* For `require`: the script is an upvalue. */
static int load_script(lua_State *L)
{
	const struct il_embed *e = lua_touserdata(L, lua_upvalueindex(1));
	lua_settop(L, 1);
	lua_pushfstring(L, "=%s", e->name);
	if (luaL_loadbufferx(L, e->source, e->size, lua_tostring(L, -1), "t") != LUA_OK)
		return lua_error(L);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static int is_terminal(lua_State *L)
{
	lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* What the module keeps for its own scripts: the boards of processes. */
static int push_core(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	return 1;
}

/* What the scripts ask of the system beside the module: "ipctl.system". */
static int load_system(lua_State *L)
{
	il_push_listing(L);
	lua_pushcfunction(L, is_terminal);
	lua_setfield(L, -2, "is_terminal");
	lua_pushcfunction(L, push_core);
	lua_setfield(L, -2, "core");
	lua_pushliteral(L, IL_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

static void preload_scripts(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	for (size_t i = 0; i < sizeof il_embedded / sizeof il_embedded[0]; i++) {
		lua_pushlightuserdata(L, (void *)&il_embedded[i]);
		lua_pushcclosure(L, load_script, 1);
		lua_setfield(L, -2, il_embedded[i].name);
	}
	lua_pushcfunction(L, load_system);
	lua_setfield(L, -2, "ipctl.system");
	lua_pop(L, 1);
}

static void push_arguments(lua_State *L, int argc, char **argv)
{
	lua_createtable(L, argc, 0);
	for (int i = 1; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
}

/* The program in protected mode; its result is the exit status. Argument: argc, argv. */
static int pmain(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	luaL_openlibs(L);
	il_coroutine_install(L);
	il_sched()->guarded = true;
	il_module_preload(L);
	preload_scripts(L);
	lua_settop(L, 0);
	lua_gc(L, LUA_GCGEN, 0, 0);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "ipctl.main");
	lua_call(L, 1, 1);
	push_arguments(L, argc, argv);
	int status = il_call(L, 1, 1);
	if (status == LUA_OK)
		return 1;
	if (!il_interrupted())
		il_call_report(L, status);
	return 0;
}

static int run(lua_State *L, int argc, char **argv)
{
	lua_pushcfunction(L, pmain);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	int status = lua_pcall(L, 2, 1, 0);
	int result = status == LUA_OK && lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : EXIT_ERROR;
	il_call_report(L, status);
	il_shutdown(L);
	return il_interrupted() ? EXIT_INTERRUPTED : result;
}

/* A reader that has gone is an error of a write; and a file that is leased may be wanted (os/lease.h). */
int main(int argc, char **argv)
{
	il_reaper_start();
	il_call_name("ipctl");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	lua_State *L = il_lua_heap_new_state();
	if (!L) {
		il_call_complain("cannot create state: not enough memory");
		return EXIT_ERROR;
	}
	int status = run(L, argc, argv);
	lua_close(L);
	return status;
}
