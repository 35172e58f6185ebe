/* SPDX-License-Identifier: MIT
 *
 * ipc.select: waits for the first of several waiting calls. Each case's method is called once to learn its operation
 * (il_collector), then all are waited for together; exactly one completes.
 * Floor 3.
 */
#ifndef IL_SCHED_SELECT_H
#define IL_SCHED_SELECT_H

#include <lua.h>

/* The C function ipc.select(cases [, timeout]). */
int il_select(lua_State *L);

#endif
