/* SPDX-License-Identifier: MIT
 *
 * One connection to a server: a socket on our loop, and the replies that come from it. What is said is written when the
 * loop asks the kernel next, all at once. What comes is read so many bytes a turn, so that replies without an end stop
 * nothing else. Knows not what is said. Floor 2.
 */
#ifndef IL_REDIS_CONNECTION_H
#define IL_REDIS_CONNECTION_H

#include "engines/redis/client/lookup.h"
#include "engines/redis/client/resp.h"
#include "engines/redis/client/url.h"
#include "loop/epoll.h"
#include "loop/poller.h"

enum il_connection_phase { IL_CLOSED, IL_LOOKING_UP, IL_CONNECTING, IL_CONNECTED };

struct il_connection {
	enum il_connection_phase phase;
	uint32_t generation; /* of what is open now */
	struct il_io io;
	struct il_poller writer; /* there is something to be written */
	struct il_poller reader; /* there is more to be read than one turn has read */
	struct il_lookup *lookup;
	struct addrinfo *addresses, *next; /* the next to be tried */
	struct il_parser parser;
	char *out; /* from out_done to out_size it is not written yet */
	size_t out_size, out_done, out_room;
	void (*connected)(struct il_connection *c);
	void (*replied)(struct il_connection *c,
		struct il_reply *r); /* to be freed by it; it may close the connection */
	/* err, and why, good during the call; it is closed already. Not called by il_connection_close. */
	void (*lost)(struct il_connection *c, int err, const char *why);
	bool (*wanted)(struct il_connection *c); /* is anything waited for? */
};

/* Once; the functions are to be set. */
void il_connection_init(struct il_connection *c);

/* Begins to connect: `connected` or `lost` will be called, on the loop. 0 or errno. */
int il_connection_open(struct il_connection *c, const struct il_url *url);

/* Harmless if it is closed. */
void il_connection_close(struct il_connection *c);

/* Says bytes, which are copied. 0; ENOTCONN, ENOMEM. */
int il_connection_say(struct il_connection *c, const char *bytes, size_t size);

/* Writes what there is, as far as the server takes it. */
void il_connection_flush(struct il_connection *c);

/* Reads what there is, a turn of it, while the loop is busy elsewhere. */
void il_connection_look(struct il_connection *c);

/* At the end of the process: writes, and waits a moment until the server has taken and answered it. */
void il_connection_drain(struct il_connection *c);

#endif
