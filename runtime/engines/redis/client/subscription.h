/* SPDX-License-Identifier: MIT
 *
 * What is published on channels of a server, and the objects of this process that listen. Floor 2.
 */
#ifndef IL_REDIS_SUBSCRIPTION_H
#define IL_REDIS_SUBSCRIPTION_H

#include "engines/redis/client/request.h"

/* An object that hears what is published on a channel. All are called on the loop and must not fail. */
struct il_listener {
	struct il_list node; /* in a bucket of the server's */
	struct il_server *server;
	char *channel; /* NULL: does not listen */
	struct il_request *request; /* SUBSCRIBE, on its way */
	uint32_t round; /* the last one in which it was called */
	bool active; /* the server has confirmed it, and everything published since is heard */
	void (*message)(struct il_listener *l, const char *data, size_t size);
	/* Something may have been missed: query the server. Called when the listener becomes active, also again after a
	 * lost connection; before that, as soon as there is a new connection; and when the server has lost all data. */
	void (*up)(struct il_listener *l);
	void (*down)(struct il_listener *l, int err); /* the server is given up, or refuses; it listens no more */
};

/* Subscribes to "base:word". Harmless if it listens already. 0 or errno. */
int il_subscribe(struct il_server *s, struct il_listener *l, const char *base, const char *word);

/* Harmless if it does not listen. */
void il_unsubscribe(struct il_listener *l);

/* For the client: ------------------------------------------------------------------------------------- */

/* There is a connection; it is lost. */
void il_subscriptions_up(struct il_server *s);
void il_subscriptions_lost(struct il_server *s);

/* The server is given up; err 0: all is forgotten, and nothing called. */
void il_subscriptions_end(struct il_server *s, int err);

/* A push, and the request that the server answers next, or NULL. False: it makes no sense. */
bool il_subscriptions_push(struct il_server *s, const struct il_reply *reply, struct il_request *first);

#endif
