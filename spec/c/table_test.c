/* SPDX-License-Identifier: MIT
 *
 * base/table.h: what was added is found, also with equal keys, and nothing else.
 */
#include "base/table.h"
#include "check.h"

enum { COUNT = 1000 };

static struct il_table_item items[COUNT];

/* Each key is there twice. */
static uint64_t key_of(int i)
{
	return (uint64_t)(i / 2) << 20;
}

static int count(const struct il_table *t, uint64_t key)
{
	int n = 0;
	for (struct il_table_item *item = il_table_find(t, key); item; item = il_table_next(item))
		n++;
	return n;
}

int main(void)
{
	struct il_table t = { 0 };
	CHECK(!il_table_find(&t, 0));
	for (int i = 0; i < COUNT; i++)
		il_table_add(&t, &items[i], key_of(i));
	for (int i = 0; i < COUNT; i++)
		CHECK(count(&t, key_of(i)) == 2 && count(&t, key_of(i) + 1) == 0);
	for (int i = 0; i < COUNT; i += 2)
		il_table_del(&t, &items[i]);
	for (int i = 0; i < COUNT; i++)
		CHECK(il_table_find(&t, key_of(i)) == &items[i | 1] && count(&t, key_of(i)) == 1);
	for (int i = 1; i < COUNT; i += 2)
		il_table_del(&t, &items[i]);
	CHECK(t.count == 0);
	il_table_fini(&t);
	puts("ok");
	return 0;
}
