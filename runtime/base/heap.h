/* SPDX-License-Identifier: MIT
 *
 * A heap of intrusive items ordered by a 64-bit key: the smallest on top. Four children a node, keys beside the
 * pointers, so that a million pending deadlines cost few cache misses.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_HEAP_H
#define IL_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct il_heap_item {
	uint32_t place; /* 1-based place in the heap; 0: in no heap */
};

struct il_heap_entry {
	int64_t key;
	struct il_heap_item *item;
};

struct il_heap {
	struct il_heap_entry *entries;
	uint32_t count, size;
};

/* Adds an item that is in no heap. 0 or ENOMEM. */
int il_heap_add(struct il_heap *h, struct il_heap_item *item, int64_t key);

/* Takes the item out; harmless if it is in no heap. */
void il_heap_del(struct il_heap *h, struct il_heap_item *item);

/* The item with the smallest key, NULL if the heap is empty. */
struct il_heap_item *il_heap_top(const struct il_heap *h);

/* The smallest key, INT64_MAX if the heap is empty. */
static inline int64_t il_heap_min(const struct il_heap *h)
{
	return h->count ? h->entries[0].key : INT64_MAX;
}

/* Forgets all items without touching them and frees the memory. */
void il_heap_fini(struct il_heap *h);

#endif
