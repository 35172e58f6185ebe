/* SPDX-License-Identifier: MIT
 *
 * Messages over a descriptor, see stream.h: what a stream sends. Writing is direct: what the descriptor does not take
 * of a begun message is copied, and the next message waits until the copy is out. Floor 1c.
 */
#include "loop/epoll.h"
#include "stream/stream.h"
#include "stream/stream_parts.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

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

/* The loop sends the rest, whoever waits for that. Half a message is out, so failing here is the end of the stream. A
 * file (EPERM) is not watched: it has taken what it could, and says now why that was not all. */
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
	struct il_packet *p = il_packet_new(s->in.lines, op->data, op->size);
	if (p && op->fd >= 0)
		p->bytes[0] |= (char)0x80;
	return p;
}

/* True: done, or failed. A begun message is done when its rest is sent. */
static bool transmit(struct il_stream *s, struct il_op *op)
{
	size_t size = op->size;
	char head[IL_FRAME_HEADER] = { (char)(size >> 24), (char)(size >> 16), (char)(size >> 8), (char)size },
	     tail = '\n';
	struct iovec parts[3] = { { head, s->in.lines ? 0 : sizeof head }, { op->data, size }, { &tail, s->in.lines } };
	if (s->finished)
		return il_stream_fails(op, EPIPE);
	if (op->fd >= 0)
		head[0] |= (char)0x80;
	ssize_t n = il_transport_write(&s->transport, parts, 3, op->fd);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		return il_stream_fails(op, errno == EPIPE ? ECONNRESET : errno);
	if ((size_t)n == parts[0].iov_len + size + parts[2].iov_len)
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
