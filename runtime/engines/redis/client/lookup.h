/* SPDX-License-Identifier: MIT
 *
 * The addresses of a host. A name is looked up on a thread, for that may take seconds; an address needs no thread.
 * Floor 2.
 */
#ifndef IL_REDIS_LOOKUP_H
#define IL_REDIS_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>

struct il_lookup;

/* Called on the loop: with the addresses, to be freed by freeaddrinfo(); or NULL, errno and why, NULL: errno says it.
 */
typedef void il_lookup_done(void *owner, struct addrinfo *found, int err, const char *why);

/* If the host is an address *found has it, and *l is NULL. Else done() will be called, unless the look-up is forgotten
 * before. 0 or errno. */
int il_lookup_start(const char *host, int port, il_lookup_done *done, void *owner, struct addrinfo **found,
	struct il_lookup **l);

/* done() will not be called. The thread goes on as long as it takes. */
void il_lookup_forget(struct il_lookup *l);

#endif
