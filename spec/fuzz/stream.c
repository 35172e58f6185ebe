/* SPDX-License-Identifier: MIT
 *
 * Foreign bytes for the reader of messages: they go into one end of a socket pair or of a pipe in chunks, and the other
 * end takes messages until it is told that there are no more. The first bytes choose the framing, the limit, the
 * chunks, the kind of the ends, and whether the receiver only tries or stands in line. What arrives is held against a
 * reader that has all bytes at once.
 */
#include "fuzz.h"

#include "loop/loop.h"
#include "stream/state.h"
#include "stream/stream.h"
#include "stream/stream_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 4, MAX_INPUT = 60000, HANDLE = 0x80 };

#define CHECK(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

static const struct il_op_type receive_type = {
	"message",
	il_stream_receive_attempt,
	il_stream_receive_start,
	il_stream_cancel,
};
static const struct il_op_type handle_type = {
	"handle",
	il_stream_handle_attempt,
	il_stream_receive_start,
	il_stream_cancel,
};

static struct {
	const uint8_t *bytes;
	size_t size, at;
	struct il_stream_options options;
	bool text; /* of a pipe: its last line may have no newline */
} model;

/* The operation brings the next `size` bytes, behind `before` and ahead of `after` bytes of framing. */
static bool brings(const struct il_op *op, size_t before, size_t size, size_t after)
{
	CHECK(op->err == 0 && op->size == size && op->fd == -1);
	CHECK(size == 0 || memcmp(op->data, model.bytes + model.at + before, size) == 0);
	model.at += before + size + after;
	return true;
}

static bool ends(const struct il_op *op, int err)
{
	CHECK(op->err == err);
	return false;
}

static bool expected_line(const struct il_op *op)
{
	const uint8_t *p = model.bytes + model.at;
	size_t left = model.size - model.at;
	const uint8_t *newline = left ? memchr(p, '\n', left) : NULL;
	size_t size = newline ? (size_t)(newline - p) : left;
	if (size > model.options.max_message)
		return ends(op, EMSGSIZE);
	if (newline || (left && model.text))
		return brings(op, 0, size, newline != NULL);
	return ends(op, ECONNRESET);
}

/* Whether the operation says what the bytes do. False: that was the end. */
static bool expected(struct il_stream *s, struct il_op *op)
{
	if (model.options.newlines)
		return expected_line(op);
	const uint8_t *p = model.bytes + model.at;
	size_t left = model.size - model.at;
	if (left < IL_FRAME_HEADER)
		return ends(op, ECONNRESET);
	uint32_t header = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	bool handle = p[0] & HANDLE && !model.text; /* of a socket */
	uint32_t length = handle ? header & INT32_MAX : header;
	if (length > model.options.max_message && !(handle && length <= IL_FRAME_HANDLE_TEXT)) {
		CHECK(op->size == header);
		return ends(op, EMSGSIZE);
	}
	if (left - IL_FRAME_HEADER < length)
		return ends(op, ECONNRESET);
	if (handle) { /* it stays until it is asked for */
		CHECK(op->err == EPROTO);
		il_op_clear(op);
		il_op_init(op, &handle_type, s, 0);
		CHECK(il_stream_handle_attempt(op));
	}
	return brings(op, IL_FRAME_HEADER, length, 0);
}

static void woken(struct il_wait *w)
{
	(void)w;
}

struct receiver {
	struct il_stream *stream;
	struct il_op op;
	struct il_wait wait;
	bool in_line, waits;
};

/* Takes what there is, or all until the end. True: that was the end. */
static bool receive(struct receiver *r, bool to_the_end)
{
	for (;;) {
		if (!r->waits) {
			il_op_init(&r->op, &receive_type, r->stream, 0);
			if (!receive_type.attempt(&r->op)) {
				if (!r->in_line && !to_the_end)
					return false;
				r->wait = (struct il_wait){ .wake = woken };
				CHECK(il_wait_start(&r->wait, &r->op, 1, INT64_MAX) == 0);
				r->waits = true;
			}
		}
		while (r->waits && r->wait.state == IL_WAITING) {
			CHECK(il_loop_poll(to_the_end ? INT64_MAX : 0) == 0);
			if (!to_the_end && r->wait.state == IL_WAITING)
				return false;
		}
		r->waits = false;
		bool more = expected(r->stream, &r->op);
		il_op_clear(&r->op);
		if (!more)
			return true;
	}
}

/* The descriptor into which the bytes go, and the stream that they come out of. */
static int make_ends(struct il_stream **stream)
{
	int fds[2];
	CHECK((model.text ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) == 0);
	CHECK(il_stream_open(stream, fds[0], &model.options) == 0);
	return fds[1];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool looping;
	if (!looping) {
		il_loop_init();
		il_streams_init();
	}
	looping = true;
	if (size < HEAD || size > MAX_INPUT)
		return 0;
	static const uint32_t limits[] = { 1, 64, 70000, 1 << 20 };
	size_t chunk = bytes[1] & 2 ? (size_t)bytes[2] + 1 : size;
	model.options = (struct il_stream_options){ .max_message = limits[bytes[0] & 3], .newlines = bytes[0] & 4 };
	model.bytes = bytes + HEAD;
	model.size = size - HEAD;
	model.at = 0;
	model.text = bytes[1] & 4;
	struct receiver r = { .in_line = bytes[1] & 1 };
	int fd = make_ends(&r.stream);
	bool end = false;
	for (size_t at = 0; !end && at < model.size; at += chunk) {
		size_t part = model.size - at < chunk ? model.size - at : chunk;
		CHECK(write(fd, model.bytes + at, part) == (ssize_t)part);
		end = receive(&r, false);
	}
	close(fd);
	CHECK(end || receive(&r, true));
	il_stream_close(r.stream);
	return 0;
}

void fuzz_examples(void)
{
	static uint8_t frames[4096];
	size_t at = HEAD;
	for (uint8_t n = 0; n < 60; n++) {
		uint8_t length = (uint8_t)(n * 7 % 65);
		frames[at] = n % 10 == 9 ? HANDLE : 0;
		frames[at + 3] = length;
		memset(frames + at + IL_FRAME_HEADER, n, length);
		at += IL_FRAME_HEADER + length;
	}
	for (uint8_t how = 0; how < 64; how++) {
		frames[0] = how >> 3;
		frames[1] = how & 7;
		frames[2] = (uint8_t)(how * 5);
		fuzz_example(frames, how % 2 ? at : 300);
	}
	fuzz_example("\2\3\7\0\0\0\0\5hello\0\0\0\0\0\1\0\0x", 21);
	fuzz_example("\6\3\3\0one\ntwo\n\nlast", 17);
	fuzz_example("\6\7\3\0one\ntwo\n\nlast", 17);
	fuzz_example("\0\0\0\0\xff\xff\xff\xff", 8);
}

void fuzz_end(void)
{
	il_streams_drop();
	il_loop_fini();
}
