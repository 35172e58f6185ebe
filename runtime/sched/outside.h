/* SPDX-License-Identifier: MIT
 *
 * The interrupt of a program that hosts Lua and is not ours. lua5.4, and others after its example, answer Ctrl-C by a
 * hook that raises in the main chunk; while that waits, no Lua code runs there that could call the hook. Floor 3.
 */
#ifndef IL_SCHED_OUTSIDE_H
#define IL_SCHED_OUTSIDE_H

#include "sched/state.h"

#include <lua.h>

/* From now on SIGINT and the like, those that the program handles now, end the loop's sleep, too. */
void il_outside_open(void);
void il_outside_close(void);

/* For a wait of the main chunk, in a coroutine L of it: if the main state has a hook that it had not when this was last
 * asked, that is called. What it raises is raised in L. */
void il_outside_call(lua_State *L);

static inline void il_outside_check(lua_State *L)
{
	if (lua_gethook(il_sched()->main) != il_sched()->outside_hook)
		il_outside_call(L);
}

#endif
