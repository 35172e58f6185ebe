/* SPDX-License-Identifier: MIT
 *
 * Calls of Lua by the program, see call.h. Floor 5.
 */
#include "call.h"
#include "sched/error.h"
#include "sched/interrupt.h"

#include <lauxlib.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *progname = "ipclua";

void il_call_name(const char *name)
{
	progname = name;
}

void il_call_complain(const char *text)
{
	if (progname)
		lua_writestringerror("%s: ", progname);
	lua_writestringerror("%s\n", text);
}

int il_call_report(lua_State *L, int status)
{
	if (status != LUA_OK) {
		const char *text = lua_tostring(L, -1);
		il_call_complain(text ? text : "(error object is not a string)");
		lua_pop(L, 1);
	}
	return status;
}

static int message_handler(lua_State *L)
{
	const char *text = lua_tostring(L, 1);
	if (!text) {
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
			return 1;
		text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	}
	if (!il_error_take_text(L, 1))
		il_traceback(L, text, 1);
	return 1;
}

/* The first Ctrl-C raises in Lua; a second one, if that did not help, kills. A thread of some module passes it on. */
static void on_interrupt(int number)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	pid_t process = getpid();
	if ((pid_t)syscall(SYS_gettid) != process && syscall(SYS_tgkill, process, process, number) == 0)
		return;
	sigaction(number, &fresh, NULL);
	il_interrupt_request();
}

/* Not if it is ignored, or trapped. */
bool il_call_catch_interrupt(void)
{
	struct sigaction mine = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART }, old;
	sigemptyset(&mine.sa_mask);
	return sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL && sigaction(SIGINT, &mine, NULL) == 0;
}

void il_call_release_interrupt(void)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL }, now;
	if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_interrupt)
		sigaction(SIGINT, &fresh, NULL);
}

int il_call(lua_State *L, int nargs, int nresults)
{
	int base = lua_gettop(L) - nargs;
	lua_pushcfunction(L, message_handler);
	lua_insert(L, base);
	bool ours = il_call_catch_interrupt();
	int status = lua_pcall(L, nargs, nresults, base);
	if (ours)
		il_call_release_interrupt();
	lua_remove(L, base);
	return status;
}
