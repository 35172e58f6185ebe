/* SPDX-License-Identifier: MIT
 *
 * Messages over a descriptor, see stream.h: what a stream sends. Writing is direct: what the descriptor does not take
 * of a begun message is copied, and the next message waits until the copy is out. With a buffer, messages are copied
 * into it, and one system call writes many of them. Floor 1c.
 */
#include "stream/stream_send.h"
#include "loop/epoll.h"
#include "stream/gathered.h"
#include "stream/stream.h"
#include "stream/stream_end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { SMALL = 1024 };

static int reason(int err)
{
	return err == EPIPE ? ECONNRESET : err;
}

/* Something that was to be sent, perhaps a part of a message, is lost. The other end has to see the end there. */
static int break_off(struct il_stream *s, int err)
{
	s->broken = reason(err);
	if (s->transport.socket && s->broken != ECONNRESET)
		shutdown(s->transport.fd, SHUT_WR);
	il_list_del(&s->unsent);
	il_write_queue_fini(&s->out);
	return s->broken;
}

/* Where the descriptor cannot be watched, for want of memory, it is tried again whenever the loop asks the kernel. */
static int write_later(struct il_stream *s)
{
	if (il_list_empty(&s->unsent))
		il_streams_add_unsent(s);
	if (il_io_watch(&s->io, EPOLLIN | EPOLLOUT))
		il_gathered_add(s);
	return EAGAIN;
}

int il_stream_flush(struct il_stream *s)
{
	int err = il_list_empty(&s->out.queue) ? 0 : il_write_queue_flush(&s->out, &s->transport);
	il_list_del(&s->gathered);
	if (err)
		return err == EAGAIN ? write_later(s) : break_off(s, err);
	il_list_del(&s->unsent);
	return 0;
}

/* Nothing can be sent any more: 0, or why. */
static inline int refuses(const struct il_stream *s)
{
	return s->finished ? EPIPE : s->broken;
}

/* EAGAIN: it has to wait. True: it is done, or has failed. */
static inline bool ends(struct il_op *op, int err)
{
	return err != EAGAIN && il_stream_fails(op, err);
}

/* One message ---------------------------------------------------------------------------------------- */

static size_t frame_size(const struct il_stream *s, size_t size)
{
	return size + (s->in.newlines ? 1 : IL_FRAME_HEADER);
}

/* Writes the frame of a message; returns its size. */
static size_t put_frame(const struct il_stream *s, const struct il_op *op, char *at)
{
	uint32_t header = htonl((uint32_t)op->size | (op->fd >= 0 ? UINT32_C(1) << 31 : 0));
	if (s->in.newlines)
		at[op->size] = '\n';
	else
		at = (char *)memcpy(at, &header, sizeof header) + sizeof header;
	if (op->size)
		memcpy(at, op->data, op->size);
	return frame_size(s, op->size);
}

/* Writes what the descriptor takes of a message. To copy a small one is cheaper than to have the kernel read a list of
 * its parts. */
static ssize_t write_frame(struct il_stream *s, const struct il_op *op)
{
	char buffer[IL_FRAME_HEADER + SMALL + 1];
	if (op->size > SMALL) {
		uint32_t header = htonl((uint32_t)op->size);
		size_t tail = s->in.newlines, head = tail ? 0 : sizeof header;
		struct iovec parts[] = { { &header, head }, { op->data, op->size }, { "\n", tail } };
		return il_transport_write(&s->transport, parts, 3, op->fd);
	}
	struct iovec all = { buffer, put_frame(s, op, buffer) };
	return il_transport_write(&s->transport, &all, 1, op->fd);
}

static struct il_packet *packet_of(const struct il_stream *s, const struct il_op *op)
{
	struct il_packet *p = il_packet_new(s->in.newlines, op->data, op->size);
	if (p && op->fd >= 0)
		p->bytes[0] |= (char)0x80;
	return p;
}

/* The first bytes of the packet are out, and so the rest has to go. 0, EAGAIN: the loop sends it; or errno. A file is
 * not watched: it has taken what it could, and says now why that was not all. */
static int send_remainder(struct il_stream *s, struct il_packet *p, size_t sent)
{
	int err = p ? il_write_queue_add(&s->out, p, sent) : ENOMEM;
	il_packet_drop(p);
	return err ? break_off(s, err) : il_stream_flush(s);
}

/* True: done, or failed. A begun message is done when its rest is sent. */
static bool transmit(struct il_stream *s, struct il_op *op)
{
	int err = refuses(s);
	if (err)
		return il_stream_fails(op, err);
	ssize_t n = write_frame(s, op);
	if (n < 0)
		return ends(op, reason(errno));
	if ((size_t)n == frame_size(s, op->size))
		return true;
	op->begun = true;
	return ends(op, send_remainder(s, packet_of(s, op), (size_t)n));
}

/* 0: there is room in the buffer. EAGAIN: there is none yet. EMSGSIZE: there never is, and nothing is in the way of a
 * direct write now. Or why nothing can be sent. */
static int room(struct il_stream *s, size_t size)
{
	int err = refuses(s);
	if (err || s->out.bytes + size <= s->buffer)
		return err;
	err = il_stream_flush(s);
	if (!err && size > s->buffer)
		return EMSGSIZE;
	return err == EAGAIN && s->out.bytes + size <= s->buffer ? 0 : err;
}

/* So many bytes of the buffer, which the caller fills in at once. NULL: no memory. */
static char *reserve(struct il_stream *s, size_t size)
{
	char *at = il_write_queue_reserve(&s->out, size);
	if (at && il_list_empty(&s->unsent))
		il_gathered_add(s);
	return at;
}

