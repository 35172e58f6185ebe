/* SPDX-License-Identifier: MIT
 *
 * Which Lua state of the process has the runtime: signals, timers and the loop are the process's, so one can. All
 * copies of this code in a process, such as the host's and an ipc.so, ask the same word.
 * Floor 4.
 */
#ifndef IL_OWNER_H
#define IL_OWNER_H

#include <lua.h>
#include <stdbool.h>

/* Makes the state the owner; false if another one is. From any thread. */
bool il_owner_claim(lua_State *L);

/* Is it this state? */
bool il_owner_is(lua_State *L);

/* The state is closing; the next one may have it. */
void il_owner_release(void);

/* A key of the registry that all copies share. */
const void *il_owner_key(void);

#endif
