/* SPDX-License-Identifier: MIT
 *
 * The loop on top of the main chunk. It is no coroutine that could be suspended: while it waits, or lets others have
 * their turn, it calls what turns the loop, and goes on when that returns.
 * Floor 3.
 */
#ifndef IL_SCHED_ON_MAIN_H
#define IL_SCHED_ON_MAIN_H

#include <lua.h>
#include <stdint.h>

/* Calls turns(until), protected; meanwhile no other wait can begin on the main chunk. LUA_OK; or the status of an
 * error, which is on the stack. */
int il_on_main(lua_State *L, lua_CFunction turns, int64_t until);

#endif
