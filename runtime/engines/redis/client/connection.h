/* SPDX-License-Identifier: MIT
 *
 * One connection to a node: a socket on our loop, plain or with TLS, and the replies that come from it. What is sent
 * is written when the loop asks the kernel next, all at once. A turn of the loop reads so many bytes and no more: a
 * reply without an end stops nothing else. Knows nothing of what is said. Floor 2.
 */
#ifndef IL_REDIS_CONNECTION_H
#define IL_REDIS_CONNECTION_H

#include "engines/redis/client/lookup.h"
#include "engines/redis/client/resp.h"
#include "engines/redis/client/tls.h"
#include "engines/redis/client/url.h"
#include "loop/epoll.h"
#include "loop/poller.h"

enum il_connection_phase { IL_CLOSED, IL_LOOKING_UP, IL_CONNECTING, IL_SHAKING_HANDS, IL_CONNECTED };

struct il_connection {
	enum il_connection_phase phase;
	uint32_t generation; /* changes with each close */
	const struct il_url *url; /* of what is open */
	const struct il_host *host;
	struct il_io io;
	struct il_tls_session *tls; /* NULL: plain */
	struct il_poller writer; /* something is to be written */
	struct il_poller reader; /* there is more than one turn has read */
	bool ending; /* the other end has closed: what is left is read to its end */
	bool reading; /* a reply is being handed out */
	struct il_lookup *lookup;
	struct addrinfo *addresses, *next; /* the next to be tried */
	struct il_parser parser;
	bool answers; /* a reply has come */
	struct il_resp out; /* what was sent; bytes from `written` on are not written yet */
	size_t written;
	void *owner; /* of what follows */
	void (*connected)(struct il_connection *c);
	/* The reply is good during the call, which may close the connection. */
	void (*replied)(struct il_connection *c, const struct il_reply *r);
	/* The connection is closed already; `why` is good during the call. il_connection_close does not call it. */
	void (*lost)(struct il_connection *c, int err, const char *why);
	bool (*wanted)(struct il_connection *c); /* does anything wait for a reply? */
};

/* Once. The four functions are to be set then. */
void il_connection_init(struct il_connection *c);

/* Begins to connect: the loop will call `connected` or `lost`. URL and host must stay until it is closed. 0 or errno.
 */
int il_connection_open(struct il_connection *c, const struct il_url *url, const struct il_host *host);

/* Harmless if it is closed. */
void il_connection_close(struct il_connection *c);

/* Closes it for good. */
void il_connection_fini(struct il_connection *c);

/* Closes it, and calls `lost`. why NULL: what TLS says, or errno. */
void il_connection_fail(struct il_connection *c, int err, const char *why);

/* Sends bytes, which are copied. 0; ENOTCONN, ENOMEM. */
int il_connection_send(struct il_connection *c, const char *bytes, size_t size);

/* Writes now what the kernel takes. */
void il_connection_flush(struct il_connection *c);

/* Reads a turn's worth now: for a caller that has kept the loop waiting. */
void il_connection_read(struct il_connection *c);

/* At the end of the process: writes, and waits a moment until the server has read it. */
void il_connection_drain(struct il_connection *c);

#endif
