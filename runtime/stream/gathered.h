/* SPDX-License-Identifier: MIT
 *
 * The streams in which sent messages are gathered, to be written together: when the program next waits, when it forks
 * and when it ends.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_GATHERED_H
#define IL_STREAM_GATHERED_H

#include "stream/state.h"
#include "stream/stream.h"

/* Something is to be written. Harmless if that is known. */
void il_gathered_add(struct il_stream *s);

/* Writes what was gathered, as far as the descriptors take it; the loop does the rest. */
void il_gathered_flush_all(void);

/* For the loop's driver, whenever it asks the kernel. */
static inline void il_gathered_flush(void)
{
	if (!il_list_empty(&il_streams()->gathered))
		il_gathered_flush_all();
}

#endif
