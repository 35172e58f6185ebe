/* SPDX-License-Identifier: MIT
 *
 * Bytes to be sent: packets that the descriptor did not take at once, or that are to be sent together. A packet is a
 * whole frame, encoded once and shared by all streams that are to send it; or many frames that were gathered for one
 * stream. Floor 1c: no lua.h.
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

struct il_gathering;

struct il_write_queue {
	struct il_list queue; /* of packets, the first perhaps begun */
	size_t bytes; /* not sent yet */
	struct il_gathering *gathering; /* where frames are gathered; NULL: no memory for that is held */
};

/* A frame of a message, with one reference. NULL: no memory. */
struct il_packet *il_packet_new(bool newlines, const void *data, size_t size);

/* How many frames the bytes are. */
size_t il_frames_count(bool newlines, const void *frames, size_t size);

/* A packet of bytes that are frames already, or a part of one. */
struct il_packet *il_packet_raw(const void *data, size_t size);

void il_packet_drop(struct il_packet *p);

void il_write_queue_init(struct il_write_queue *out);
void il_write_queue_fini(struct il_write_queue *out);

/* Puts a packet, whose first `sent` bytes are out, at the end; takes a reference of its own. 0 or ENOMEM. */
int il_write_queue_add(struct il_write_queue *out, struct il_packet *p, size_t sent);

/* Appends so many bytes, which the caller fills in at once. NULL: no memory. */
char *il_write_queue_reserve(struct il_write_queue *out, size_t size);

/* Sends what the descriptor takes. 0: all; EAGAIN; or errno. */
int il_write_queue_flush(struct il_write_queue *out, struct il_transport *transport);

/* Forgets the oldest packet that has not been begun, of those that were added. False: there is none. */
bool il_write_queue_drop_oldest(struct il_write_queue *out);

#endif
