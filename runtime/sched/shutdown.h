/* SPDX-License-Identifier: MIT
 *
 * The end of the program.
 * Floor 3.
 */
#ifndef IL_SCHED_SHUTDOWN_H
#define IL_SCHED_SHUTDOWN_H

#include <lua.h>

/* Cancels the tasks that are left, and runs turns until they have ended, a second at most.
 * Callbacks are not called any more. What is left then is closed where it stands: its <close> variables run, but cannot
 * wait. Their errors are printed. Before lua_close. Does not raise; does nothing the second time. */
void il_shutdown(lua_State *L);

#endif
