/* SPDX-License-Identifier: MIT
 *
 * The request to stop what runs, as Ctrl-C makes it: the error "interrupted".
 * Floor 3.
 */
#ifndef IL_SCHED_INTERRUPT_H
#define IL_SCHED_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

/* Async-signal-safe: what runs, or the main chunk's wait, raises "interrupted". */
void il_interrupt_request(void);
bool il_interrupted(void);
void il_interrupt_check(lua_State *L);
bool il_interrupt_due(void); /* il_interrupt_check would raise */

/* For code that catches errors: is the one at the top "interrupted", of the host or of lua5.4, so that it has to be
 * raised again? `before`: what il_interrupts_raised said before the call. */
int il_interrupts_raised(void);
bool il_interrupt_is(lua_State *L, int before);

/* Nothing is requested: in a forked child. */
void il_interrupt_drop(void);

#endif
