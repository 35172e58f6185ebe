/* SPDX-License-Identifier: MIT
 *
 * The race between a task that begins to wait for a slot and one that changes it, step by step: both are here, as two
 * views of the same memory, and the steps are put in every order that matters.
 */
#include "engines/slots.c"
#include "loop/loop.h"
#include "os/identity.h"
#include "os/state.h"
#include "check.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOT = 3, COUNT = 40 };

static int64_t memory[COUNT];
static struct {
	uint32_t latch, changes, parked, removed;
} words;

static uint64_t space;

static struct view {
	struct il_slots slots;
	struct il_slots_handle handle;
	struct il_wait wait;
	struct il_op op;
	int woken;
} waiter, writer;

static const struct il_op_type type = { "wait", il_slots_wait_attempt, il_slots_wait_start, il_slots_wait_cancel };

static void woken(struct il_wait *w)
{
	il_container_of(w, struct view, wait)->woken++;
}

static void open_view(struct view *v)
{
	space = il_identity_space();
	*v = (struct view){ .slots = { .at = memory,
				    .count = COUNT,
				    .latch = &words.latch,
				    .changes = &words.changes,
				    .marks = &words.parked,
				    .removed = &words.removed,
				    .space = &space } };
	il_slots_init(&v->slots);
	il_slots_handle_init(&v->handle, &v->slots, NULL);
	v->wait.wake = woken;
}

/* The waiter has looked in vain, and is about to sleep. */
static void begin(void)
{
	memory[SLOT] = 0;
	words.changes = words.parked = 0;
	open_view(&waiter);
	open_view(&writer);
	il_op_init(&waiter.op, &type, &waiter.handle.memory, 0);
	waiter.op.memory.slot = SLOT;
	CHECK(!type.attempt(&waiter.op));
	CHECK(il_wait_start(&waiter.wait, &waiter.op, 1, INT64_MAX) == 0);
	waiter.woken = 0;
}

static void park(void)
{
	il_poller_del(&waiter.slots.poller);
	arm(&waiter.slots.poller);
}

/* He would not sleep, or is woken; then he looks. */
static bool is_roused(void)
{
	if (!il_futex_watched(&waiter.slots.word) || words.changes == waiter.slots.word.expected)
		return false;
	il_futex_unwatch(&waiter.slots.word);
	changed(&waiter.slots.word);
	return true;
}

static void end(int64_t value)
{
	CHECK(waiter.woken == 1 && waiter.op.err == 0 && waiter.op.memory.value == value);
	CHECK(il_list_empty(&waiter.slots.ops) && !il_futex_watched(&waiter.slots.word));
	CHECK(words.latch == 0);
}

static void store(int64_t value)
{
	atomic_store(slot_at(&writer.slots, SLOT), value);
}

/* All before he marks himself: his second look finds it. */
static void changed_before_the_mark(void)
{
	begin();
	enum way way = before(&writer.slots, SLOT);
	CHECK(way == QUIETLY);
	store(1);
	after(&writer.slots, SLOT, way);
	CHECK(words.changes == 0);
	park();
	end(1);
}

/* The waiter marks itself in between, and finds nothing: the writer's second look finds the mark. */
static void marked_before_the_change(void)
{
	begin();
	enum way way = before(&writer.slots, SLOT);
	park();
	CHECK(way == QUIETLY && waiter.woken == 0);
	store(1);
	after(&writer.slots, SLOT, way);
	CHECK(is_roused());
	end(1);
}

static void marked_after_the_change(void)
{
	begin();
	enum way way = before(&writer.slots, SLOT);
	store(1);
	park();
	after(&writer.slots, SLOT, way);
	end(1);
}

static void asleep(void)
{
	begin();
	park();
	enum way way = before(&writer.slots, SLOT);
	CHECK(way == LATCHED && words.latch != 0);
	CHECK(is_roused() && waiter.woken == 0); /* woken before it is changed: he will need the latch to sleep */
	store(1);
	after(&writer.slots, SLOT, way);
	CHECK(words.latch == 0);
	park();
	end(1);
}

/* Killed before or after the change: the kernel says so to the next that takes the latch. */
static void killed_inside(int64_t value)
{
	begin();
	park();
	CHECK(before(&writer.slots, SLOT) == LATCHED);
	store(value);
	words.latch = FUTEX_OWNER_DIED;
	CHECK(is_roused());
	park();
	if (!value) {
		CHECK(waiter.woken == 0 && il_futex_watched(&waiter.slots.word));
		il_slots_write(&writer.handle.memory, SLOT, 1);
		CHECK(is_roused());
	}
	end(1);
}

/* A process that stands still with the latch keeps no other from writing. */
static void without_the_latch(void)
{
	begin();
	park();
	il_slots_write(&writer.handle.memory, SLOT + 1, 5); /* another slot is not told at all */
	CHECK(words.changes == 0);
	store(1);
	conclude(&writer.slots, SLOT, LATELY);
	CHECK(is_roused());
	end(1);
}

int main(void)
{
	il_loop_init();
	il_os_init();
	changed_before_the_mark();
	marked_before_the_change();
	marked_after_the_change();
	asleep();
	killed_inside(0);
	killed_inside(1);
	without_the_latch();
	il_loop_fini();
	puts("ok");
	return 0;
}
