/* SPDX-License-Identifier: MIT
 *
 * Four-ary heap, see heap.h. Places are 1-based in the items and 0-based here.
 */
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

enum { CHILDREN = 4, FIRST_SIZE = 64 };

static void put(struct il_heap *h, uint32_t at, struct il_heap_slot slot)
{
	h->slots[at] = slot;
	slot.item->place = at + 1;
}

static void sift_up(struct il_heap *h, uint32_t at, struct il_heap_slot slot)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / CHILDREN;
		if (h->slots[parent].key <= slot.key)
			break;
		put(h, at, h->slots[parent]);
		at = parent;
	}
	put(h, at, slot);
}

static void sift_down(struct il_heap *h, uint32_t at, struct il_heap_slot slot)
{
	for (;;) {
		uint32_t first = at * CHILDREN + 1;
		if (first >= h->count)
			break;
		uint32_t last = first + CHILDREN < h->count ? first + CHILDREN : h->count;
		uint32_t least = first;
		for (uint32_t c = first + 1; c < last; c++)
			if (h->slots[c].key < h->slots[least].key)
				least = c;
		if (slot.key <= h->slots[least].key)
			break;
		put(h, at, h->slots[least]);
		at = least;
	}
	put(h, at, slot);
}

int il_heap_add(struct il_heap *h, struct il_heap_item *item, int64_t key)
{
	if (h->count == h->size) {
		uint32_t size = h->size ? h->size * 2 : FIRST_SIZE;
		struct il_heap_slot *slots = realloc(h->slots, size * sizeof *slots);
		if (!slots)
			return ENOMEM;
		h->slots = slots;
		h->size = size;
	}
	sift_up(h, h->count++, (struct il_heap_slot){ key, item });
	return 0;
}

void il_heap_del(struct il_heap *h, struct il_heap_item *item)
{
	if (!item->place)
		return;
	uint32_t at = item->place - 1;
	item->place = 0;
	struct il_heap_slot moved = h->slots[--h->count];
	if (moved.item == item)
		return;
	if (at > 0 && moved.key < h->slots[(at - 1) / CHILDREN].key)
		sift_up(h, at, moved);
	else
		sift_down(h, at, moved);
}

struct il_heap_item *il_heap_top(const struct il_heap *h)
{
	return h->count ? h->slots[0].item : NULL;
}

int64_t il_heap_min(const struct il_heap *h)
{
	return h->count ? h->slots[0].key : INT64_MAX;
}

void il_heap_fini(struct il_heap *h)
{
	free(h->slots);
	*h = (struct il_heap){ 0 };
}
