/* SPDX-License-Identifier: MIT
 *
 * A C module as LuaLanes is: it makes Lua states with the allocator of the state that has loaded it, and runs them in
 * threads. lanes(n, code [, made_here [, closed_here]]) runs the code in n of them and in a state of this thread at once;
 * the states are made and closed in their threads, or here.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>

enum { MOST = 16 };

struct lane {
	lua_Alloc alloc;
	void *ud;
	const char *code;
	bool made_here, closed_here;
	lua_State *state;
	bool well;
	pthread_t thread;
};

static void make(struct lane *l)
{
	l->state = lua_newstate(l->alloc, l->ud);
	luaL_openlibs(l->state);
}

static void *run(void *lane)
{
	struct lane *l = lane;
	if (!l->made_here)
		make(l);
	l->well = luaL_dostring(l->state, l->code) == LUA_OK;
	if (!l->closed_here)
		lua_close(l->state);
	return NULL;
}

static int lanes(lua_State *L)
{
	struct lane lane[MOST + 1] = { 0 };
	int n = (int)luaL_checkinteger(L, 1), well = 0;
	luaL_argcheck(L, n >= 0 && n <= MOST, 1, "too many");
	for (int i = 0; i <= n; i++) {
		lane[i].alloc = lua_getallocf(L, &lane[i].ud);
		lane[i].code = luaL_checkstring(L, 2);
		lane[i].made_here = lua_toboolean(L, 3);
		lane[i].closed_here = lua_toboolean(L, 4);
		if (lane[i].made_here)
			make(&lane[i]);
	}
	for (int i = 0; i < n; i++)
		pthread_create(&lane[i].thread, NULL, run, &lane[i]);
	run(&lane[n]);
	for (int i = 0; i < n; i++)
		pthread_join(lane[i].thread, NULL);
	for (int i = 0; i <= n; i++) {
		well += lane[i].well;
		if (lane[i].closed_here)
			lua_close(lane[i].state);
	}
	lua_pushinteger(L, well);
	return 1;
}

int luaopen_lanes(lua_State *L)
{
	lua_pushcfunction(L, lanes);
	return 1;
}
