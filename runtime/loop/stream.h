/* SPDX-License-Identifier: MIT
 *
 * Messages over a stream socket: each is a 4-byte big-endian length and that many bytes. Receivers and senders
 * stand in lines; a message is received whole or not at all, and a message whose first byte has been sent is
 * sent whole, whatever becomes of its sender. Streams are malloc'ed, since one that is closed may still have to flush.
 * Floor 1: no lua.h.
 */
#ifndef IL_LOOP_STREAM_H
#define IL_LOOP_STREAM_H

#include "loop/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct il_stream;

enum { IL_STREAM_HEADER = 4 };

/* Two connected streams. 0 or errno. */
int il_stream_pair(struct il_stream *pair[2], uint32_t max_message);

/* Closes: who waits gets ECONNRESET, unsent bytes of a message that was begun are still sent. NULL is harmless. */
void il_stream_close(struct il_stream *s);

/* In a forked child: closes the descriptor, sends nothing. */
void il_stream_abandon(struct il_stream *s);

/* Gives up the streams that were closed and still have to flush: at the end, and in a forked child. */
void il_streams_drop(void);

int il_stream_fd(const struct il_stream *s);

/* For struct il_op_type. Receive: op->data and op->size are the message (valid until the stream is used again if not
 * op->owned). err: ECONNRESET, the other end has closed; EMSGSIZE, a frame of op->size bytes is too long and the
 * stream is shut down. */
bool il_stream_receive_attempt(struct il_op *op);
int il_stream_receive_start(struct il_op *op);

/* Send: op->data and op->size are the message, which must stay until the operation has ended. */
bool il_stream_send_attempt(struct il_op *op);
int il_stream_send_start(struct il_op *op);

/* True if the message has been begun and so will be sent. */
bool il_stream_cancel(struct il_op *op);

#endif
