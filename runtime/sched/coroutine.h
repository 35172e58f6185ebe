/* SPDX-License-Identifier: MIT
 *
 * coroutine.resume and coroutine.wrap that let a wait pass: when the coroutine waits, the resumer waits with it, up to
 * the task, and back. They and coroutine.close leave alone what belongs to a task. To programs that do not wait they
 * are the standard ones. Floor 3.
 */
#ifndef IL_SCHED_COROUTINE_H
#define IL_SCHED_COROUTINE_H

#include <lua.h>
#include <stdbool.h>

/* The coroutine that this one has resumed by them, and that has not come back: it runs, or waits. NULL: this one does.
 */
lua_State *il_coroutine_resumed(lua_State *co);

/* Puts them into the standard library. */
void il_coroutine_install(lua_State *L);

/* Pushes a table like `coroutine`, with ours, and with install(). */
int il_coroutine_open(lua_State *L);

#endif
