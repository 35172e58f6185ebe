/* SPDX-License-Identifier: MIT
 *
 * A Redis server as this process uses it: one connection, shared by all objects and tasks, for requests and for what is
 * published; made when first needed, and again when lost. A forked child has its own.
 *
 * It is healthy only while it answers. What was asked and is not answered within the longest ?timeout= of the URLs in
 * use, or within that of a PING after ten seconds of silence in which something was waited for, ends the connection; a
 * new one is made. Patience with a server that does not answer lasts ten seconds, and only the answer to a request
 * renews it. Floor 2.
 */
#ifndef IL_REDIS_SERVER_H
#define IL_REDIS_SERVER_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct il_server;
struct il_subscription;
struct il_url;

/* An object that hears what is published on a channel. All are called on the loop and must not fail. */
struct il_listener {
	struct il_list node;
	struct il_subscription *subscription; /* NULL: does not listen */
	bool active; /* the server has confirmed it, and everything published since is heard */
	void (*message)(struct il_listener *l, const char *data, size_t size);
	/* Something may have happened unheard: to look. It is active for the first time or again; or is about to be,
	 * after a connection was lost; or the server has lost all its data. */
	void (*up)(struct il_listener *l);
	void (*down)(struct il_listener *l, int err); /* the server is given up, or refuses; it listens no more */
};

/* The server of a URL; counted. 0 or errno. */
int il_server_get(const struct il_url *url, struct il_server **s);
void il_server_put(struct il_server *s);

/* Writes now what was asked for, instead of when the loop asks the kernel next: if it may not do so soon. */
void il_server_flush(struct il_server *s);

/* Subscribes. channel: is copied. Harmless if it listens already. 0 or errno. */
int il_server_listen(struct il_server *s, struct il_listener *l, const char *channel);
void il_server_unlisten(struct il_server *s, struct il_listener *l);

/* 16 letters and digits, by which the server's scripts know this process; another one in a forked child. */
const char *il_server_client(struct il_server *s);

/* Its policy is to remove keys as it likes when memory is short, as far as is known. */
bool il_server_evicts(const struct il_server *s);

/* In a forked child: the connections are the parent's, and so are all requests. */
void il_servers_after_fork(void);

void il_servers_fini(void);

#endif
