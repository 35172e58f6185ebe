/* SPDX-License-Identifier: MIT
 *
 * Several messages in one piece of memory, see payloads.h. Floor 2.
 */
#include "engines/payloads.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST_AHEAD = 1 << 16 }; /* bytes for messages that have not come yet */

/* For so many more like the one that comes, or twice as much as there was. */
static size_t room_for(const struct il_payloads *all, size_t space, size_t expected)
{
	size_t ahead = all ? all->size : expected < MOST_AHEAD / space ? expected * space : MOST_AHEAD;
	return (all ? all->size : 0) + (ahead > space ? ahead : space);
}

int il_payloads_reserve(struct il_payloads **all, size_t size, size_t expected)
{
	size_t room = room_for(*all, il_payload_space(size), expected);
	struct il_payloads *p = realloc(*all, sizeof *p + room);
	if (!p)
		return ENOMEM;
	if (!*all)
		*p = (struct il_payloads){ .next = NULL };
	p->room = room;
	*all = p;
	return 0;
}
