/* SPDX-License-Identifier: MIT
 *
 * Messages over a descriptor, see stream.h: what a stream sends. Writing is direct: what the descriptor does not take
 * of a begun message is copied, and the next message waits until the copy is out. Floor 1c.
 */
#include "stream/stream_send.h"
#include "loop/epoll.h"
#include "stream/stream.h"
#include "stream/stream_end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { SMALL = 1024 };

int il_stream_flush(struct il_stream *s)
{
	int err = il_list_empty(&s->out.queue) ? 0 : il_write_queue_flush(&s->out, &s->transport);
	if (err == EAGAIN)
		return err;
	il_list_del(&s->unsent);
	if (!err)
		return 0;
	err = err == EPIPE ? ECONNRESET : err;
	s->err = s->err ? s->err : err;
	il_write_queue_fini(&s->out);
	return err;
}

/* The loop sends the remainder, waited for or not. Part of a message is out, so a failure here is the end of the
 * stream. A file (EPERM) is not watched: it has taken what it could, and says now why that was not all. */
static int keep_rest(struct il_stream *s, struct il_packet *p, size_t sent)
{
	int err = p ? il_write_queue_add(&s->out, p, sent) : ENOMEM;
	if (!err && il_list_empty(&s->unsent))
		il_streams_add_unsent(s);
	if (!err)
		err = il_io_watch(&s->io, EPOLLIN | EPOLLOUT);
	if (err == EPERM)
		err = il_stream_flush(s);
	if (err && sent) {
		s->err = err;
		if (s->transport.socket)
			shutdown(s->transport.fd, SHUT_RDWR);
	}
	return err;
}

static struct il_packet *packet_of(const struct il_stream *s, const struct il_op *op)
{
	struct il_packet *p = il_packet_new(s->in.newlines, op->data, op->size);
	if (p && op->fd >= 0)
		p->bytes[0] |= (char)0x80;
	return p;
}

/* Writes what the descriptor takes of a message of `whole` bytes with its frame. To copy a small one is cheaper than
 * to have the kernel read a list of its parts. */
static ssize_t write_frame(struct il_stream *s, const struct il_op *op, size_t *whole)
{
	char buffer[IL_FRAME_HEADER + SMALL + 1];
	uint32_t header = htonl((uint32_t)op->size | (op->fd >= 0 ? UINT32_C(1) << 31 : 0));
	size_t tail = s->in.newlines, head = tail ? 0 : IL_FRAME_HEADER;
	memcpy(buffer, &header, sizeof header);
	*whole = head + op->size + tail;
	if (op->size > SMALL) {
		struct iovec parts[] = { { buffer, head }, { op->data, op->size }, { "\n", tail } };
		return il_transport_write(&s->transport, parts, 3, op->fd);
	}
	if (op->size)
		memcpy(buffer + head, op->data, op->size);
	if (tail)
		buffer[op->size] = '\n';
	struct iovec all = { buffer, *whole };
	return il_transport_write(&s->transport, &all, 1, op->fd);
}

/* True: done, or failed. A begun message is done when its rest is sent. */
static bool transmit(struct il_stream *s, struct il_op *op)
{
	size_t whole;
	if (s->finished)
		return il_stream_fails(op, EPIPE);
	ssize_t n = write_frame(s, op, &whole);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		return il_stream_fails(op, errno == EPIPE ? ECONNRESET : errno);
	if ((size_t)n == whole)
		return true;
	struct il_packet *rest = packet_of(s, op);
	op->err = keep_rest(s, rest, (size_t)n);
	il_packet_drop(rest);
	if (op->err)
		return true;
	op->begun = true;
	op->err = il_stream_flush(s);
	if (op->err != EAGAIN)
		return true;
	op->err = 0;
	return false;
}

bool il_stream_send_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_list_empty(&s->out.queue) && il_list_empty(&s->senders) && transmit(s, op);
}

int il_stream_send_start(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_stream_join(s, &s->senders, op, EPOLLIN | EPOLLOUT);
}

static void close_writing(struct il_stream *s)
{
	if (s->transport.socket) {
		il_transport_finish(&s->transport);
		return;
	}
	il_stream_close_transport(s);
	s->err = s->err ? s->err : ECONNRESET;
}

void il_stream_serve_senders(struct il_stream *s)
{
	int err = il_stream_flush(s);
	if (err == EAGAIN)
		return;
	while (!il_list_empty(&s->senders)) {
		struct il_op *op = il_container_of(s->senders.next, struct il_op, link);
		if (op->begun)
			op->err = err; /* what was flushed was its rest */
		else if (!transmit(s, op))
			return;
		il_list_del(&op->link);
		il_op_finish(op, op->err);
	}
	if (s->finished)
		close_writing(s);
}

int il_stream_finish(struct il_stream *s)
{
	if (s->finished)
		return 0;
	if (!s->transport.writable)
		return EBADF;
	s->finished = true;
	if (il_list_empty(&s->out.queue) && il_list_empty(&s->senders))
		close_writing(s);
	return 0;
}

int il_stream_post(struct il_stream *s, struct il_packet *p)
{
	ssize_t n = 0;
	if (s->finished)
		return EPIPE;
	if (il_list_empty(&s->out.queue)) {
		struct iovec part = { p->bytes, p->size };
		n = il_transport_write(&s->transport, &part, 1, -1);
		if (n < 0 && errno != EAGAIN)
			return errno == EPIPE ? ECONNRESET : errno;
		n = n < 0 ? 0 : n;
	}
	return (size_t)n == p->size ? 0 : keep_rest(s, p, (size_t)n);
}
