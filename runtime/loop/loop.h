/* SPDX-License-Identifier: MIT
 *
 * The loop: it asks the kernel what has happened, and sleeps until something does. It drives the other files of its
 * folder; its state is in state.h.
 * Floor 1a: no lua.h.
 */
#ifndef IL_LOOP_LOOP_H
#define IL_LOOP_LOOP_H

#include <stdint.h>

/* To be called once before anything else of the loop. */
void il_loop_init(void);

/* Asks the kernel once: descriptors, then timers, then deadlines. Waits until something happens, but not beyond
 * `until`; 0: does not wait. 0 or errno: the loop cannot work. EINTR is 0. */
int il_loop_poll(int64_t until);

/* To be called after each step from the first call of il_epoll_fileno on, when another loop holds this one: `next` is
 * when this loop wants to run again. */
void il_loop_nested(int64_t next);

/* The earliest deadline or timer, IL_NEVER without. */
int64_t il_loop_next(void);

/* Closes all; nothing waits any more. */
void il_loop_fini(void);

#endif
