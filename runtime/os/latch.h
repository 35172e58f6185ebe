/* SPDX-License-Identifier: MIT
 *
 * A lock in shared memory for a few instructions. It is one word: 0, or the thread that has it; nothing else in the
 * segment is believed. If its owner dies, the kernel says so to the next (it is the thread's "pending" robust futex),
 * so only one latch can be had at a time, and no robust pthread mutex may be locked or unlocked meanwhile. A second one
 * can be joined to it, whose owner's death shows in the first. Floor 1b: no lua.h.
 */
#ifndef IL_OS_LATCH_H
#define IL_OS_LATCH_H

#include "os/patience.h"

#include <stdbool.h>
#include <stdint.h>

/* 0: it is ours. EOWNERDEAD: it is, and its owner died with its work half done. EUCLEAN: its word is damaged.
 * ETIMEDOUT: its owner is stopped (SIGSTOP); the first such call blocks until that is sure. */
int il_latch(uint32_t *word, struct il_patience *p);

/* The same, or EAGAIN: not now, try again later. It blocks for some milliseconds, and not at all if the owner has not
 * moved since the call before. */
int il_latch_soon(uint32_t *word, struct il_patience *p);

/* Moves all that sleep on the word `from` to the latch (FUTEX_REQUEUE). They wake when it is released, or one does if
 * the owner dies. Call with the latch held. How many there were. */
int il_latch_gather(uint32_t *word, uint32_t *from);

/* Releases it; wakes all that sleep on it if there may be any, or, with `wake`, in any case. If the owner dies between
 * the two, the kernel wakes one. */
void il_unlatch(uint32_t *word, bool wake);

/* Releases it in the state in which it was had by EOWNERDEAD, for the next. */
void il_unlatch_dead(uint32_t *word);

/* With a latch: another one, which every thread takes as a second only with that first one. EOWNERDEAD, too, if its
 * owner died with both. Otherwise as il_latch, or il_latch_soon. */
int il_latch_second(uint32_t *word, struct il_patience *p, bool soon);
void il_unlatch_second(uint32_t *word);

/* The same one without the first. EDEADLK: a thread has both, so the first is to be waited for. Otherwise as il_latch,
 * or il_latch_soon. */
int il_latch_alone(uint32_t *word, struct il_patience *p, bool soon);

#endif
