/* SPDX-License-Identifier: MIT
 *
 * A connection to a sentinel: it says where the master is, and then, unasked, where the next one is. Floor 2.
 */
#ifndef IL_REDIS_SENTINEL_H
#define IL_REDIS_SENTINEL_H

#include "engines/redis/client/connection.h"

struct il_sentinel {
	struct il_connection connection; /* its lost() and wanted() are the owner's */
	int step; /* which answer comes next */
	/* The address of the master: at first, and whenever it becomes another. */
	void (*named)(struct il_sentinel *s, const char *host, const char *port);
};

/* Once. The three functions are to be set then; the connection is opened as any other. */
void il_sentinel_init(struct il_sentinel *s);

#endif
