/* SPDX-License-Identifier: MIT
 *
 * What is published on channels of a server, and the objects of this process that listen. Floor 2.
 */
#ifndef IL_REDIS_SUBSCRIPTION_H
#define IL_REDIS_SUBSCRIPTION_H

#include "engines/redis/client/server.h"

struct il_subscription;

/* An object that hears what is published on a channel. All are called on the loop and must not fail. */
struct il_listener {
	struct il_list node;
	struct il_subscription *subscription; /* NULL: does not listen */
	bool active; /* the server has confirmed it, and everything published since is heard */
	void (*message)(struct il_listener *l, const char *data, size_t size);
	/* Something may have been missed: query the server. Called when the listener becomes active, also again after a
	 * lost connection; before that, as soon as there is a new connection; and when the server has lost all data. */
	void (*up)(struct il_listener *l);
	void (*down)(struct il_listener *l, int err); /* the server is given up, or refuses; it listens no more */
};

/* Subscribes. The channel is copied. Harmless if it listens already. 0 or errno. */
int il_subscribe(struct il_server *s, struct il_listener *l, const char *channel);

/* Harmless if it does not listen. */
void il_unsubscribe(struct il_listener *l);

/* Subscriptions, as a server sees them. */
extern const struct il_server_part il_subscriptions;

#endif
