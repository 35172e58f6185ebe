/* SPDX-License-Identifier: MIT
 *
 * The heap beside a model that cannot be wrong, an unordered array that is searched: random additions and removals,
 * with many equal keys.
 */
#include "base/heap.h"
#include "base/list.h"
#include "check.h"

#include <limits.h>

enum { ITEMS = 300, STEPS = 200000, KEYS = 50 };

static struct il_heap heap;
static struct item {
	struct il_heap_item place;
	int64_t key;
} items[ITEMS];

static int64_t least(void)
{
	int64_t key = INT64_MAX;
	for (int i = 0; i < ITEMS; i++)
		if (items[i].place.place && items[i].key < key)
			key = items[i].key;
	return key;
}

static void check_top(void)
{
	struct il_heap_item *top = il_heap_top(&heap);
	CHECK(il_heap_min(&heap) == least());
	CHECK(!top || il_container_of(top, struct item, place)->key == least());
	CHECK((top == NULL) == (heap.count == 0));
}

/* The places that the items know are those in which the heap has them. */
static void check_places(void)
{
	uint32_t count = 0;
	for (int i = 0; i < ITEMS; i++) {
		uint32_t place = items[i].place.place;
		CHECK(!place || heap.entries[place - 1].item == &items[i].place);
		count += place != 0;
	}
	CHECK(count == heap.count);
}

static void step(void)
{
	struct item *item = &items[rand() % ITEMS];
	if (item->place.place) {
		il_heap_del(&heap, &item->place);
		CHECK(!item->place.place);
	} else {
		item->key = rand() % KEYS == 0 ? INT64_MIN : rand() % KEYS;
		CHECK(il_heap_add(&heap, &item->place, item->key) == 0);
	}
}

static void drain(void)
{
	int64_t last = INT64_MIN;
	while (il_heap_top(&heap)) {
		CHECK(il_heap_min(&heap) >= last);
		last = il_heap_min(&heap);
		il_heap_del(&heap, il_heap_top(&heap));
	}
}

int main(void)
{
	srand(1);
	for (int i = 0; i < STEPS; i++) {
		step();
		if (i % 100 == 0)
			check_top();
		if (i % 1000 == 0)
			check_places();
	}
	drain();
	check_places();
	il_heap_del(&heap, &items[0].place); /* harmless: it is in no heap */
	il_heap_fini(&heap);
	CHECK(il_heap_min(&heap) == INT64_MAX && !il_heap_top(&heap));
	puts("ok");
	return 0;
}
