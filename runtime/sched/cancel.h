/* SPDX-License-Identifier: MIT
 *
 * Cancellation as Lua sees it: one value, ipc.cancelled, which is raised in a wait and passes through everything that
 * hands errors on. A task that ends with it is cancelled, whoever raised it.
 * Floor 3.
 */
#ifndef IL_SCHED_CANCEL_H
#define IL_SCHED_CANCEL_H

#include <lua.h>
#include <stdbool.h>

/* Makes the value, and puts it into the table at the top of the stack. */
void il_cancel_open(lua_State *L);

void il_cancel_push(lua_State *L);
bool il_cancel_is(lua_State *L, int index);

/* Raises it: for `return il_cancel_raise(L)`. */
int il_cancel_raise(lua_State *L);

#endif
