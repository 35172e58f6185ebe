/* SPDX-License-Identifier: MIT
 *
 * Several messages in one piece of memory, see payloads.h. Floor 2.
 */
#include "engines/payloads.h"

#include <stdlib.h>

enum { MOST_AHEAD = 1 << 16 }; /* bytes for messages that have not come yet */

/* For so many more like the one that comes, or twice as much as there was. */
static size_t room_for(const struct il_payloads *all, size_t space, size_t expected)
{
	size_t ahead = all ? all->size : expected < MOST_AHEAD / space ? expected * space : MOST_AHEAD;
	return (all ? all->size : 0) + (ahead > space ? ahead : space);
}

void *il_payloads_add(struct il_payloads **all, int64_t type, size_t size, size_t expected)
{
	size_t space = il_payload_space(size), used = *all ? (*all)->size : 0;
	if (!*all || (*all)->room - used < space) {
		size_t room = room_for(*all, space, expected);
		struct il_payloads *p = realloc(*all, sizeof *p + room);
		if (!p)
			return NULL;
		if (!*all)
			*p = (struct il_payloads){ .next = NULL };
		p->room = room;
		*all = p;
	}
	struct il_payload *message = il_payloads_at(*all, used);
	*message = (struct il_payload){ .type = type, .size = size };
	(*all)->size = used + space;
	(*all)->count++;
	return il_payload_bytes(message);
}
