/* SPDX-License-Identifier: MIT
 *
 * Which node of a server is connected to next: the hosts of the URL in turn; or the node that a sentinel, or a MOVED,
 * has named. A round ends when all hosts of the URL have failed. Floor 2.
 */
#ifndef IL_REDIS_ROUTE_H
#define IL_REDIS_ROUTE_H

#include "engines/redis/client/url.h"

struct il_route {
	const struct il_url *url;
	int at; /* host of the URL */
	int left; /* hosts that this round has not tried */
	bool named, moved; /* `node` is the next one; a MOVED has named it */
	struct il_host node;
	char name[256];
};

void il_route_init(struct il_route *r, const struct il_url *url);

/* The node to connect to; stays until the next change of the route. */
const struct il_host *il_route_node(const struct il_route *r);

/* Is that a sentinel, to be asked for the master? */
bool il_route_is_sentinel(const struct il_route *r);

/* Is that one of several nodes, which may be a replica? */
bool il_route_is_one_of_many(const struct il_route *r);

/* The node has failed. True: another host is to be tried at once; false: the round is over, and the next one begins. */
bool il_route_next(struct il_route *r);

/* A node that answered until now is lost: a new round begins, with the same host. */
void il_route_restart(struct il_route *r);

/* A sentinel has named the master. False: that is no name of a node. */
bool il_route_name(struct il_route *r, const char *name, const char *port);

/* Has it been named, and is it the next one? */
bool il_route_is_named(const struct il_route *r, const char *name, const char *port);

/* The sentinel to be watched, while the master stays. */
const struct il_host *il_route_next_sentinel(struct il_route *r);

/* "MOVED slot host:port". False: that is no such reply, or one was followed already. */
bool il_route_follow(struct il_route *r, const char *reply);

/* "redis server host:port", for messages. */
void il_route_show(const struct il_route *r, char *text, size_t size);

#endif
