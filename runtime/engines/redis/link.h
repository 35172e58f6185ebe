/* SPDX-License-Identifier: MIT
 *
 * One connection to a server: hiredis' asynchronous context on our loop. What is said on it is written when the loop asks
 * the kernel next, all at once.
 * Floor 2.
 */
#ifndef IL_REDIS_LINK_H
#define IL_REDIS_LINK_H

#include "engines/redis/url.h"
#include "loop/loop.h"
#include "loop/poller.h"

#include <hiredis/async.h>

struct il_link {
	redisAsyncContext *context; /* NULL: there is no connection */
	struct il_io io;
	struct il_poller writer;
	bool connected, up;
	int greetings;              /* that are not answered yet */
	void (*opened)(struct il_link *l);
	/* err, and why, good during the call; it is closed already. Not called by il_link_close. */
	void (*lost)(struct il_link *l, int err, const char *why);
	bool (*wanted)(struct il_link *l); /* does anybody wait for it? */
};

/* Begins to connect: `opened` or `lost` will be called. 0 or errno, and *why. */
int il_link_open(struct il_link *l, const struct il_url *url, const char **why);

void il_link_close(struct il_link *l);

/* Says a command that has been formatted; `answered` as of hiredis: reply NULL when the connection is closed. 0 or errno. */
int il_link_say(struct il_link *l, const char *command, size_t size, redisCallbackFn *answered, void *data);

/* Writes what there is, as far as the server takes it. */
void il_link_flush(struct il_link *l);

/* Reads what there is, for who has not been back in the loop for long. */
void il_link_look(struct il_link *l);

/* At the end of the process: writes, and waits a moment until the server has taken and answered it. */
void il_link_drain(struct il_link *l);

/* In `answered`: the reply is not to be freed, it is the caller's now. */
void il_link_keep(redisReply *reply);

#endif
