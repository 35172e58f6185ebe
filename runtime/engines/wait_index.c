/* SPDX-License-Identifier: MIT
 *
 * Operations by key, see wait_index.h: a hash table with chains. Floor 2.
 */
#include "engines/wait_index.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_SIZE = 64 };

struct il_wait_key {
	struct il_wait_key *next; /* in its bucket */
	struct il_list ops;
	uint64_t key;
};

static struct il_wait_key **bucket_of(const struct il_wait_index *index, uint64_t key)
{
	uint64_t mixed = key * 0x9e3779b97f4a7c15;
	return &index->buckets[(mixed >> 32) & (index->size - 1)];
}

static int grow(struct il_wait_index *index)
{
	struct il_wait_index larger = { .size = index->size ? 2 * index->size : FIRST_SIZE, .count = index->count };
	larger.buckets = calloc(larger.size, sizeof(struct il_wait_key *));
	if (!larger.buckets)
		return ENOMEM;
	for (uint32_t i = 0; i < index->size; i++)
		while (index->buckets[i]) {
			struct il_wait_key *k = index->buckets[i], **to = bucket_of(&larger, k->key);
			index->buckets[i] = k->next;
			k->next = *to;
			*to = k;
		}
	free(index->buckets);
	*index = larger;
	return 0;
}

static struct il_wait_key *find(const struct il_wait_index *index, uint64_t key)
{
	struct il_wait_key *k = index->size ? *bucket_of(index, key) : NULL;
	while (k && k->key != key)
		k = k->next;
	return k;
}

static struct il_wait_key *add_key(struct il_wait_index *index, uint64_t key)
{
	if (index->count >= index->size && grow(index))
		return NULL;
	struct il_wait_key *k = malloc(sizeof *k), **bucket = bucket_of(index, key);
	if (!k)
		return NULL;
	*k = (struct il_wait_key){ .next = *bucket, .key = key };
	il_list_init(&k->ops);
	*bucket = k;
	index->count++;
	return k;
}

int il_wait_index_add(struct il_wait_index *index, struct il_op *op, uint64_t key)
{
	struct il_wait_key *k = find(index, key);
	if (!k)
		k = add_key(index, key);
	if (!k)
		return ENOMEM;
	il_list_add(&k->ops, &op->alike);
	op->state = k;
	return 0;
}

void il_wait_index_del(struct il_wait_index *index, struct il_op *op)
{
	struct il_wait_key *k = op->state, **at = bucket_of(index, k->key);
	il_list_del(&op->alike);
	if (!il_list_empty(&k->ops))
		return;
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	free(k);
	index->count--;
}

struct il_list *il_wait_index_find(const struct il_wait_index *index, uint64_t key)
{
	struct il_wait_key *k = find(index, key);
	return k ? &k->ops : NULL;
}

void il_wait_index_fini(struct il_wait_index *index)
{
	for (uint32_t i = 0; i < index->size; i++)
		while (index->buckets[i]) {
			struct il_wait_key *k = index->buckets[i];
			index->buckets[i] = k->next;
			free(k);
		}
	free(index->buckets);
	*index = (struct il_wait_index){ .size = 0 };
}
