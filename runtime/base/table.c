/* SPDX-License-Identifier: MIT
 *
 * The hash table, see table.h: chains. Floor 0.
 */
#include "base/table.h"

#include <stdlib.h>

enum { FIRST_SIZE = 16 };

static struct il_table_item **bucket(struct il_table_item **buckets, size_t size, uint64_t key)
{
	return &buckets[(key * 0x9E3779B97F4A7C15u >> 32) & (size - 1)];
}

static struct il_table_item **bucket_of(struct il_table *t, uint64_t key)
{
	return t->size ? bucket(t->buckets, t->size, key) : &t->chain;
}

static void put(struct il_table_item **first, struct il_table_item *item)
{
	item->next = *first;
	*first = item;
}

static void move_chain(struct il_table_item *item, struct il_table_item **buckets, size_t size)
{
	while (item) {
		struct il_table_item *next = item->next;
		put(bucket(buckets, size, item->key), item);
		item = next;
	}
}

static void grow(struct il_table *t)
{
	size_t size = t->size ? 2 * t->size : FIRST_SIZE;
	struct il_table_item **buckets = calloc(size, sizeof *buckets);
	if (!buckets)
		return;
	move_chain(t->chain, buckets, size);
	for (size_t i = 0; i < t->size; i++)
		move_chain(t->buckets[i], buckets, size);
	free(t->buckets);
	t->chain = NULL;
	t->buckets = buckets;
	t->size = size;
}

void il_table_add(struct il_table *t, struct il_table_item *item, uint64_t key)
{
	if (t->count >= t->size)
		grow(t);
	item->key = key;
	put(bucket_of(t, key), item);
	t->count++;
}

void il_table_del(struct il_table *t, struct il_table_item *item)
{
	struct il_table_item **at = bucket_of(t, item->key);
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	t->count--;
}

static struct il_table_item *with_key(struct il_table_item *item, uint64_t key)
{
	while (item && item->key != key)
		item = item->next;
	return item;
}

struct il_table_item *il_table_find(const struct il_table *t, uint64_t key)
{
	return with_key(t->size ? *bucket(t->buckets, t->size, key) : t->chain, key);
}

struct il_table_item *il_table_next(const struct il_table_item *item)
{
	return with_key(item->next, item->key);
}

void il_table_fini(struct il_table *t)
{
	free(t->buckets);
	*t = (struct il_table){ 0 };
}
