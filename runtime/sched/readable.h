/* SPDX-License-Identifier: MIT
 *
 * A wait for a descriptor, as the prompt needs it.
 * Floor 3.
 */
#ifndef IL_SCHED_READABLE_H
#define IL_SCHED_READABLE_H

#include <lua.h>

/* Waits until the descriptor is readable; on the main state everything else goes on. Raises. */
int il_readable_wait(lua_State *L, int fd);

#endif
