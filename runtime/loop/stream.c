/* SPDX-License-Identifier: MIT
 *
 * Messages over a stream socket, see stream.h. Reading is greedy: one system call brings as many frames as the
 * buffer holds. Writing is direct: what the socket does not take of a begun message is copied, and the next message
 * waits until the copy is sent.
 * Floor 1.
 */
#include "loop/stream.h"
#include "base/clock.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FIRST_BUFFER = 4096, READ_AHEAD = 65536 };

struct il_stream {
	struct il_io io;
	struct il_list receivers, senders; /* operations */
	struct il_list lingering;          /* in il_loop.lingering once closed with unsent bytes */
	char *in;                          /* received bytes: [in_start, in_end) of in_size */
	size_t in_start, in_end, in_size;
	char *out;                         /* the rest of a begun message: [out_start, out_end) */
	size_t out_start, out_end;
	uint32_t max_message;
	int err;                           /* ECONNRESET and the like: nothing more comes */
	bool drained;                      /* the socket was found empty and has not called since */
	bool hangup;                       /* it has called about its end: there is always that to read */
};

static void ready(struct il_io *io, uint32_t events);

static struct il_stream *stream_new(uint32_t max_message)
{
	struct il_stream *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->io.fd = -1;
	s->io.ready = ready;
	s->max_message = max_message;
	il_list_init(&s->receivers);
	il_list_init(&s->senders);
	il_list_init(&s->lingering);
	return s;
}

static void stream_free(struct il_stream *s)
{
	il_list_del(&s->lingering);
	il_io_unwatch(&s->io);
	if (s->io.fd >= 0)
		close(s->io.fd);
	free(s->in);
	free(s->out);
	free(s);
}

int il_stream_pair(struct il_stream *pair[2], uint32_t max_message)
{
	int fds[2], err = ENOMEM;
	pair[0] = stream_new(max_message);
	pair[1] = stream_new(max_message);
	if (pair[0] && pair[1]) {
		err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) ? errno : 0;
		if (!err) {
			pair[0]->io.fd = fds[0];
			pair[1]->io.fd = fds[1];
			return 0;
		}
	}
	free(pair[0]);
	free(pair[1]);
	return err;
}

int il_stream_fd(const struct il_stream *s)
{
	return s->io.fd;
}

static uint32_t length_at(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* A whole frame in the buffer? Takes it. */
static bool take_frame(struct il_stream *s, struct il_op *op)
{
	if (s->in_end - s->in_start < IL_STREAM_HEADER)
		return false;
	uint32_t length = length_at(s->in + s->in_start);
	if (length > s->max_message) {
		op->err = EMSGSIZE;
		op->size = length;
		s->err = ECONNRESET;
		s->in_start = s->in_end = 0;
		shutdown(s->io.fd, SHUT_RDWR);
		return true;
	}
	if (s->in_end - s->in_start - IL_STREAM_HEADER < length)
		return false;
	op->data = s->in + s->in_start + IL_STREAM_HEADER;
	op->size = length;
	s->in_start += IL_STREAM_HEADER + length;
	return true;
}

/* Room for the rest of the frame that has begun, and for some more if frames keep coming. */
static int make_room(struct il_stream *s)
{
	size_t have = s->in_end - s->in_start, want = have + 1;
	if (have >= IL_STREAM_HEADER)
		want = (size_t)length_at(s->in + s->in_start) + IL_STREAM_HEADER;
	if (s->in_start > 0 && (have == 0 || s->in_size - s->in_start < want || s->in_end == s->in_size)) {
		memmove(s->in, s->in + s->in_start, have);
		s->in_start = 0;
		s->in_end = have;
	}
	size_t size = s->in_size ? s->in_size : FIRST_BUFFER;
	while (size < want)
		size = size < READ_AHEAD ? size * 2 : want;
	if (size == s->in_size && s->in_end == s->in_size)
		size *= 2;
	if (size == s->in_size)
		return 0;
	char *grown = realloc(s->in, size);
	if (!grown)
		return ENOMEM;
	s->in = grown;
	s->in_size = size;
	return 0;
}

/* One read. 0, EAGAIN, or the error that ended the stream. A large buffer that is used up shrinks back. */
static int fill(struct il_stream *s)
{
	if (s->in_start == s->in_end && s->in_size > READ_AHEAD) {
		free(s->in);
		s->in = NULL;
		s->in_start = s->in_end = s->in_size = 0;
	}
	int err = make_room(s);
	if (err)
		return err;
	size_t room = s->in_size - s->in_end;
	ssize_t n;
	do
		n = recv(s->io.fd, s->in + s->in_end, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->in_end += (size_t)n;
		s->drained = (size_t)n < room && s->io.slot && !s->hangup;
		if ((size_t)n == room && s->in_size < READ_AHEAD && s->in_end == s->in_size && s->in_start == 0) {
			char *grown = realloc(s->in, s->in_size * 2);
			if (grown) {
				s->in = grown;
				s->in_size *= 2;
			}
		}
		return 0;
	}
	if (n < 0 && errno == EAGAIN) {
		s->drained = s->io.slot != 0;
		return EAGAIN;
	}
	return s->err = n == 0 || errno == EPIPE ? ECONNRESET : errno;
}

static bool receive(struct il_stream *s, struct il_op *op)
{
	for (;;) {
		if (s->in && take_frame(s, op))
			return true;
		if (s->err) {
			op->err = s->err;
			return true;
		}
		if (s->drained && s->io.slot && !op->once)
			return false;
		int err = fill(s);
		if (err == EAGAIN)
			return false;
		if (err == ENOMEM) {
			op->err = ENOMEM;
			return true;
		}
	}
}

bool il_stream_receive_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_list_empty(&s->receivers) && receive(s, op);
}

