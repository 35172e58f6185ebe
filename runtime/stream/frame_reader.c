/* SPDX-License-Identifier: MIT
 *
 * Received bytes, see frame_reader.h. Everything here comes from another process: no length is believed before it is
 * compared. Floor 1c.
 */
#include "stream/frame_reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BUFFER = 4096, READ_AHEAD = 65536 };

static const uint32_t HANDLE = UINT32_C(1) << 31;

static size_t have(const struct il_frame_reader *in)
{
	return in->end - in->start;
}

static uint32_t header_at(const struct il_frame_reader *in, size_t at)
{
	uint32_t said;
	memcpy(&said, in->bytes + at, sizeof said);
	return ntohl(said);
}

static uint32_t header(const struct il_frame_reader *in)
{
	return header_at(in, in->start);
}

static enum il_frame front_line(struct il_frame_reader *in, char **data, size_t *size)
{
	*data = in->bytes + in->start;
	if (!have(in))
		return IL_FRAME_NONE;
	char *newline = memchr(*data + in->scanned, '\n', have(in) - in->scanned);
	*size = newline ? (size_t)(newline - *data) : have(in);
	in->scanned = *size;
	if (*size > in->max_message)
		return IL_FRAME_TOO_LONG;
	return newline || in->ended ? IL_FRAME_MESSAGE : IL_FRAME_NONE;
}

enum il_frame il_frame_reader_front(struct il_frame_reader *in, char **data, size_t *size)
{
	if (in->newlines)
		return front_line(in, data, size);
	if (have(in) < IL_FRAME_HEADER)
		return IL_FRAME_NONE;
	uint32_t said = header(in);
	bool handle = in->handles && said & HANDLE;
	uint32_t length = handle ? said & ~HANDLE : said;
	*data = in->bytes + in->start + IL_FRAME_HEADER;
	*size = length;
	if (length > in->max_message && !(handle && length <= IL_FRAME_HANDLE_TEXT)) {
		*size = said; /* as a length, whatever was meant */
		return IL_FRAME_TOO_LONG;
	}
	if (have(in) - IL_FRAME_HEADER < length)
		return IL_FRAME_NONE;
	return handle ? IL_FRAME_HANDLE : IL_FRAME_MESSAGE;
}

/* Takes those out that came with the bytes before `start`, and closes all but the first; or all. */
static int take_passed(struct il_frame_reader *in, bool first)
{
	int fd = -1, count = 0;
	while (count < in->passed_count && in->passed[count].until <= il_frame_reader_taken(in))
		count++;
	for (int i = 0; i < count; i++)
		if (first && i == 0)
			fd = in->passed[i].fd;
		else
			close(in->passed[i].fd);
	in->passed_count -= count;
	memmove(in->passed, in->passed + count, (size_t)in->passed_count * sizeof in->passed[0]);
	return fd;
}

int il_frame_reader_take(struct il_frame_reader *in, enum il_frame kind, const char *data, size_t size)
{
	in->start = (size_t)(data - in->bytes) + size;
	if (in->newlines && in->start < in->end)
		in->start++;
	in->scanned = 0;
	return in->passed_count ? take_passed(in, kind == IL_FRAME_HANDLE) : -1;
}

static int resize(struct il_frame_reader *in, size_t size)
{
	char *grown = realloc(in->bytes, size);
	if (!grown)
		return ENOMEM;
	in->bytes = grown;
	in->size = size;
	return 0;
}

/* Room for the rest of the frame that has begun, and for more if a full buffer shows that they keep coming. */
static int make_room(struct il_frame_reader *in)
{
	size_t want = have(in) + 1;
	if (!in->newlines && have(in) >= IL_FRAME_HEADER)
		want = (size_t)(header(in) & ~HANDLE) + IL_FRAME_HEADER;
	if (in->start > 0 && (!have(in) || in->size - in->start < want || in->end == in->size)) {
		if (have(in))
			memmove(in->bytes, in->bytes + in->start, have(in));
		in->end -= in->start;
		in->start = 0;
	}
	size_t size = in->size ? in->size : FIRST_BUFFER;
	while (size < want)
		size = size < READ_AHEAD || in->newlines ? size * 2 : want;
	if (size == in->size && in->end == in->size)
		size *= 2;
	return size == in->size ? 0 : resize(in, size);
}

/* A large buffer that is used up is given back. */
static void shrink(struct il_frame_reader *in)
{
	if (have(in) || in->size <= READ_AHEAD)
		return;
	free(in->bytes);
	in->bytes = NULL;
	in->start = in->end = in->size = 0;
}

/* Each comes with the first byte of its frame, and no read goes beyond the bytes that were sent with it: more than a
 * few wait only if the peer sends descriptors without frames. */
static void keep_passed(struct il_frame_reader *in, int fd)
{
	if (fd < 0)
		return;
	if (in->passed_count < IL_PASSED)
		in->passed[in->passed_count++] = (struct il_passed){ fd, in->received };
	else
		close(fd);
}

/* How many of the bytes that were peeked at, n behind `end`, stand before the next handle. */
static size_t before_handle(const struct il_frame_reader *in, size_t n)
{
	size_t at = in->start, end = in->end + n;
	while (at < end && (at < in->end || !((unsigned char)in->bytes[at] & 0x80))) {
		if (end - at < IL_FRAME_HEADER)
			return n;
		at += IL_FRAME_HEADER + (header_at(in, at) & ~HANDLE);
	}
	return at < end ? at - in->end : n;
}

/* Without room for a descriptor a handle stays where it is, and what comes before it is read. A descriptor that is no
 * handle's is lost: it would be closed. */
static ssize_t read_without_room(struct il_frame_reader *in, struct il_transport *transport, size_t room, int *passed,
	int err)
{
	ssize_t n = il_transport_peek(transport, in->bytes + in->end, room);
	if (n <= 0)
		return n;
	size_t before = before_handle(in, (size_t)n);
	if (before)
		return il_transport_read(transport, in->bytes + in->end, before, passed);
	errno = err;
	return -1;
}

int il_frame_reader_fill(struct il_frame_reader *in, struct il_transport *transport, bool *emptied)
{
	int passed = IL_NOTHING_PASSED, err;
	*emptied = false;
	shrink(in);
	if ((err = make_room(in)))
		return err;
	size_t room = in->size - in->end;
	ssize_t n = in->handles && (err = il_transport_room(transport))
		? read_without_room(in, transport, room, &passed, err)
		: il_transport_read(transport, in->bytes + in->end, room, &passed);
	if (n < 0) {
		*emptied = errno == EAGAIN;
		return errno;
	}
	in->end += (size_t)n;
	in->received += (uint64_t)n;
	keep_passed(in, passed);
	*emptied = (size_t)n < room && passed == IL_NOTHING_PASSED && !err;
	in->ended = n == 0 && !transport->socket;
	if ((size_t)n == room && in->size < READ_AHEAD && in->start == 0)
		resize(in, in->size * 2);
	return n ? 0 : ECONNRESET;
}

void il_frame_reader_fini(struct il_frame_reader *in)
{
	while (in->passed_count)
		close(in->passed[--in->passed_count].fd);
	free(in->bytes);
	in->bytes = NULL;
	in->start = in->end = in->size = 0;
}
