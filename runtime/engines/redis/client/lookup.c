/* SPDX-License-Identifier: MIT
 *
 * The addresses of a host, see lookup.h. getaddrinfo(3) cannot be interrupted, so a look-up that is forgotten runs on,
 * and frees itself. Floor 2.
 */
#include "engines/redis/client/lookup.h"
#include "loop/thread_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct il_lookup {
	struct il_work item;
	il_lookup_done *done; /* NULL: forgotten */
	void *owner;
	struct addrinfo *found;
	int problem; /* of getaddrinfo, */
	int err; /* and errno with EAI_SYSTEM */
	char port[12];
	char host[];
};

static int find(struct il_lookup *l, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	l->found = NULL;
	l->problem = getaddrinfo(l->host, l->port, &hints, &l->found);
	l->err = errno;
	return l->problem;
}

static void work(struct il_work *item)
{
	struct il_lookup *l = il_container_of(item, struct il_lookup, item);
	int problem = find(l, AI_ADDRCONFIG);
	if (problem == EAI_NONAME || problem == EAI_ADDRFAMILY) /* only "lo" is up on this machine */
		find(l, 0);
}

static void ended(struct il_work *item)
{
	struct il_lookup *l = il_container_of(item, struct il_lookup, item);
	int err = !l->problem              ? 0
		: l->problem == EAI_SYSTEM ? l->err
		: l->problem == EAI_MEMORY ? ENOMEM
					   : EHOSTUNREACH;
	if (l->done && !item->forked)
		l->done(l->owner, l->found, err, l->problem == EAI_SYSTEM ? NULL : gai_strerror(l->problem));
	else if (l->found && !item->forked)
		freeaddrinfo(l->found);
	free(l);
}

int il_lookup_start(const char *host, int port, il_lookup_done *done, void *owner, struct addrinfo **found,
	struct il_lookup **result)
{
	size_t size = strlen(host) + 1;
	struct il_lookup *l = calloc(1, sizeof *l + size);
	if (!l)
		return ENOMEM;
	memcpy(l->host, host, size);
	snprintf(l->port, sizeof l->port, "%d", port);
	l->done = done;
	l->owner = owner;
	bool address = find(l, AI_NUMERICHOST) == 0;
	*found = l->found;
	int err = address ? 0 : il_thread_pool_start(&l->item, work, ended); /* from here on it is the thread's */
	*result = address || err ? NULL : l;
	if (!*result)
		free(l);
	return err;
}

void il_lookup_forget(struct il_lookup *l)
{
	l->done = NULL;
}
