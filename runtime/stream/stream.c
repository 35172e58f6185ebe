/* SPDX-License-Identifier: MIT
 *
 * Messages over a descriptor, see stream.h: how a stream begins, and what it receives. What it sends is in
 * stream_send.c, its end in stream_end.c. A descriptor that was found empty is not read again until the loop has
 * called. Floor 1c.
 */
#include "stream/stream.h"
#include "loop/epoll.h"
#include "stream/stream_end.h"
#include "stream/stream_send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void ready(struct il_io *io, uint32_t events);

/* Does an operation wait, does an owner serve it, or is there something to be sent? */
static bool wanted(struct il_io *io)
{
	struct il_stream *s = il_container_of(io, struct il_stream, io);
	return s->called || s->out.bytes || !il_list_empty(&s->receivers) || !il_list_empty(&s->senders);
}

static struct il_stream *stream_new(const struct il_stream_options *o)
{
	struct il_stream *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->io.fd = s->transport.fd = -1;
	s->io.ready = ready;
	s->io.wanted = wanted;
	s->in.max_message = o->max_message;
	s->in.newlines = o->newlines;
	s->buffer = o->buffer;
	il_write_queue_init(&s->out);
	il_list_init(&s->receivers);
	il_list_init(&s->senders);
	il_list_init(&s->unsent);
	il_list_init(&s->gathered);
	return s;
}

static int attach(struct il_stream *s, int fd)
{
	int err = il_transport_open(&s->transport, fd);
	s->io.fd = s->transport.fd;
	s->in.handles = s->transport.passes && !s->in.newlines;
	return err;
}

int il_stream_open(struct il_stream **result, int fd, const struct il_stream_options *o)
{
	struct il_stream *s = stream_new(o);
	if (!s) {
		close(fd);
		return ENOMEM;
	}
	int err = attach(s, fd);
	if (err) {
		il_stream_abandon(s);
		return err;
	}
	*result = s;
	return 0;
}

int il_stream_pair(struct il_stream *pair[2], const struct il_stream_options *o)
{
	int fds[2], err = il_epoll_open(); /* or they could not be waited for later */
	pair[0] = stream_new(o);
	pair[1] = stream_new(o);
	if (!err)
		err = pair[0] && pair[1] ? 0 : ENOMEM;
	if (!err) {
		err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) ? errno : 0;
		if (!err) {
			err = attach(pair[0], fds[0]);
			int other = attach(pair[1], fds[1]);
			err = err ? err : other;
		}
	}
	if (err) {
		il_stream_abandon(pair[0]);
		il_stream_abandon(pair[1]);
	}
	return err;
}

void il_stream_refuse_handles(struct il_stream *s)
{
	s->transport.passes = s->in.handles = false;
}

void il_stream_close_transport(struct il_stream *s)
{
	il_io_unwatch(&s->io);
	il_transport_close(&s->transport);
	s->io.fd = -1;
	s->finished = true;
}

/* Receiving ------------------------------------------------------------------------------------------- */

/* What follows a frame that is too long cannot be told apart. The peer shall not wait until we read it, and senders
 * here shall be told. */
static void give_up(struct il_stream *s)
{
	s->err = ECONNRESET;
	il_frame_reader_fini(&s->in);
	if (s->transport.socket) {
		shutdown(s->transport.fd, SHUT_RDWR); /* and the loop tells the senders */
		return;
	}
	il_stream_close_transport(s);
	il_write_queue_fini(&s->out);
	il_op_finish_all(&s->senders, ECONNRESET);
}

/* A whole frame in the buffer? Takes it. */
static bool take(struct il_stream *s, struct il_op *op, enum il_frame wanted)
{
	char *data;
	size_t size;
	enum il_frame kind = il_frame_reader_front(&s->in, &data, &size);
	if (kind == IL_FRAME_NONE)
		return false;
	if (kind == IL_FRAME_TOO_LONG) {
		op->size = size;
		give_up(s);
		return il_stream_fails(op, EMSGSIZE);
	}
	if (kind != wanted)
		return il_stream_fails(op, EPROTO);
	op->data = data;
	op->size = size;
	op->fd = il_frame_reader_take(&s->in, kind, data, size);
	return true;
}

