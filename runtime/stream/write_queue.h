/* SPDX-License-Identifier: MIT
 *
 * Bytes to be sent: packets that the descriptor did not take at once. A packet is a whole frame, encoded once and
 * shared by all streams that are to send it. Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_WRITE_QUEUE_H
#define IL_STREAM_WRITE_QUEUE_H

#include "base/list.h"
#include "stream/transport.h"

#include <stdint.h>

struct il_packet {
	uint32_t refs;
	size_t size;
	char bytes[];
};

struct il_write_queue {
	struct il_list queue; /* of packets, the first perhaps begun */
	size_t bytes; /* not sent yet */
};

/* A frame of a message, with one reference. NULL: no memory. */
struct il_packet *il_packet_new(bool newlines, const void *data, size_t size);
void il_packet_drop(struct il_packet *p);

void il_write_queue_init(struct il_write_queue *out);
void il_write_queue_fini(struct il_write_queue *out);

/* Puts a packet, whose first `sent` bytes are out, at the end; takes a reference of its own. 0 or ENOMEM. */
int il_write_queue_add(struct il_write_queue *out, struct il_packet *p, size_t sent);

/* Sends what the descriptor takes. 0: all; EAGAIN; or errno. */
int il_write_queue_flush(struct il_write_queue *out, struct il_transport *transport);

/* Forgets the oldest packet that has not been begun. False: there is none. */
bool il_write_queue_drop_oldest(struct il_write_queue *out);

#endif
