/* SPDX-License-Identifier: MIT
 *
 * Turns for others: a call that may wait and was served at once gives one now and then, so that a task that is always
 * served does not keep the others waiting.
 * Floor 3.
 */
#ifndef IL_SCHED_TURN_H
#define IL_SCHED_TURN_H

#include "sched/state.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* Of those that a task begins with; two, since many make no more than one. */
enum { IL_FIRST_CALLS = 2 };

/* The main chunk runs all that are ready, on top of itself: LUA_OK, or the status of an error, which is on the stack.
 */
int il_turn_on_main(lua_State *L);

/* A call that may wait is being served at once, with `size` bytes. True, nearly always: there is no need for more. Else
 * it has to end with il_served. */
static inline bool il_serve(size_t size)
{
	il_sched()->left -= 1 + (int64_t)(size >> 10);
	return il_sched()->left > 0;
}

/* Reads the clock, and may give a turn. The call's results are on top of the stack; returns what the C function must
 * return: it may be suspended. The results are delivered in any case, also if the task is cancelled meanwhile. */
int il_served(lua_State *L, int results);

#endif
