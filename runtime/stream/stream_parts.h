/* SPDX-License-Identifier: MIT
 *
 * What the files of struct il_stream share: stream.c, which receives, stream_send.c and stream_end.c.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_STREAM_PARTS_H
#define IL_STREAM_STREAM_PARTS_H

#include "loop/epoll.h"
#include "stream/stream.h"

/* The operation is done, and has failed: true. */
static inline bool il_stream_fails(struct il_op *op, int err)
{
	op->err = err;
	return true;
}

/* Puts a wait into a line, and has the descriptor watched for it. 0 or errno. */
static inline int il_stream_join(struct il_stream *s, struct il_list *line, struct il_op *op, uint32_t events)
{
	int err = il_io_watch(&s->io, events);
	if (!err)
		il_list_add(line, &op->link);
	return err;
}

/* It has something that could not be sent at once. */
void il_streams_add_unsent(struct il_stream *s);

/* Closes the descriptor at once; nothing more is sent. */
void il_stream_close_transport(struct il_stream *s);

/* Sends what could not be sent before: 0 or errno. Unless it is EAGAIN, nothing is left. */
int il_stream_flush(struct il_stream *s);

/* Of a stream that had so many unsent bytes before the descriptor called: true if it was closed and is gone now. */
bool il_stream_sent(struct il_stream *s, size_t unsent);

/* Sends what is left, and then for those in line, as far as the descriptor takes it. */
void il_stream_serve_senders(struct il_stream *s);

#endif
