/* SPDX-License-Identifier: MIT
 *
 * What every task runs in: calls its function, and if that fails keeps the error and the traceback for who asks later.
 * Floor 3.
 */
#ifndef IL_SCHED_BODY_H
#define IL_SCHED_BODY_H

#include <lua.h>

/* Prepares the registry. Raises. */
void il_body_open(lua_State *L);

/* The base of every task's stack, a lua_CFunction: the task's function and its arguments → its results, or the error and
 * the traceback, if there is one, and the task is IL_FAILED. Protected, and by a call that can be suspended: so a
 * `<close>` variable may wait while an error unwinds. */
int il_body(lua_State *L);

/* Pushes the message for a task that yielded what is no wait; for when there may be no memory to make one. */
void il_body_push_stray(lua_State *L);

#endif
