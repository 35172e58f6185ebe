/* SPDX-License-Identifier: MIT
 *
 * The Lua state of the program, see lua_heap.h. Small blocks, and the stacks of new coroutines, come from free lists by
 * size, all others from malloc: Lua says how large a block is when it gives it back, so a block needs no header, and to
 * take one is to unlink the first of its list. What has once been cut to a size stays so: a list gives nothing back,
 * neither to malloc nor to another list.
 *
 * A C module may use the allocator for states of its own, in threads (lua_getallocf). The lists belong to the thread
 * that made the state. Other threads take small blocks from malloc, too, and shift them by half a grain: by its address
 * a block says where it has to go. A block of the lists that another thread gives back waits in `returned`.
 * Floor 5.
 */
#include "lua_heap.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GRAIN = 16,
	SHIFT = GRAIN / 2, /* still aligned for all that Lua keeps (LUAI_MAXALIGN) */
	/* the largest of the small: a task, a table's part for 16 names; none, where every block is to be seen by a
	 * sanitizer or by scripts/tools/oom.c */
	LARGEST = IL_PLAIN_MALLOC ? 0 : 384,
	/* what a coroutine begins with as its stack, in Lua 5.4: each task makes one */
	STACK = IL_PLAIN_MALLOC ? 0 : (2 * LUA_MINSTACK + 5) * 16,
	CHUNK = 32 * 1024,
};

struct block {
	struct block *next;
};

static struct {
	struct block *lists[STACK / GRAIN + 1]; /* by size in grains */
	char *at, *end; /* of the current chunk: what is not cut yet */
} heap;

static struct block *_Atomic returned[STACK / GRAIN + 1]; /* as heap.lists, by other threads */

/* The lists are this thread's. In a program this is one comparison with memory, without a call. */
static _Thread_local bool owner __attribute__((tls_model("local-exec")));

/* What is left when there is no memory any more: for the code that unwinds. In pieces that are no mappings of their
 * own: so they are good for small blocks. */
static void *reserve[8];
enum { PIECE = 64 * 1024 };

static void set_aside(void)
{
	for (size_t i = 0; i < sizeof reserve / sizeof reserve[0]; i++)
		reserve[i] = malloc(PIECE);
}

/* Lua collects, and tries again; it raises after the second failure, and the code that unwinds then should not collect
 * for each block. */
static void *exhausted(void)
{
	static bool once;
	for (size_t i = 0; once && owner && i < sizeof reserve / sizeof reserve[0]; i++) {
		free(reserve[i]);
		reserve[i] = NULL;
	}
	if (owner)
		once = true;
	return NULL;
}

__attribute__((noinline)) static void *large(size_t size)
{
	void *block = malloc(size);
	return block ? block : exhausted();
}

/* Is a block of this size one of the lists? Between the two sizes they would keep too much. */
static bool small(size_t size)
{
	return size <= LARGEST || size == STACK;
}

static size_t grains_of(size_t size)
{
	return (size + GRAIN - 1) / GRAIN;
}

static void put(void *p, size_t grains)
{
	struct block *block = p;
	block->next = heap.lists[grains];
	heap.lists[grains] = block;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void *cut(size_t grains)
{
	size_t left = (size_t)(heap.end - heap.at);
	if (left < grains * GRAIN) {
		char *chunk = malloc(CHUNK);
		if (!chunk)
			return exhausted();
		if (left)
			put(heap.at, smaller(left, LARGEST) / GRAIN);
		heap.at = chunk;
		heap.end = chunk + CHUNK;
	}
	void *block = heap.at;
	heap.at += grains * GRAIN;
	return block;
}

/* The list is empty: all that other threads have given back becomes it, at once, so that no block comes and goes
 * meanwhile. */
static void *refill(size_t grains)
{
	if (!atomic_load_explicit(&returned[grains], memory_order_relaxed))
		return cut(grains);
	struct block *block = atomic_exchange_explicit(&returned[grains], NULL, memory_order_acquire);
	heap.lists[grains] = block->next;
	return block;
}

static void *take_shifted(size_t grains)
{
	char *whole = malloc(grains * GRAIN + SHIFT);
	return whole ? whole + SHIFT : NULL;
}

static void *take(size_t size)
{
	size_t grains = grains_of(size);
	if (!owner)
		return take_shifted(grains);
	struct block *block = heap.lists[grains];
	if (!block)
		return refill(grains);
	heap.lists[grains] = block->next;
	return block;
}

static bool shifted(const void *block)
{
	return (uintptr_t)block % GRAIN == SHIFT;
}

static void hand_back(void *p, size_t grains)
{
	struct block *block = p;
	block->next = atomic_load_explicit(&returned[grains], memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&returned[grains], &block->next, block, memory_order_release,
		memory_order_relaxed))
		;
}

static void give(void *block, size_t size)
{
	if (!small(size))
		free(block);
	else if (shifted(block))
		free((char *)block - SHIFT);
	else if (owner)
		put(block, grains_of(size));
	else
		hand_back(block, grains_of(size));
}

/* Not inlined: allocate then needs no stack for the other two cases. */
__attribute__((noinline)) static void *resize(void *block, size_t old, size_t size)
{
	if (!small(old) && !small(size)) {
		void *moved = realloc(block, size);
		return moved || size > old ? moved : block;
	}
	if (small(old) && small(size) && grains_of(old) == grains_of(size))
		return block;
	void *moved = small(size) ? take(size) : malloc(size);
	if (!moved)
		return size < old ? block : NULL; /* to shrink must not fail; it goes to the list of its new size */
	memcpy(moved, block, old < size ? old : size);
	give(block, old);
	return moved;
}

/* a lua_Alloc */
static void *allocate(void *unused, void *block, size_t old, size_t size)
{
	(void)unused;
	if (size == 0) {
		if (block)
			give(block, old);
		return NULL;
	}
	if (!block)
		return small(size) ? take(size) : large(size);
	return resize(block, old, size);
}

static int panic(lua_State *L)
{
	const char *text = lua_tostring(L, -1);
	lua_writestringerror("PANIC: unprotected error in call to Lua API (%s)\n",
		text ? text : "error object is not a string");
	return 0;
}

/* Warnings are off until "@on". */
static void warn(void *unused, const char *text, int to_be_continued)
{
	static bool on, continued;
	(void)unused;
	if (!continued && !to_be_continued && *text == '@') {
		if (strcmp(text, "@on") == 0)
			on = true;
		else if (strcmp(text, "@off") == 0)
			on = false;
		return;
	}
	if (on) {
		lua_writestringerror("%s", continued ? "" : "Lua warning: ");
		lua_writestringerror("%s", text);
		lua_writestringerror("%s", to_be_continued ? "" : "\n");
	}
	continued = to_be_continued;
}

lua_State *il_lua_heap_new_state(void)
{
	owner = true;
	set_aside();
	lua_State *L = lua_newstate(allocate, NULL);
	if (L) {
		lua_atpanic(L, panic);
		lua_setwarnf(L, warn, NULL);
	}
	return L;
}