/* A handle goes by itself, behind what was gathered. */
static bool gather(struct il_stream *s, struct il_op *op)
{
	size_t size = frame_size(s, op->size);
	int err = room(s, op->fd >= 0 ? s->buffer + 1 : size);
	if (err)
		return err == EMSGSIZE ? transmit(s, op) : ends(op, err);
	char *at = reserve(s, size);
	if (!at)
		return il_stream_fails(op, ENOMEM);
	put_frame(s, op, at);
	return true;
}

/* Many ------------------------------------------------------------------------------------------------ */

/* Where the frame ends that has the byte before `at`, of those that begin at op->arg. */
static size_t end_of_frame(const struct il_stream *s, const struct il_op *op, size_t at)
{
	const unsigned char *bytes = op->data;
	size_t end = (size_t)op->arg;
	if (s->in.newlines) {
		const unsigned char *newline = memchr(bytes + at - 1, '\n', op->size - at + 1);
		return (size_t)(newline - bytes) + 1;
	}
	while (end < at) {
		uint32_t header;
		memcpy(&header, bytes + end, sizeof header);
		end += IL_FRAME_HEADER + ntohl(header);
	}
	return end;
}

static int write_many(struct il_stream *s, struct il_op *op)
{
	size_t at = (size_t)op->arg, left = op->size - at;
	struct iovec all = { (char *)op->data + at, left };
	ssize_t n = left ? il_transport_write(&s->transport, &all, 1, -1) : 0;
	if (n < 0)
		return reason(errno);
	at += (size_t)n;
	size_t end = !n ? at : op->state ? op->size : end_of_frame(s, op, at);
	op->begun |= n > 0;
	op->arg = (int64_t)end;
	return end > at ? send_remainder(s, il_packet_raw((char *)op->data + at, end - at), 0) : 0;
}

/* All into the buffer. */
static int gather_many(struct il_stream *s, struct il_op *op)
{
	size_t left = op->size - (size_t)op->arg;
	int err = room(s, left);
	char *at = err ? NULL : reserve(s, left);
	if (err || !at)
		return err ? err : ENOMEM;
	memcpy(at, (char *)op->data + op->arg, left);
	op->arg = (int64_t)op->size;
	return 0;
}

/* If the buffer has no room for all, what was gathered goes out, and these are written behind it. */
static bool transmit_many(struct il_stream *s, struct il_op *op)
{
	int err = refuses(s);
	if (!err && s->buffer && (size_t)op->arg < op->size)
		err = gather_many(s, op);
	if (err == EMSGSIZE)
		err = 0;
	while (!err && (size_t)op->arg < op->size)
		err = write_many(s, op);
	return ends(op, err);
}

/* Operations ----------------------------------------------------------------------------------------- */

/* For the first operation of all. */
static bool serve(struct il_stream *s, struct il_op *op)
{
	if (op->type->attempt == il_stream_flush_attempt)
		return ends(op, s->broken ? s->broken : il_stream_flush(s));
	if (!s->buffer && !il_list_empty(&s->out.queue))
		return false;
	if (op->type->attempt == il_stream_many_attempt)
		return transmit_many(s, op);
	return s->buffer ? gather(s, op) : transmit(s, op);
}

bool il_stream_send_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	if (!il_list_empty(&s->senders))
		return false;
	return s->buffer ? gather(s, op) : il_list_empty(&s->out.queue) && transmit(s, op);
}

bool il_stream_flush_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_list_empty(&s->senders) && serve(s, op);
}

bool il_stream_many_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_list_empty(&s->senders) && serve(s, op);
}

int il_stream_send_start(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_stream_join(s, &s->senders, op, EPOLLIN | EPOLLOUT);
}

/* In a select it is as with one message: what was begun is sent whole. Else the results say after a timeout how many
 * were sent, also if none was; a cancellation raises, unless all are out but the rest that the loop sends. */
bool il_stream_many_cancel(struct il_op *op)
{
	il_list_del(&op->link);
	if (op->state)
		return op->begun;
	return op->wait->winner == IL_TIMEOUT || (op->begun && (size_t)op->arg == op->size);
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
		if (op->begun && op->type->attempt == il_stream_send_attempt)
			op->err = err; /* what was flushed was its rest */
		else if (!serve(s, op))
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
	int err = il_list_empty(&s->senders) ? il_stream_flush(s) : EAGAIN;
	if (err != EAGAIN)
		close_writing(s);
	return err == EAGAIN ? 0 : err;
}

/* Packets are gathered as they are: they are all streams' that are to send them. */
int il_stream_post(struct il_stream *s, struct il_packet *p)
{
	ssize_t n = 0;
	int err = s->buffer ? room(s, p->size) : refuses(s);
	bool gathers = s->buffer && !err;
	if (err && err != EAGAIN && err != EMSGSIZE)
		return err;
	if (!gathers && il_list_empty(&s->out.queue)) {
		struct iovec part = { p->bytes, p->size };
		n = il_transport_write(&s->transport, &part, 1, -1);
		if (n < 0 && errno != EAGAIN)
			return reason(errno);
		n = n < 0 ? 0 : n;
	}
	if ((size_t)n == p->size)
		return 0;
	err = il_write_queue_add(&s->out, p, (size_t)n);
	if (err)
		return n ? break_off(s, err) : err;
	if (!gathers)
		write_later(s);
	else if (il_list_empty(&s->unsent))
		il_gathered_add(s);
	return 0;
}
