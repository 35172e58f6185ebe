/* SPDX-License-Identifier: MIT
 *
 * ipclua, the program: lua(1) with the runtime built in. To a program that knows nothing of ipc it is lua5.4; when the
 * main chunk has ended it goes on until no task and no timer is left.
 * Floor 5.
 */
#include "call.h"
#include "lua_heap.h"
#include "module.h"
#include "options.h"
#include "reaper.h"
#include "repl.h"
#include "sched/coroutine.h"
#include "sched/host.h"
#include "sched/interrupt.h"
#include "sched/shutdown.h"
#include "sched/state.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 130 };

static void print_version(void)
{
	lua_writestring("ipclua " IL_VERSION "  " LUA_COPYRIGHT, strlen("ipclua " IL_VERSION "  " LUA_COPYRIGHT));
	lua_writeline();
}

static void create_arg_table(lua_State *L, char **argv, int argc, int script)
{
	if (script == argc)
		script = 0; /* no script name */
	lua_createtable(L, argc - (script + 1), script + 1);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - script);
	}
	lua_setglobal(L, "arg");
}

static int dochunk(lua_State *L, int status)
{
	if (status == LUA_OK)
		status = il_call(L, 0, 0);
	return il_call_report(L, status);
}

static int dostring(lua_State *L, const char *text, const char *name)
{
	return dochunk(L, luaL_loadbuffer(L, text, strlen(text), name));
}

/* -l mod, -l global=mod */
static int dolibrary(lua_State *L, const char *option)
{
	char *equals = strchr(option, '=');
	const char *name = equals ? equals + 1 : option;
	lua_getglobal(L, "require");
	lua_pushstring(L, name);
	int status = il_call(L, 1, 1);
	if (status == LUA_OK) {
		lua_pushlstring(L, option, equals ? (size_t)(equals - option) : strlen(option));
		lua_insert(L, -2);
		lua_pushglobaltable(L);
		lua_insert(L, -3);
		lua_settable(L, -3);
		lua_pop(L, 1);
	}
	return il_call_report(L, status);
}

static int push_args(lua_State *L)
{
	if (lua_getglobal(L, "arg") != LUA_TTABLE)
		luaL_error(L, "'arg' is not a table");
	int n = (int)luaL_len(L, -1);
	luaL_checkstack(L, n + 3, "too many arguments to script");
	for (int i = 1; i <= n; i++)
		lua_rawgeti(L, -i, i);
	lua_remove(L, -n - 1);
	return n;
}

static int doscript(lua_State *L, char **argv)
{
	const char *name = argv[0];
	if (strcmp(name, "-") == 0 && strcmp(argv[-1], "--") != 0)
		name = NULL; /* stdin */
	int status = luaL_loadfile(L, name);
	if (status == LUA_OK)
		status = il_call(L, push_args(L), LUA_MULTRET);
	return il_call_report(L, status);
}

/* Runs -e, -l and -W in their order. */
static bool run_options(lua_State *L, char **argv, int end)
{
	for (int i = 1; i < end && argv[i]; i++) {
		char option = argv[i][1];
		if (option == 'W') {
			lua_warning(L, "@on", 0);
		} else if (option == 'e' || option == 'l') {
			const char *text = argv[i] + 2;
			if (!*text)
				text = argv[++i];
			if ((option == 'e' ? dostring(L, text, "=(command line)") : dolibrary(L, text)) != LUA_OK)
				return false;
		}
	}
	return true;
}

static int run_init(lua_State *L)
{
	const char *name = "=LUA_INIT" LUA_VERSUFFIX;
	const char *init = getenv(name + 1);
	if (!init) {
		name = "=LUA_INIT";
		init = getenv(name + 1);
	}
	if (!init)
		return LUA_OK;
	if (init[0] == '@')
		return dochunk(L, luaL_loadfile(L, init + 1));
	return dostring(L, init, name);
}

static bool run_program(lua_State *L, int argc, char **argv, const struct il_options *o)
{
	if (!run_options(L, argv, o->script))
		return false;
	if (o->script < argc && doscript(L, argv + o->script) != LUA_OK)
		return false;
	bool nothing = o->script == argc && !o->run && !o->version;
	if (o->interactive || (nothing && isatty(STDIN_FILENO))) {
		if (!o->interactive)
			print_version();
		il_call_name(NULL); /* errors at the prompt do not name the program */
		il_repl(L);
		return true; /* what is left is not waited for */
	}
	/* as lua5.4 does: an error in a script that came unasked from stdin is reported, and the status is 0 */
	if (nothing && dochunk(L, luaL_loadfile(L, NULL)) != LUA_OK)
		return !il_interrupted();
	lua_settop(L, 0);
	lua_pushcfunction(L, il_host_run);
	return il_call_report(L, il_call(L, 0, 0)) == LUA_OK;
}

static int shutdown_runtime(lua_State *L)
{
	il_shutdown(L);
	return 0;
}

/* Returns a value that, closed, ends the tasks that are left: os.exit(n, true) closes the state from anywhere. */
static int new_shutdown(lua_State *L)
{
	lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, shutdown_runtime);
	lua_setfield(L, -2, "__close");
	lua_setmetatable(L, -2);
	return 1;
}

/* The program in protected mode; returns whether all went well. */
static int pmain(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);
	struct il_options o = { .script = argc };
	const char *bad = il_options_read(argv, &o);
	luaL_checkversion(L);
	const char *name = argv[0] && argv[0][0] ? argv[0] : "ipclua";
	il_call_name(name);
	if (bad) {
		il_options_usage(name, bad);
		return 0;
	}
	if (o.version)
		print_version();
	if (o.no_environment) {
		lua_pushboolean(L, 1);
		lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	}
	luaL_openlibs(L);
	il_coroutine_install(L);
	il_sched()->guarded = true;
	il_module_preload(L);
	create_arg_table(L, argv, argc, o.script);
	lua_settop(L, 0);
	lua_gc(L, LUA_GCGEN, 0, 0);
	bool well = (o.no_environment || run_init(L) == LUA_OK) && run_program(L, argc, argv, &o);
	lua_pushboolean(L, well);
	return 1;
}

int main(int argc, char **argv)
{
	il_reaper_start();
	lua_State *L = il_lua_heap_new_state();
	if (!L) {
		il_call_complain("cannot create state: not enough memory");
		return EXIT_FAILURE;
	}
	lua_pushcfunction(L, new_shutdown);
	int status = lua_pcall(L, 0, 1, 0);
	if (status == LUA_OK) {
		lua_toclose(L, -1);
		lua_pushcfunction(L, pmain);
		lua_pushinteger(L, argc);
		lua_pushlightuserdata(L, argv);
		status = lua_pcall(L, 2, 1, 0);
	}
	bool well = lua_toboolean(L, -1) && status == LUA_OK;
	il_call_report(L, status);
	il_shutdown(L);
	bool failed = il_host_failed();
	lua_close(L);
	if (!well)
		return il_interrupted() ? EXIT_INTERRUPTED : EXIT_FAILURE;
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