static int join(struct il_stream *s, struct il_list *line, struct il_op *op, uint32_t events)
{
	int err = il_io_watch(&s->io, events);
	if (!err)
		il_list_add(line, &op->line);
	return err;
}

int il_stream_receive_start(struct il_op *op)
{
	struct il_stream *s = op->source;
	return join(s, &s->receivers, op, EPOLLIN);
}

/* The receivers in line get what there is. Their messages are copied: the buffer moves on before they look. */
static void serve_receivers(struct il_stream *s)
{
	while (!il_list_empty(&s->receivers)) {
		struct il_op *op = il_container_of(s->receivers.next, struct il_op, line);
		size_t start = s->in_start;
		if (!receive(s, op))
			return;
		if (!op->err && op->size) {
			char *copy = malloc(op->size);
			if (copy) {
				memcpy(copy, op->data, op->size);
				op->owned = true;
			} else {
				s->in_start = start; /* the message stays for the next receiver */
				op->err = ENOMEM;
			}
			op->data = copy;
		}
		il_list_del(&op->line);
		il_op_finish(op, op->err);
	}
}

/* Sends the rest of a begun message. True: nothing is left. */
static bool flush(struct il_stream *s)
{
	while (s->out_start < s->out_end) {
		ssize_t n = send(s->io.fd, s->out + s->out_start, s->out_end - s->out_start,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			s->err = s->err ? s->err : errno == EPIPE ? ECONNRESET : errno;
			break;
		}
		s->out_start += (size_t)n;
	}
	free(s->out);
	s->out = NULL;
	s->out_start = s->out_end = 0;
	return true;
}

/* Keeps what the socket did not take of header and message. */
static int keep_rest(struct il_stream *s, const char *header, const struct il_op *op, size_t sent)
{
	size_t total = IL_STREAM_HEADER + op->size;
	s->out = malloc(total - sent);
	if (!s->out)
		return ENOMEM;
	size_t head = sent < IL_STREAM_HEADER ? IL_STREAM_HEADER - sent : 0;
	memcpy(s->out, header + IL_STREAM_HEADER - head, head);
	size_t body = sent > IL_STREAM_HEADER ? sent - IL_STREAM_HEADER : 0;
	if (op->size > body)
		memcpy(s->out + head, (char *)op->data + body, op->size - body);
	s->out_end = total - sent;
	return 0;
}

/* True: done, or failed. A begun message is done when its rest is sent. */
static bool transmit(struct il_stream *s, struct il_op *op)
{
	char header[IL_STREAM_HEADER] = { (char)(op->size >> 24), (char)(op->size >> 16), (char)(op->size >> 8),
					  (char)op->size };
	struct iovec parts[2] = { { header, sizeof header }, { op->data, op->size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n;
	do
		n = sendmsg(s->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		op->err = errno == EPIPE ? ECONNRESET : errno;
		return true;
	}
	if ((size_t)n == op->size + IL_STREAM_HEADER)
		return true;
	op->err = keep_rest(s, header, op, (size_t)n);
	if (!op->err) /* flushed by the loop even if the sender does not wait */
		op->err = il_io_watch(&s->io, EPOLLIN | EPOLLOUT);
	if (op->err) { /* half a message is out and the rest cannot be kept: the stream is of no use any more */
		s->err = op->err;
		shutdown(s->io.fd, SHUT_RDWR);
		return true;
	}
	op->begun = true;
	return flush(s);
}

bool il_stream_send_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return !s->out && il_list_empty(&s->senders) && transmit(s, op);
}

int il_stream_send_start(struct il_op *op)
{
	struct il_stream *s = op->source;
	return join(s, &s->senders, op, EPOLLIN | EPOLLOUT);
}

static void serve_senders(struct il_stream *s)
{
	if (!flush(s))
		return;
	while (!il_list_empty(&s->senders)) {
		struct il_op *op = il_container_of(s->senders.next, struct il_op, line);
		if (!op->begun && !transmit(s, op))
			return;
		il_list_del(&op->line);
		il_op_finish(op, op->begun ? 0 : op->err);
	}
}

bool il_stream_cancel(struct il_op *op)
{
	il_list_del(&op->line);
	return op->begun;
}

static void ready(struct il_io *io, uint32_t events)
{
	struct il_stream *s = il_container_of(io, struct il_stream, io);
	if (events & ~(uint32_t)EPOLLOUT) {
		s->drained = false;
		s->hangup = s->hangup || events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
		serve_receivers(s);
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		serve_senders(s);
		if (!il_list_empty(&s->lingering) && !s->out)
			stream_free(s);
	}
}

void il_stream_close(struct il_stream *s)
{
	if (!s)
		return;
	il_op_finish_all(&s->receivers, ECONNRESET);
	il_op_finish_all(&s->senders, ECONNRESET);
	if (!flush(s) && il_io_watch(&s->io, EPOLLIN | EPOLLOUT) == 0)
		il_list_add(&il_loop.lingering, &s->lingering);
	else
		stream_free(s);
}

void il_stream_abandon(struct il_stream *s)
{
	if (s)
		stream_free(s);
}

void il_streams_drop(void)
{
	while (!il_list_empty(&il_loop.lingering))
		stream_free(il_container_of(il_loop.lingering.next, struct il_stream, lingering));
}
