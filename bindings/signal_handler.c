/* SPDX-License-Identifier: MIT
 *
 * ipc.SignalHandler: many listeners of one signal, called one after the other.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "script.h"
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

/* Pushes the list of listeners, with the one at 2 added or removed, as scripts/ipc/signal.lua does it; or nil. */
static void push_changed(lua_State *L, const char *change)
{
	il_push_script(L, "ipc.signal", change);
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, 2);
	lua_call(L, 2, 1);
}

static int handler_add(lua_State *L)
{
	struct il_signal_queue *s = check_open(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	push_changed(L, "add");
	return il_signal_queue_result(L, s, il_signal_queue_listen(L, s));
}

static int handler_remove(lua_State *L)
{
	struct il_signal_queue *s = check_open(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	push_changed(L, "remove");
	bool found = !lua_isnil(L, -1);
	if (found)
		il_signal_queue_listen(L, s);
	lua_pushboolean(L, found);
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