/* It may be otherwise the next time. */
static bool passing(int err)
{
	return err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE;
}

/* 0, EAGAIN, or the error of a read. */
static int fill(struct il_stream *s)
{
	bool emptied;
	int err = il_frame_reader_fill(&s->in, &s->transport, &emptied);
	if (emptied && (err == EAGAIN || !s->hangup))
		s->drained = s->io.index != 0;
	if (err && !passing(err))
		s->err = err == EPIPE ? ECONNRESET : err;
	return err;
}

static bool receive(struct il_stream *s, struct il_op *op, enum il_frame wanted)
{
	for (;;) {
		if (s->in.bytes && take(s, op, wanted))
			return true;
		if (s->err)
			return il_stream_fails(op, s->err);
		if (s->drained && s->io.index && !op->once)
			return false;
		int err = fill(s);
		if (err == EAGAIN)
			return false;
		if (err && !s->err)
			return il_stream_fails(op, err);
	}
}

bool il_stream_receive_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_list_empty(&s->receivers) && receive(s, op, IL_FRAME_MESSAGE);
}

bool il_stream_handle_attempt(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_list_empty(&s->receivers) && receive(s, op, IL_FRAME_HANDLE);
}

int il_stream_receive_start(struct il_op *op)
{
	struct il_stream *s = op->source;
	return il_stream_join(s, &s->receivers, op, EPOLLIN);
}

/* The task reads the message later, when the buffer has moved on. Without memory for a copy it stays where it is. */
static void keep(struct il_stream *s, struct il_op *op, size_t start)
{
	char *copy = malloc(op->size ? op->size : 1);
	if (copy) {
		memcpy(copy, op->data, op->size);
		op->data = copy;
		op->owned = true;
		return;
	}
	s->in.start = start;
	op->data = NULL;
	op->err = ENOMEM;
}

/* The waiting receivers get what there is. */
static void serve_receivers(struct il_stream *s)
{
	while (!il_list_empty(&s->receivers)) {
		struct il_op *op = il_container_of(s->receivers.next, struct il_op, link);
		bool handle = op->type->attempt == il_stream_handle_attempt;
		size_t start = s->in.start;
		if (!receive(s, op, handle ? IL_FRAME_HANDLE : IL_FRAME_MESSAGE))
			return;
		if (!op->err && (op->size || op->fd >= 0))
			keep(s, op, start);
		il_list_del(&op->link);
		il_op_finish(op, op->err);
	}
}

bool il_stream_take(struct il_stream *s, struct il_op *op, bool copy)
{
	size_t start = s->in.start;
	if (!receive(s, op, IL_FRAME_MESSAGE))
		return false;
	if (!op->err && op->size && copy)
		keep(s, op, start);
	return true;
}

bool il_stream_front(struct il_stream *s, char **data, size_t *size)
{
	enum il_frame kind = IL_FRAME_NONE;
	while (il_list_empty(&s->receivers)) {
		if (s->in.bytes)
			kind = il_frame_reader_front(&s->in, data, size);
		if (kind != IL_FRAME_NONE || s->err || s->drained || !s->io.index || fill(s))
			break;
	}
	return kind == IL_FRAME_MESSAGE;
}

void il_stream_skip(struct il_stream *s, const char *data, size_t size)
{
	il_frame_reader_take(&s->in, IL_FRAME_MESSAGE, data, size);
}

static bool has_frame(struct il_stream *s)
{
	char *data;
	size_t size;
	return s->in.bytes && il_frame_reader_front(&s->in, &data, &size) != IL_FRAME_NONE;
}

bool il_stream_is_drained(struct il_stream *s)
{
	return s->drained && !s->err && !has_frame(s);
}

bool il_stream_at_end(struct il_stream *s)
{
	for (int err = 0; !err && !s->err; err = fill(s))
		if (has_frame(s))
			return false;
	return s->err && !has_frame(s);
}

/* Both, and the end ----------------------------------------------------------------------------------- */

bool il_stream_cancel(struct il_op *op)
{
	il_list_del(&op->link);
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
		size_t unsent = s->out.bytes;
		il_stream_serve_senders(s);
		if (il_stream_sent(s, unsent))
			return;
	}
	if (s->called)
		s->called(s);
}
