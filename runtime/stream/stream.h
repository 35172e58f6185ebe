/* SPDX-License-Identifier: MIT
 *
 * Messages over a descriptor. Receivers and senders wait in queues; a message is received whole or not at all, and one
 * whose first byte has been sent is sent whole, whatever becomes of its sender. Streams are malloc'ed, since one that
 * is closed may still have to flush; the end of the program waits for that, with a bound.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_STREAM_H
#define IL_STREAM_STREAM_H

#include "loop/epoll.h"
#include "loop/op.h"
#include "stream/frame_reader.h"
#include "stream/write_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct il_stream {
	struct il_io io;
	struct il_transport transport;
	struct il_frame_reader in;
	struct il_write_queue out;
	struct il_list receivers, senders; /* operations */
	struct il_list unsent; /* in il_streams.unsent from when something could not be sent at once until it is */
	struct il_list gathered; /* in il_streams.gathered when something is to be written before the loop next waits */
	size_t buffer; /* as the option says */
	int err; /* ECONNRESET and the like: nothing more comes */
	int broken; /* the same of what is sent: something was lost, so nothing can follow */
	bool drained; /* the descriptor was found empty and has not called since */
	bool hangup; /* it has called about its end: there is always that to read */
	bool finished; /* nothing more is to be sent */
	bool closed; /* its handle is closed: it goes when all is sent */
	/* for an owner of many: something came or can be sent; may close the stream */
	void (*called)(struct il_stream *s);
	void *owner;
};

struct il_stream_options {
	uint32_t max_message;
	uint32_t buffer; /* so many bytes of sent messages are gathered; 0: each is written at once */
	bool newlines;
};

/* Two connected streams, or one over a descriptor, which it takes over even if it fails. 0 or errno. */
int il_stream_pair(struct il_stream *pair[2], const struct il_stream_options *o);
int il_stream_open(struct il_stream **s, int fd, const struct il_stream_options *o);

/* Handles that come are frames that are too long; their descriptors do not get in. */
void il_stream_refuse_handles(struct il_stream *s);

/* For struct il_op_type. Receive: op->data and op->size are the message (valid until the stream is used again if not
 * op->owned). err: ECONNRESET, the other end has closed; EMSGSIZE, a frame of op->size bytes is too long and the
 * stream is shut down; EPROTO: a handle is next, or is not, and it stays; EMFILE, ENFILE: a descriptor is next, for
 * which there is no room: it stays, too. */
bool il_stream_receive_attempt(struct il_op *op);
int il_stream_receive_start(struct il_op *op);

/* The same for a handle: op->fd is the descriptor, op->data the text that came with it. */
bool il_stream_handle_attempt(struct il_op *op);

/* True if the message has been begun and so will be sent. */
bool il_stream_cancel(struct il_op *op);

/* For an owner of many: takes a message that is there, as receive does, with a copy of its own if `copy`; false: none.
 * is_drained: nothing is there before the descriptor calls. at_end: nothing is there and nothing will come. */
bool il_stream_take(struct il_stream *s, struct il_op *op, bool copy);
bool il_stream_is_drained(struct il_stream *s);
bool il_stream_at_end(struct il_stream *s);

/* For a receiver of many, behind its first: a message that can be had without a wait and without an error; the other
 * takes it. The bytes stay valid until the stream is used again. */
bool il_stream_front(struct il_stream *s, char **data, size_t *size);
void il_stream_skip(struct il_stream *s, const char *data, size_t size);

/* For stream_send.c and stream_end.c ------------------------------------------------------------------- */

/* The operation is done, and has failed: true. */
static inline bool il_stream_fails(struct il_op *op, int err)
{
	op->err = err;
	return true;
}

/* Puts a wait into a queue, and has the descriptor watched for it. 0 or errno. */
static inline int il_stream_join(struct il_stream *s, struct il_list *queue, struct il_op *op, uint32_t events)
{
	int err = il_io_watch(&s->io, events);
	if (!err)
		il_list_add(queue, &op->link);
	return err;
}

/* Closes the descriptor at once; nothing more is sent. */
void il_stream_close_transport(struct il_stream *s);

#endif
