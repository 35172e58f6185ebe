/* SPDX-License-Identifier: MIT
 *
 * Waking the loop from outside of it.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_WAKE_H
#define IL_LOOP_WAKE_H

struct il_loop;

/* Makes the next or the present il_loop_poll return. Async-signal-safe, and from any thread. */
void il_loop_wake(struct il_loop *loop);

/* Has the loop that holds this one make a step, if there is one: something is new that it cannot know of. */
void il_loop_wake_outer(void);

#endif
