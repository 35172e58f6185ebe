/* SPDX-License-Identifier: MIT
 *
 * The addresses of a host, see lookup.h. getaddrinfo(3) cannot be interrupted, so a look-up that is forgotten runs on,
 * and frees itself. Floor 2.
 */
#include "engines/redis/client/lookup.h"
#include "base/list.h"
#include "loop/thread_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct il_lookup {
	struct il_job job;
	il_lookup_done *done; /* NULL: forgotten */
	void *owner;
	struct addrinfo *found;
	int problem; /* of getaddrinfo, */
	int err; /* and errno with EAI_SYSTEM */
	char port[12];
	char host[];
};

static int ask(const char *host, const char *port, int flags, struct addrinfo **found)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	*found = NULL;
	return getaddrinfo(host, port, &hints, found);
}

static void work(struct il_job *job)
{
	struct il_lookup *l = il_container_of(job, struct il_lookup, job);
	l->problem = ask(l->host, l->port, AI_ADDRCONFIG, &l->found);
	l->err = errno;
	if (l->problem == EAI_NONAME || l->problem == EAI_ADDRFAMILY) /* only "lo" is up on this machine */
		l->problem = ask(l->host, l->port, 0, &l->found);
}

static int error_of(const struct il_lookup *l)
{
	return l->problem == EAI_SYSTEM ? l->err : l->problem == EAI_MEMORY ? ENOMEM : EHOSTUNREACH;
}

static void ended(struct il_job *job)
{
	struct il_lookup *l = il_container_of(job, struct il_lookup, job);
	if (l->done && !job->forked && l->found)
		l->done(l->owner, l->found, 0, NULL);
	else if (l->done && !job->forked)
		l->done(l->owner, NULL, error_of(l),
			l->problem == EAI_SYSTEM ? strerror(l->err) : gai_strerror(l->problem));
	else if (l->found && !job->forked)
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
	*result = NULL;
	bool address = ask(host, l->port, AI_NUMERICHOST, found) == 0;
	int err = address ? 0 : il_thread_pool_start(&l->job, work, ended);
	if (address || err)
		free(l);
	else
		*result = l;
	return err;
}

void il_lookup_forget(struct il_lookup *l)
{
	l->done = NULL;
}
