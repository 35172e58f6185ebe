/* SPDX-License-Identifier: MIT
 *
 * The clients of a hub by their number, see client_table.h: chains by the number's lowest bits. Numbers are given in
 * order, so that the chains are even. Floor 1c.
 */
#include "stream/client_table.h"

#include <stdlib.h>

enum { FIRST_SIZE = 8 };

static struct il_client **chain_of(const struct il_hub *h, int64_t id)
{
	return &h->by_id[(uint64_t)id & (h->by_id_size - 1)];
}

bool il_client_table_prepare(struct il_hub *h)
{
	uint32_t size = h->by_id_size ? h->by_id_size * 2 : FIRST_SIZE;
	if ((uint32_t)h->count < h->by_id_size)
		return true;
	struct il_client **larger = calloc(size, sizeof(struct il_client *));
	if (!larger)
		return h->by_id_size; /* then the chains become longer */
	free(h->by_id);
	h->by_id = larger;
	h->by_id_size = size;
	il_list_each(struct il_client, c, &h->clients, node)
		il_client_table_add(h, c);
	return true;
}

void il_client_table_add(struct il_hub *h, struct il_client *c)
{
	struct il_client **chain = chain_of(h, c->id);
	c->next = *chain;
	*chain = c;
}

void il_client_table_del(struct il_hub *h, struct il_client *c)
{
	struct il_client **place = chain_of(h, c->id);
	while (*place != c)
		place = &(*place)->next;
	*place = c->next;
}

struct il_client *il_client_table_find(const struct il_hub *h, int64_t id)
{
	struct il_client *c = h->by_id_size ? *chain_of(h, id) : NULL;
	while (c && c->id != id)
		c = c->next;
	return c;
}

void il_client_table_fini(struct il_hub *h)
{
	free(h->by_id);
	h->by_id = NULL;
	h->by_id_size = 0;
}
