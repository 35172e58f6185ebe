/* SPDX-License-Identifier: MIT
 *
 * Bytes to be sent, see write_queue.h. Floor 1c.
 */
#include "stream/write_queue.h"
#include "stream/frame_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 16 }; /* packets in one system call */

struct unsent {
	struct il_list node;
	struct il_packet *packet;
	size_t sent;
};

struct il_packet *il_packet_new(bool newlines, const void *data, size_t size)
{
	size_t head = newlines ? 0 : IL_FRAME_HEADER;
	struct il_packet *p = malloc(sizeof *p + size + (newlines ? 1 : head));
	if (!p)
		return NULL;
	p->refs = 1;
	p->size = size + (newlines ? 1 : head);
	for (size_t i = 0; i < head; i++)
		p->bytes[i] = (char)(size >> (24 - 8 * i));
	if (size)
		memcpy(p->bytes + head, data, size);
	if (newlines)
		p->bytes[size] = '\n';
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

static void forget(struct il_write_queue *out, struct unsent *u)
{
	out->bytes -= u->packet->size - u->sent;
	il_list_del(&u->node);
	il_packet_drop(u->packet);
	free(u);
}

void il_write_queue_fini(struct il_write_queue *out)
{
	il_list_drain(struct unsent, u, &out->queue, node)
		forget(out, u);
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
		if (u->sent == 0) {
			forget(out, u);
			return true;
		}
	return false;
}
