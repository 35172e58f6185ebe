/* SPDX-License-Identifier: MIT
 *
 * Bytes to be sent, see write_queue.h. The memory in which frames are gathered is used again and again: it grows to
 * what was gathered at most. Floor 1c.
 */
#include "stream/write_queue.h"
#include "stream/frame_reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 64 }; /* packets in one system call */

enum { FIRST_GATHERING = 1024 };

struct unsent {
	struct il_list node;
	struct il_packet *packet;
	size_t sent;
};

/* In the queue whenever its packet has bytes that are not sent. */
struct il_gathering {
	struct unsent u;
	size_t room; /* for bytes of the packet */
};

static struct il_packet *packet_of_size(size_t size)
{
	struct il_packet *p = malloc(sizeof *p + size);
	if (!p)
		return NULL;
	p->refs = 1;
	p->size = size;
	return p;
}

struct il_packet *il_packet_new(bool newlines, const void *data, size_t size)
{
	size_t head = newlines ? 0 : IL_FRAME_HEADER;
	struct il_packet *p = packet_of_size(size + (newlines ? 1 : head));
	if (!p)
		return NULL;
	for (size_t i = 0; i < head; i++)
		p->bytes[i] = (char)(size >> (24 - 8 * i));
	if (size)
		memcpy(p->bytes + head, data, size);
	if (newlines)
		p->bytes[size] = '\n';
	return p;
}

size_t il_frames_count(bool newlines, const void *frames, size_t size)
{
	const char *at = frames, *end = at + size;
	size_t n = 0;
	for (; at < end; n++) {
		uint32_t length;
		if (newlines) {
			at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
			continue;
		}
		memcpy(&length, at, sizeof length);
		at += sizeof length + ntohl(length);
	}
	return n;
}

struct il_packet *il_packet_raw(const void *data, size_t size)
{
	struct il_packet *p = packet_of_size(size);
	if (p)
		memcpy(p->bytes, data, size);
	return p;
}

void il_packet_drop(struct il_packet *p)
{
	if (p && --p->refs == 0)
		free(p);
}

void il_write_queue_init(struct il_write_queue *out)
{
	il_list_init(&out->queue);
	out->bytes = 0;
}

static bool is_gathering(const struct il_write_queue *out, const struct unsent *u)
{
	return out->gathering && u == &out->gathering->u;
}

static void forget(struct il_write_queue *out, struct unsent *u)
{
	out->bytes -= u->packet->size - u->sent;
	il_list_del(&u->node);
	if (is_gathering(out, u)) {
		u->packet->size = u->sent = 0;
		return;
	}
	il_packet_drop(u->packet);
	free(u);
}

void il_write_queue_fini(struct il_write_queue *out)
{
	il_list_drain(struct unsent, u, &out->queue, node)
		forget(out, u);
	if (out->gathering)
		free(out->gathering->u.packet);
	free(out->gathering);
	out->gathering = NULL;
}

int il_write_queue_add(struct il_write_queue *out, struct il_packet *p, size_t sent)
{
	struct unsent *u = malloc(sizeof *u);
	if (!u)
		return ENOMEM;
	p->refs++;
	u->packet = p;
	u->sent = sent;
	out->bytes += p->size - sent;
	il_list_add(&out->queue, &u->node);
	return 0;
}

/* Room for so many bytes more: of what is sent, or else of new memory. */
static bool make_room(struct il_gathering *g, size_t size)
{
	struct il_packet *p = g->u.packet;
	if (g->u.sent) {
		memmove(p->bytes, p->bytes + g->u.sent, p->size - g->u.sent);
		p->size -= g->u.sent;
		g->u.sent = 0;
	}
	size_t room = g->room ? g->room : FIRST_GATHERING;
	while (room < p->size + size)
		room *= 2;
	p = room > g->room ? realloc(p, sizeof *p + room) : p;
	if (!p)
		return false;
	g->u.packet = p;
	g->room = room;
	return true;
}

static struct il_gathering *gathering_new(void)
{
	struct il_gathering *g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	g->u.packet = calloc(1, sizeof *g->u.packet);
	if (!g->u.packet) {
		free(g);
		return NULL;
	}
	il_list_init(&g->u.node);
	return g;
}

char *il_write_queue_reserve(struct il_write_queue *out, size_t size)
{
	struct il_gathering *g = out->gathering;
	if (!g && !(g = out->gathering = gathering_new()))
		return NULL;
	struct il_packet *p = g->u.packet;
	if (g->room - p->size < size && !make_room(g, size))
		return NULL;
	p = g->u.packet;
	if (il_list_empty(&g->u.node))
		il_list_add(&out->queue, &g->u.node);
	char *at = p->bytes + p->size;
	p->size += size;
	out->bytes += size;
	return at;
}

static void advance(struct il_write_queue *out, size_t n)
{
	while (n) {
		struct unsent *u = il_list_first(struct unsent, &out->queue, node);
		size_t rest = u->packet->size - u->sent, part = n < rest ? n : rest;
		u->sent += part;
		out->bytes -= part;
		n -= part;
		if (part == rest)
			forget(out, u);
	}
}

int il_write_queue_flush(struct il_write_queue *out, struct il_transport *transport)
{
	while (!il_list_empty(&out->queue)) {
		struct iovec parts[TOGETHER];
		int count = 0;
		il_list_each(struct unsent, u, &out->queue, node) {
			if (count == TOGETHER)
				break;
			parts[count++] = (struct iovec){ u->packet->bytes + u->sent, u->packet->size - u->sent };
		}
		ssize_t n = il_transport_write(transport, parts, count, -1);
		if (n < 0)
			return errno;
		advance(out, (size_t)n);
	}
	return 0;
}

bool il_write_queue_drop_oldest(struct il_write_queue *out)
{
	il_list_each(struct unsent, u, &out->queue, node)
		if (u->sent == 0 && !is_gathering(out, u)) {
			forget(out, u);
			return true;
		}
	return false;
}
