/* SPDX-License-Identifier: MIT
 *
 * Received bytes, cut into messages. Reading is greedy: one system call brings as many as there is room for. Framing: a
 * 4-byte big-endian length before each message, or a newline after it. A peer that ends in the middle of a frame was
 * killed, or has given up: part of a frame is no message. A text is an exception: the last line of a pipe or a file may
 * have no newline. On a socket, which carries messages, it must. Where handles can come, a length with its highest bit
 * set announces one: the descriptor that came with its bytes, and a short text that says what it is. Floor 1c: no
 * lua.h.
 */
#ifndef IL_STREAM_FRAME_READER_H
#define IL_STREAM_FRAME_READER_H

#include "stream/transport.h"

#include <stdint.h>

enum { IL_FRAME_HEADER = 4, IL_FRAME_HANDLE_TEXT = 63, IL_PASSED = 8 };

enum il_frame { IL_FRAME_NONE, IL_FRAME_MESSAGE, IL_FRAME_HANDLE, IL_FRAME_TOO_LONG };

struct il_frame_reader {
	char *bytes; /* [start, end) of size are received and not taken */
	size_t start, end, size;
	size_t scanned; /* no newline before this, from start */
	uint64_t received; /* bytes in all: the number of the one at `end` */
	struct il_passed {
		int fd;
		uint64_t until; /* number of the byte behind those that it came with */
	} passed[IL_PASSED]; /* descriptors that have come, in order */
	int passed_count;
	uint32_t max_message;
	bool newlines;
	bool handles; /* can come */
	bool ended; /* the text has ended: its last line needs no newline */
};

/* What is at the front: *data and *size are its message, or the size that too long a frame claims. */
enum il_frame il_frame_reader_front(struct il_frame_reader *in, char **data, size_t *size);

/* Takes what il_frame_reader_front has just found; for a handle returns its descriptor, -1 if none came. Others that
 * came with it are closed. The bytes stay valid until the next fill. */
int il_frame_reader_take(struct il_frame_reader *in, enum il_frame kind, const char *data, size_t size);

/* How many bytes were taken so far. */
static inline uint64_t il_frame_reader_taken(const struct il_frame_reader *in)
{
	return in->received - (in->end - in->start);
}

/* One read. 0, EAGAIN, ECONNRESET at the end, ENOMEM or errno. *emptied: there was less than room for. EMFILE or
 * ENFILE: a handle is next, and this process can have no descriptor more; it stays. */
int il_frame_reader_fill(struct il_frame_reader *in, struct il_transport *transport, bool *emptied);

void il_frame_reader_fini(struct il_frame_reader *in);

#endif
