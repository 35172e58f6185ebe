/* SPDX-License-Identifier: MIT
 *
 * The write queue over a socket that takes little: packets and gathered bytes come out whole and in order, wherever the
 * socket stops; what is forgotten is not sent; and the count of bytes is right at every step.
 */
#include "stream/frame_reader.h"
#include "stream/write_queue.h"
#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER = 4608, ROUNDS = 20000, LARGEST = 3000 };

static struct il_transport transport;
static int other;
static unsigned random_state = 1;

/* Bytes that were queued and not read yet: each is one more than that before it. */
static unsigned char next_in, next_out;
static size_t expected;

static size_t random_below(size_t n)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % n;
}

static void open_ends(void)
{
	int fds[2], size = SOCKET_BUFFER;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
	CHECK(il_transport_open(&transport, fds[0]) == 0);
	other = fds[1];
}

static void fill(char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (char)next_in++;
	expected += size;
}

static void gather(struct il_write_queue *out, size_t size)
{
	char *at = il_write_queue_reserve(out, size);
	CHECK(at);
	fill(at, size);
}

static void add(struct il_write_queue *out, size_t size)
{
	char bytes[LARGEST];
	fill(bytes, size);
	struct il_packet *p = il_packet_raw(bytes, size);
	CHECK(p && il_write_queue_add(out, p, 0) == 0);
	il_packet_drop(p);
}

static void flush(struct il_write_queue *out)
{
	int err = il_write_queue_flush(out, &transport);
	CHECK(err == 0 || err == EAGAIN);
	CHECK((err == 0) == (out->bytes == 0));
	CHECK((err == 0) == il_list_empty(&out->queue));
}

static void read_some(size_t size)
{
	unsigned char bytes[LARGEST];
	ssize_t n = read(other, bytes, size);
	CHECK(n > 0 || errno == EAGAIN);
	for (ssize_t i = 0; i < n; i++)
		CHECK(bytes[i] == next_out++);
	expected -= n > 0 ? (size_t)n : 0;
}

/* Packets behind what was gathered and the other way round, though a stream has only one kind at a time. */
static void test_order(void)
{
	struct il_write_queue out = { 0 };
	il_write_queue_init(&out);
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = 1 + random_below(LARGEST), before = out.bytes;
		if (i / 100 % 2 && out.bytes < 100000)
			gather(&out, size);
		else if (out.bytes < 100000)
			add(&out, size);
		CHECK(out.bytes == before || out.bytes == before + size);
		if (i % 100 == 99) /* the gathering must be empty before a packet stands behind it */
			while (out.bytes) {
				flush(&out);
				read_some(LARGEST);
			}
		if (random_below(3) == 0)
			flush(&out);
		read_some(1 + random_below(LARGEST));
	}
	while (expected) {
		flush(&out);
		read_some(LARGEST);
	}
	CHECK(out.bytes == 0 && next_in == next_out);
	il_write_queue_fini(&out);
	CHECK(!out.gathering);
}

static void test_forgotten(void)
{
	struct il_write_queue out = { 0 };
	il_write_queue_init(&out);
	CHECK(!il_write_queue_drop_oldest(&out));
	memset(il_write_queue_reserve(&out, 10), 'g', 10);
	CHECK(!il_write_queue_drop_oldest(&out)); /* it is many messages */
	struct il_packet *p = il_packet_new(false, "message", 7);
	CHECK(il_write_queue_add(&out, p, 0) == 0 && il_write_queue_add(&out, p, 3) == 0);
	CHECK(p->refs == 3 && out.bytes == 10 + 11 + 8);
	CHECK(il_write_queue_drop_oldest(&out) && out.bytes == 10 + 8 && p->refs == 2);
	CHECK(!il_write_queue_drop_oldest(&out)); /* the other one has begun */
	il_write_queue_fini(&out);
	CHECK(out.bytes == 0 && p->refs == 1 && il_list_empty(&out.queue));
	CHECK(il_write_queue_reserve(&out, 5000) && out.bytes == 5000);
	il_write_queue_fini(&out);
	il_packet_drop(p);
}

static void test_count(void)
{
	CHECK(il_frames_count(true, "", 0) == 0 && il_frames_count(false, "", 0) == 0);
	CHECK(il_frames_count(true, "one\n\ntwo\n", 9) == 3);
	CHECK(il_frames_count(false, "\0\0\0\0\0\0\0\3two\0\0\0\1x", 16) == 3);
}

int main(void)
{
	open_ends();
	test_order();
	test_forgotten();
	test_count();
	il_transport_close(&transport);
	close(other);
	puts("ok");
	return 0;
}
