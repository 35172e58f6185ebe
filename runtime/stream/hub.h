/* SPDX-License-Identifier: MIT
 *
 * One end with many streams at the other: clients come by a pair or by a path in the file system, and go. A message to
 * all is one packet. For a client that does not read, packets are kept up to a limit; then the policy decides. Floor
 * 1c: no lua.h.
 */
#ifndef IL_STREAM_HUB_H
#define IL_STREAM_HUB_H

#include "loop/epoll.h"
#include "loop/timer.h"
#include "stream/stream.h"
#include "stream/unix_socket.h"

enum il_backpressure { IL_BLOCK, IL_DROP_OLDEST, IL_DISCONNECT };

struct il_hub {
	struct il_list clients; /* of struct il_client, in the order they came */
	struct il_list ready; /* those that may have something to be received */
	struct il_list receivers, senders; /* operations */
	struct il_list node; /* among all hubs */
	struct il_unix_socket place;
	struct il_io listener;
	struct il_timer retry; /* while starved */
	struct il_stream_options options;
	enum il_backpressure backpressure;
	size_t limit; /* bytes kept per client */
	int64_t last_id, dropped; /* packets dropped */
	int count; /* of clients */
	struct il_client **by_id; /* client_table.c */
	uint32_t by_id_size;
	bool strangers; /* other users may join, if they may open the path */
	int starved; /* how often in a row no descriptor was left to accept a client */
	pid_t pid; /* that has it, for messages */
	uint32_t generation;
	char *path; /* listened at, as it was given; NULL */
};

struct il_client {
	struct il_list node, ready; /* in the hub's lists */
	struct il_client *next; /* in its chain of by_id */
	struct il_hub *hub;
	struct il_stream *stream;
	int64_t id;
};

void il_hub_init(struct il_hub *h);

/* Closes all; waiting operations end with ECONNRESET. */
void il_hub_close(struct il_hub *h);

/* A new client; *theirs is the other end. 0; or errno, and *theirs is as it was. */
int il_hub_create(struct il_hub *h, struct il_stream **theirs);

/* Has a stream, which it takes over, as that of a new client. 0 or errno. */
int il_hub_add(struct il_hub *h, struct il_stream *s);

/* The waiting receivers get what there is. */
void il_hub_serve_receivers(struct il_hub *h);

/* Takes those out that have closed and have nothing more to be received. */
void il_hub_sweep(struct il_hub *h);

void il_hub_disconnect(struct il_client *c);

/* For struct il_op_type. Receive: data and size as of a stream, arg is the client; EMSGSIZE: its frame was too long and
 * it is disconnected. */
bool il_hub_receive_attempt(struct il_op *op);
int il_hub_receive_start(struct il_op *op);

/* For a receiver of many, behind its first: the client of a message that can be had without a wait and without an
 * error, NULL: there is none. The other takes it. */
struct il_client *il_hub_front(struct il_hub *h, char **data, size_t *size);
void il_hub_skip(struct il_client *c, const char *data, size_t size);

/* Send: data is a struct il_packet, arg the client, or 0 for all; afterwards size is how many it went to. To one:
 * ENOENT, there is no such client; ENOBUFS, it is there, and the packet is dropped. */
bool il_hub_send_attempt(struct il_op *op);
int il_hub_send_start(struct il_op *op);

/* Writes what was gathered for the clients, as far as their descriptors take it. */
void il_hub_flush(struct il_hub *h);

bool il_hub_cancel(struct il_op *op);
bool il_hub_send_cancel(struct il_op *op);

#endif
