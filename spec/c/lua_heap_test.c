/* SPDX-License-Identifier: MIT
 *
 * The allocator of the program's Lua state, in the thread that made the state and in others at once: blocks of all
 * sizes, taken, resized and given back by any of them, keep what is written there, and belong to no other. Under TSan
 * this is the one look at its lists: in a sanitizer's build the program takes everything from malloc.
 */
#undef IL_PLAIN_MALLOC
#define IL_PLAIN_MALLOC 0
#include "../../runtime/lua_heap.c"

#include "check.h"

#include <pthread.h>

enum { THREADS = 4, STEPS = 30000, PLACES = 64, SIZES = 800 };

static lua_Alloc alloc;

/* What the state is made by. */
lua_State *lua_newstate(lua_Alloc f, void *ud)
{
	(void)ud;
	alloc = f;
	return NULL;
}

lua_CFunction lua_atpanic(lua_State *L, lua_CFunction f)
{
	(void)L;
	return f;
}

void lua_setwarnf(lua_State *L, lua_WarnFunction f, void *ud)
{
	(void)L;
	(void)f;
	(void)ud;
}

const char *lua_tolstring(lua_State *L, int index, size_t *size)
{
	(void)L;
	(void)index;
	(void)size;
	return NULL;
}

/* Begins each block: from it the rest is known. */
struct item {
	uint32_t size, seed;
};

static struct item *_Atomic places[PLACES];
static pthread_barrier_t begin;

static unsigned char expected(const struct item *item, size_t at)
{
	return (unsigned char)(item->seed + at);
}

static void fill(struct item *item, size_t from)
{
	for (size_t i = from; i < item->size; i++)
		((unsigned char *)item)[i] = expected(item, i);
}

static void check(const struct item *item, size_t size)
{
	for (size_t i = sizeof *item; i < size; i++)
		CHECK(((const unsigned char *)item)[i] == expected(item, i));
}

static struct item *make(uint32_t size, uint32_t seed)
{
	struct item *item = alloc(NULL, NULL, LUA_TSTRING, size);
	CHECK(item && (uintptr_t)item % 8 == 0);
	*item = (struct item){ size, seed };
	fill(item, sizeof *item);
	return item;
}

static struct item *change(struct item *item, uint32_t size)
{
	uint32_t old = item->size;
	item = alloc(NULL, item, old, size);
	CHECK(item);
	item->size = size;
	check(item, old < size ? old : size);
	fill(item, old);
	return item;
}

static void end(struct item *item)
{
	check(item, item->size);
	CHECK(!alloc(NULL, item, item->size, 0));
}

static void *work(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number + 1;
	pthread_barrier_wait(&begin);
	for (int i = 0; i < STEPS; i++) {
		uint32_t size = (uint32_t)sizeof(struct item) + (uint32_t)rand_r(&seed) % SIZES;
		struct item *item = make(size, (uint32_t)rand_r(&seed));
		item = atomic_exchange(&places[rand_r(&seed) % PLACES], item);
		if (item && rand_r(&seed) % 2) {
			check(item, item->size);
			item = change(item, (uint32_t)sizeof(struct item) + (uint32_t)rand_r(&seed) % SIZES);
		}
		if (item)
			end(item);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	CHECK(!il_lua_heap_new_state() && pthread_barrier_init(&begin, NULL, THREADS + 1) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) == 0);
	work((void *)(uintptr_t)THREADS);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PLACES; i++)
		if (places[i])
			end(places[i]);
	puts("ok");
	return 0;
}
