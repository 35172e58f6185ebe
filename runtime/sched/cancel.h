/* SPDX-License-Identifier: MIT
 *
 * Cancellation as Lua sees it: one value, ipc.cancelled, which is raised in a wait and passes through everything that
 * hands errors on. A task that ends with it is cancelled, wherever it was raised. In a function that ipc.shield calls
 * it is not raised; the next wait after that raises it.
 * Floor 3.
 */
#ifndef IL_SCHED_CANCEL_H
#define IL_SCHED_CANCEL_H

#include <lua.h>
#include <stdbool.h>

struct il_task;

/* Makes the value, and puts it into the table at the top of the stack. */
void il_cancel_open(lua_State *L);

/* Pushes it; what is at the index is it. Neither raises. */
void il_cancel_push(lua_State *L);
bool il_cancel_is(lua_State *L, int index);

/* Raises it: for `return il_cancel_raise(L)`. */
int il_cancel_raise(lua_State *L);

/* The C function ipc.shield(fn, ...). */
int il_cancel_shield(lua_State *L);

/* The task is in a function that ipc.shield has called, in a coroutine of its own or of the user's. */
bool il_cancel_shielded(const struct il_task *t);

#endif
