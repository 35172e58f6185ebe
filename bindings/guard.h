/* SPDX-License-Identifier: MIT
 *
 * ipc.Guard: stands for what a task holds of a lock, and gives it back when it is closed or collected.
 * Floor 4.
 */
#ifndef IL_GUARD_H
#define IL_GUARD_H

#include "hold.h"

#include <lua.h>

/* Pushes a guard of what is held. Raises, and then it is held as before. */
void il_guard_push(lua_State *L, struct il_lock_hold *h);

#endif
