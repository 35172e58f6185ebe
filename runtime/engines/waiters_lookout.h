/* SPDX-License-Identifier: MIT
 *
 * Lookouts of a table of sleeping processes (waiters.h): which process watches which, beside the one before it.
 * Floor 2.
 */
#ifndef IL_ENGINES_WAITERS_LOOKOUT_H
#define IL_ENGINES_WAITERS_LOOKOUT_H

#include "engines/waiters.h"

/* Has a process that sleeps watch that of `pid`; a third one, or the first, watches the watcher. */
void il_waiters_see_to_watch(struct il_waiters *w, uint32_t pid, uint64_t start);

/* A process that was called is watched by the one behind it, if that knows that it is. Else
 * another one watches it. */
void il_waiters_have_called_watched(struct il_waiters *w, const struct il_waiter *e);

/* Without the latch: is this process to watch that of the i-th lookout, too? */
bool il_waiters_is_watched(const struct il_waiters *w, int i);

#endif
