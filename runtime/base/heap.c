/* SPDX-License-Identifier: MIT
 *
 * Four-ary heap, see heap.h. Places are 1-based in the items and 0-based here.
 */
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

enum { CHILDREN = 4, FIRST_SIZE = 64 };

static void put(struct il_heap *h, uint32_t at, struct il_heap_entry entry)
{
	h->entries[at] = entry;
	entry.item->place = at + 1;
}

static void sift_up(struct il_heap *h, uint32_t at, struct il_heap_entry entry)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / CHILDREN;
		if (h->entries[parent].key <= entry.key)
			break;
		put(h, at, h->entries[parent]);
		at = parent;
	}
	put(h, at, entry);
}

static void sift_down(struct il_heap *h, uint32_t at, struct il_heap_entry entry)
{
	for (;;) {
		uint32_t first = at * CHILDREN + 1;
		if (first >= h->count)
			break;
		uint32_t last = first + CHILDREN < h->count ? first + CHILDREN : h->count;
		uint32_t least = first;
		for (uint32_t c = first + 1; c < last; c++)
			if (h->entries[c].key < h->entries[least].key)
				least = c;
		if (entry.key <= h->entries[least].key)
			break;
		put(h, at, h->entries[least]);
		at = least;
	}
	put(h, at, entry);
}

int il_heap_add(struct il_heap *h, struct il_heap_item *item, int64_t key)
{
	if (h->count == h->size) {
		uint32_t size = h->size ? h->size * 2 : FIRST_SIZE;
		struct il_heap_entry *entries = realloc(h->entries, size * sizeof *entries);
		if (!entries)
			return ENOMEM;
		h->entries = entries;
		h->size = size;
	}
	sift_up(h, h->count++, (struct il_heap_entry){ key, item });
	return 0;
}

void il_heap_del(struct il_heap *h, struct il_heap_item *item)
{
	if (!item->place)
		return;
	uint32_t at = item->place - 1;
	item->place = 0;
	struct il_heap_entry moved = h->entries[--h->count];
	if (moved.item == item)
		return;
	if (at > 0 && moved.key < h->entries[(at - 1) / CHILDREN].key)
		sift_up(h, at, moved);
	else
		sift_down(h, at, moved);
}

struct il_heap_item *il_heap_top(const struct il_heap *h)
{
	return h->count ? h->entries[0].item : NULL;
}

void il_heap_fini(struct il_heap *h)
{
	free(h->entries);
	*h = (struct il_heap){ 0 };
}
