/* SPDX-License-Identifier: MIT
 *
 * Errors that have been told already: whoever raises one says what is to be shown of it, with the traceback of the place
 * that it comes from, so that nobody on its way adds another.
 * Floor 3.
 */
#ifndef IL_SCHED_TOLD_H
#define IL_SCHED_TOLD_H

#include <lua.h>
#include <stdbool.h>

/* Raises the error below the text at the top of the stack. */
int il_told_raise(lua_State *L);

/* Pushes the text of the error at `index`, and forgets it; false and nothing if it is any other error. For message handlers. */
bool il_told(lua_State *L, int index);

#endif
