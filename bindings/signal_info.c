/* SPDX-License-Identifier: MIT
 *
 * What the classes of signals share, see signal_info.h. Floor 4.
 */
#include "signal_info.h"
#include "base/signals.h"
#include "os/signal.h"

#include <lauxlib.h>
#include <signal.h>

void il_push_siginfo(lua_State *L, const struct il_siginfo *info)
{
	lua_createtable(L, 0, 5);
	lua_pushstring(L, il_signal_name(info->number));
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, info->number);
	lua_setfield(L, -2, "number");
	if (info->has_sender) {
		lua_pushinteger(L, info->pid);
		lua_setfield(L, -2, "pid");
		lua_pushinteger(L, info->uid);
		lua_setfield(L, -2, "uid");
	}
	if (info->has_value) {
		lua_pushinteger(L, info->value);
		lua_setfield(L, -2, "value");
	}
}

const char *il_push_signal_refusal(lua_State *L, int number)
{
	if (number == SIGKILL || number == SIGSTOP)
		return lua_pushfstring(L, "SIG%s cannot be caught or ignored", il_signal_name(number));
	if (number == IL_SIGNAL_TIMER || number == IL_SIGNAL_POOL)
		return lua_pushfstring(L, "SIG%s is the runtime's own", il_signal_name(number));
	return NULL;
}

int il_check_catchable(lua_State *L, int number, int arg)
{
	const char *why = il_push_signal_refusal(L, number);
	if (why)
		luaL_argerror(L, arg, why);
	return number;
}
