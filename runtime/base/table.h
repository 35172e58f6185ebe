/* SPDX-License-Identifier: MIT
 *
 * Intrusive hash table: finds the structs that have a number, of which some may have the same. To add one cannot fail:
 * without memory for more buckets the chains grow.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_TABLE_H
#define IL_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct il_table_item {
	struct il_table_item *next; /* in its bucket */
	uint64_t key;
};

/* All zero: empty. */
struct il_table {
	struct il_table_item **buckets;
	struct il_table_item *chain; /* the only bucket, as long as there are no others */
	size_t size, count; /* buckets, a power of two or 0; items */
};

void il_table_add(struct il_table *t, struct il_table_item *item, uint64_t key);

/* The item must be in the table. */
void il_table_del(struct il_table *t, struct il_table_item *item);

/* An item with the key, and the next one with the same; NULL: there is no more. */
struct il_table_item *il_table_find(const struct il_table *t, uint64_t key);
struct il_table_item *il_table_next(const struct il_table_item *item);

/* Frees what the table has. The items have been deleted, or are forgotten. */
void il_table_fini(struct il_table *t);

#endif
