/* SPDX-License-Identifier: MIT
 *
 * Shared memory for Lua in a segment: the slots come after its head, whose words they use (slots.h).
 * Floor 2.
 */
#include "engines/shm/shared_memory.h"
#include "base/shared_atomic.h"
#include "engines/shm/shm.h"
#include "engines/slots.h"
#include "engines/waiters_call.h"

#include <errno.h>
#include <stdlib.h>

/* The process's own part. */
struct object {
	struct il_segment segment;
	struct il_slots slots;
};

struct memory {
	struct il_slots_handle handle;
	struct object *object;
};

static struct il_shm_memory_shared *shared(struct il_head *head)
{
	return (struct il_shm_memory_shared *)(void *)head;
}

static struct object *object_of(struct il_segment *s)
{
	return il_container_of(s, struct object, segment);
}

static struct memory *memory_of(struct il_memory *m)
{
	return il_container_of(m, struct memory, handle.memory);
}

/* Segments ---------------------------------------------------------------------------------------------- */

static struct il_segment *new (void)
{
	struct object *o = calloc(1, sizeof *o);
	return o ? &o->segment : NULL;
}

static void init(struct il_head *head, void *options)
{
	shared(head)->slots = ((struct il_memory_options *)options)->slots;
}

/* How many slots there are is believed once, when it is mapped, and only if there is room for them. */
static int check(struct il_segment *s, void *options)
{
	struct il_memory_options *o = options;
	o->found = object_of(s)->slots.count;
	return o->found < 1 ? EUCLEAN : o->found == o->slots ? 0 : EEXIST;
}

static void mapped(struct il_segment *s)
{
	struct object *o = object_of(s);
	struct il_head *head = s->head;
	uint64_t count = s->size < IL_SHM_MEMORY_SLOTS_AT ? 0 : shared(head)->slots;
	o->slots = (struct il_slots){
		.at = (int64_t *)(void *)((char *)head + IL_SHM_MEMORY_SLOTS_AT),
		.count = count <= s->size && il_shm_memory_size(count) == s->size ? count : 0,
		.latch = &head->latch,
		.changes = &head->changes,
		.parked = &head->parked,
		.marks = shared(head)->marks,
		.mark_words = IL_SHM_MEMORY_MARKS,
		.waiters = {
			.head = &shared(head)->waiting,
			.at = shared(head)->waiters,
			.count = s->size < IL_SHM_MEMORY_SLOTS_AT ? 0 : IL_SHM_MEMORY_WAITERS,
			.parked = &head->parked,
			.bit = IL_LISTED,
		},
		.removed = &head->removed,
		.lost = &s->lost,
		.space = &head->pids,
	};
	il_slots_init(&o->slots);
}

static void unmapped(struct il_segment *s)
{
	il_slots_fini(&object_of(s)->slots);
}

static void wake_all(struct il_segment *s)
{
	il_waiters_wake_all(&object_of(s)->slots.waiters);
}

static const struct il_segment_type type = {
	.noun = "memory",
	.new = new,
	.init = init,
	.check = check,
	.mapped = mapped,
	.unmapped = unmapped,
	.wake_all = wake_all,
};

/* Operations -------------------------------------------------------------------------------------------- */

static int remove_memory(struct il_memory *m)
{
	struct object *o = memory_of(m)->object;
	int err = il_segment_remove(&o->segment);
	il_slots_poll(&o->slots);
	return err;
}

static bool removed(struct il_memory *m)
{
	return il_get(&memory_of(m)->object->segment.head->removed);
}

static void close_memory(struct il_memory *m)
{
	struct memory *handle = memory_of(m);
	il_slots_close(&handle->object->slots, m);
	il_segment_drop(&handle->object->segment);
	free(handle);
}

static bool remove_attempt(struct il_op *op)
{
	op->err = remove_memory(op->source);
	return true;
}

static const struct il_memory_ops ops = {
	.wait = { "memory wait", il_slots_wait_attempt, il_slots_wait_start, il_slots_wait_cancel },
	.mapped = { .write = il_slots_write, .add = il_slots_add, .swap = il_slots_swap },
	.remove = { "memory remove", remove_attempt, NULL, NULL },
	.removed = removed,
	.close = close_memory,
};

int il_shm_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **m)
{
	struct memory *handle = calloc(1, sizeof *handle);
	struct il_segment *s;
	if (!handle)
		return ENOMEM;
	int err = il_segment_open(key, &type, il_shm_memory_size(o->slots), o->mode, o, &s);
	if (err) {
		free(handle);
		return err;
	}
	handle->object = object_of(s);
	il_slots_handle_init(&handle->handle, &handle->object->slots, &ops);
	*m = &handle->handle.memory;
	return 0;
}
