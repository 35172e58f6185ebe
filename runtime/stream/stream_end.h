/* SPDX-License-Identifier: MIT
 *
 * How a stream ends, and what is left to be sent then.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_STREAM_END_H
#define IL_STREAM_STREAM_END_H

#include "stream/stream.h"

#include <stdbool.h>
#include <stddef.h>

/* Closes: waiting operations end with ECONNRESET, unsent bytes of a message that was begun are still sent. NULL is
 * harmless. */
void il_stream_close(struct il_stream *s);

/* In a forked child: closes the descriptor, sends nothing. NULL is harmless. */
void il_stream_abandon(struct il_stream *s);

/* Of a stream that had so many unsent bytes before the descriptor called: true if it was closed and is gone now. */
bool il_stream_sent(struct il_stream *s, size_t unsent);

/* Is what could not be sent at once still to be waited for? Not while there is something else to do; and not when no
 * byte of it was taken for five seconds. Arms a timer, so that the loop does not sleep longer. */
bool il_streams_unsent(bool nothing_else);

/* It has something that could not be sent at once. */
void il_streams_add_unsent(struct il_stream *s);

/* Forgets what is unsent: in a forked child it is the parent's to send, and behind half a message nothing of the
 * child's can go out. */
void il_streams_drop(void);

#endif
