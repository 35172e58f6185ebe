/* SPDX-License-Identifier: MIT
 *
 * What a stream sends: each message at once, or several together if the stream has a buffer for that.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_STREAM_SEND_H
#define IL_STREAM_STREAM_SEND_H

#include "stream/stream.h"

#include <stdbool.h>
#include <stddef.h>

/* For struct il_op_type: op->data and op->size are the message, which must stay until the operation has ended; op->fd,
 * if it is not -1, goes with it as a handle. A stream with a buffer is done when the message is in it. */
bool il_stream_send_attempt(struct il_op *op);
int il_stream_send_start(struct il_op *op);

/* For struct il_op_type, with il_stream_send_start: done when all that was sent before has been written. */
bool il_stream_flush_attempt(struct il_op *op);

/* For struct il_op_type, with il_stream_send_start: op->data and op->size are frames, one behind the other; op->arg is
 * how many bytes of them, always whole frames, are sent: 0 at first. Unless op->state is NULL, all are sent when the
 * first byte is. */
bool il_stream_many_attempt(struct il_op *op);
bool il_stream_many_cancel(struct il_op *op);

/* No more is sent, once what was begun is out: the other end comes to its end. 0 or errno. */
int il_stream_finish(struct il_stream *s);

/* For an owner of many: sends a packet, or keeps what cannot be sent yet. 0 or errno. */
int il_stream_post(struct il_stream *s, struct il_packet *p);

/* Writes what was gathered and what could not be sent before. 0 or errno. EAGAIN: the loop writes the rest; else
 * nothing is left. */
int il_stream_flush(struct il_stream *s);

/* Sends what is left, and then for the operations in the queue, as far as the descriptor takes it. */
void il_stream_serve_senders(struct il_stream *s);

#endif
