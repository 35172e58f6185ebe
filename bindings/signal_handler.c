/* SPDX-License-Identifier: MIT
 *
 * ipc.SignalHandler: many listeners of one signal, called one after the other. The list of them is never changed while
 * a delivery may walk it: it is replaced.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "signal_queue.h"
#include "signal_info.h"

#define CLASS "ipc.SignalHandler"

static const char class[] = CLASS;

static struct il_signal_queue *check_open(lua_State *L)
{
	struct il_signal_queue *s = il_signal_queue_check(L, class);
	if (s->closed)
		il_error(L, "signal handler is closed");
	return s;
}

static int signal_handler(lua_State *L)
{
	return il_signal_queue_new(L, class, il_check_catchable(L, il_check_signal(L, 1), 1));
}

/* Pushes a copy of the list, without the listener at `skip`; returns how many there are. */
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
	struct il_signal_queue *s = check_open(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_Integer n = copy_listeners(L, 0);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, n + 1);
	return il_signal_queue_result(L, s, il_signal_queue_listen(L, s));
}

static int handler_remove(lua_State *L)
{
	struct il_signal_queue *s = check_open(L);
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
		il_signal_queue_listen(L, s);
	}
	lua_pushboolean(L, i > 0);
	return 1;
}

static int handler_close(lua_State *L)
{
	return il_signal_queue_close(L, il_signal_queue_check(L, class));
}

static int handler__tostring(lua_State *L)
{
	return il_signal_queue_tostring(L, class);
}

static const luaL_Reg methods[] = {
	{ "add", handler_add },
	{ "remove", handler_remove },
	{ "close", handler_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", handler__tostring },
	{ "__gc", handler_close },
	{ "__close", handler_close },
	{ NULL, NULL },
};

void il_signal_handler_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, NULL);
	lua_pushcfunction(L, signal_handler);
	lua_setfield(L, -2, "signal_handler");
}
