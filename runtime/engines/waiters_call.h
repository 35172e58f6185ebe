/* SPDX-License-Identifier: MIT
 *
 * Calls of a table of sleeping processes (waiters.h). With the latch, but where that is said. Floor 2.
 */
#ifndef IL_ENGINES_WAITERS_CALL_H
#define IL_ENGINES_WAITERS_CALL_H

#include "engines/waiters.h"

/* Before a change that makes it possible for `n` processes to have what is offered: sees to it that so many are on
 * their way, if so many sleep. This process is, if it has an entry: it has to try again after the change. */
void il_waiters_call(struct il_waiters *w, uint64_t offer, uint32_t n);

/* Calls `n` more, however many are on their way already. */
void il_waiters_call_more(struct il_waiters *w, uint64_t offer, uint32_t n);

/* Calls all that want it, however many. Not of an ordered table, as the next two. */
void il_waiters_call_all(struct il_waiters *w, uint64_t offer);

/* Of those that have not been called: does `needs` hold for what one of them wants? */
bool il_waiters_any(const struct il_waiters *w, bool (*needs)(uint64_t wants, uint64_t offer, const void *arg),
	uint64_t offer, const void *arg);

/* As il_waiters_call_all, without the latch, which cannot be had. */
void il_waiters_wake(struct il_waiters *w, uint64_t offer);

/* Is a process on its way? Without the latch, too. */
bool il_waiters_any_called(const struct il_waiters *w);

/* A process died with the latch: calls all. */
void il_waiters_recover(struct il_waiters *w);

/* The object is no more, whatever has the latch: all try again. */
void il_waiters_wake_all(struct il_waiters *w);

#endif
