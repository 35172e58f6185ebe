/* SPDX-License-Identifier: MIT
 *
 * A C module that makes Lua states, here and in threads, as LuaLanes, rings and luv do.
 *   states.lanes(n, code [, made_here [, closed_here]])  runs the code in n threads and in this one at once, each in a
 *                            state with the allocator of this one; made and closed there, or here; how many went well
 *   states.at_once(n, code)  a list of what the code returned, or its error, in n threads that begin together
 *   states.new()             a state: state:run(code) returns a text, or nil and the error; state:close()
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

struct lane {
	lua_Alloc alloc;
	void *ud;
	const char *code;
	bool made_here, closed_here;
	lua_State *state;
	bool well;
	char *text;
	pthread_barrier_t *start;
	pthread_t thread;
};

static void make(struct lane *l)
{
	l->state = l->alloc ? lua_newstate(l->alloc, l->ud) : luaL_newstate();
	luaL_openlibs(l->state);
}

static void *run(void *lane)
{
	struct lane *l = lane;
	if (!l->made_here)
		make(l);
	if (l->start)
		pthread_barrier_wait(l->start);
	l->well = luaL_dostring(l->state, l->code) == LUA_OK;
	const char *text = lua_tostring(l->state, -1);
	l->text = text ? strdup(text) : NULL;
	if (l->start)
		pthread_barrier_wait(l->start);
	if (!l->closed_here)
		lua_close(l->state);
	return NULL;
}

static int count(lua_State *L)
{
	int n = (int)luaL_checkinteger(L, 1);
	luaL_argcheck(L, n >= 0 && n <= MOST, 1, "too many");
	return n;
}

static int lanes(lua_State *L)
{
	struct lane lane[MOST + 1] = { 0 };
	int n = count(L), well = 0;
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
	for (int i = 0; i <= n; i++) {
		if (i < n)
			pthread_join(lane[i].thread, NULL);
		if (lane[i].closed_here)
			lua_close(lane[i].state);
		well += lane[i].well;
		free(lane[i].text);
	}
	lua_pushinteger(L, well);
	return 1;
}

static int at_once(lua_State *L)
{
	struct lane lane[MOST] = { 0 };
	int n = count(L);
	const char *code = luaL_checkstring(L, 2);
	pthread_barrier_t start;
	pthread_barrier_init(&start, NULL, (unsigned)n);
	for (int i = 0; i < n; i++) {
		lane[i].code = code;
		lane[i].start = &start;
		pthread_create(&lane[i].thread, NULL, run, &lane[i]);
	}
	for (int i = 0; i < n; i++)
		pthread_join(lane[i].thread, NULL);
	pthread_barrier_destroy(&start);
	lua_newtable(L);
	for (int i = 0; i < n; i++) {
		lua_pushstring(L, lane[i].text);
		lua_rawseti(L, -2, i + 1);
		free(lane[i].text);
	}
	return 1;
}

static lua_State **check(lua_State *L)
{
	return luaL_checkudata(L, 1, "states.State");
}

static int state_run(lua_State *L)
{
	lua_State *other = *check(L);
	luaL_argcheck(L, other, 1, "it is closed");
	bool well = luaL_dostring(other, luaL_checkstring(L, 2)) == LUA_OK;
	if (!well)
		lua_pushnil(L);
	lua_pushstring(L, lua_tostring(other, -1));
	lua_settop(other, 0);
	return well ? 1 : 2;
}

static int state_close(lua_State *L)
{
	lua_State **other = check(L);
	if (*other)
		lua_close(*other);
	*other = NULL;
	return 0;
}

static int new (lua_State *L)
{
	lua_State **other = lua_newuserdatauv(L, sizeof *other, 0);
	*other = luaL_newstate();
	luaL_openlibs(*other);
	luaL_setmetatable(L, "states.State");
	return 1;
}

int luaopen_states(lua_State *L)
{
	static const luaL_Reg functions[] = { { "lanes", lanes }, { "at_once", at_once }, { "new", new },
		{ NULL, NULL } };
	static const luaL_Reg methods[] = { { "run", state_run }, { "close", state_close }, { NULL, NULL } };
	luaL_newmetatable(L, "states.State");
	lua_pushcfunction(L, state_close);
	lua_setfield(L, -2, "__gc");
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
