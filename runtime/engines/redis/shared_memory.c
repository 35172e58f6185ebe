/* SPDX-License-Identifier: MIT
 *
 * Shared memory on a server: one string, eight bytes to a slot, the highest first, as the server's BITFIELD has them.
 * The slots are behind the id and the number of slots. The string grows as far as the highest slot that was ever
 * written. Floor 2.
 */
#include "base/reason.h"
#include "engines/redis/object/watch.h"
#include "engines/redis/redis.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = IL_ID / 8 + 1, MOST_SLOTS = (1 << 26) - HEAD, DIGITS = 20 }; /* a string has 512 MiB at most */

static int64_t value_of(const struct il_request *r, size_t element)
{
	uint64_t raw = 0;
	size_t size;
	const char *bytes = il_reply_bytes(r, element, &size);
	memcpy(&raw, bytes, size < sizeof raw ? size : sizeof raw);
	return (int64_t)be64toh(raw);
}

static void command_value(struct il_command *c, int64_t value)
{
	uint64_t raw = htobe64((uint64_t)value);
	il_command_bytes(c, &raw, sizeof raw);
}

static void command(const struct il_op *op, struct il_command *c, enum il_script script)
{
	il_redis_watched_command(op, c, script);
	il_command_number(c, (int64_t)op->memory.slot);
}

/* Slots ------------------------------------------------------------------------------------------------- */

/* The id and the slot as integers, exact: zeros where nothing is. */
static void query_slot(struct il_redis_watched *o, struct il_command *c, size_t slot)
{
	char place[DIGITS + 2];
	il_command_plain(c, &o->waits.object, "BITFIELD", "slots");
	for (size_t i = 0; i < HEAD; i++) {
		snprintf(place, sizeof place, "#%zu", i < HEAD - 1 ? i : HEAD + slot);
		il_command_text(c, "GET");
		il_command_text(c, "i64");
		il_command_text(c, place);
	}
}

static int take_slot(struct il_redis_watched *o, const struct il_request *r, int64_t *value)
{
	int64_t id[HEAD - 1];
	memcpy(id, o->id, IL_ID);
	for (size_t i = 0; i < HEAD - 1; i++) {
		if (il_reply_number(r, i) == (int64_t)be64toh((uint64_t)id[i]))
			continue;
		o->shared.removed = true;
		return EIDRM;
	}
	*value = il_reply_number(r, HEAD - 1);
	return 0;
}

static int read_answered(struct il_op *op, struct il_request *r, int err)
{
	return err ? err : take_slot(op->source, r, &op->memory.value);
}

static int read_many_answered(struct il_op *op, struct il_request *r, int err)
{
	size_t size, count = (size_t)op->memory.operand;
	if (err)
		return err;
	const char *bytes = il_reply_bytes(r, 1, &size);
	uint64_t *slots = calloc(count, sizeof *slots);
	if (!slots)
		return ENOMEM;
	memcpy(slots, bytes, size < count * sizeof *slots ? size : count * sizeof *slots);
	for (size_t i = 0; i < count; i++)
		slots[i] = be64toh(slots[i]);
	op->data = slots;
	op->size = count * sizeof *slots;
	op->owned = true;
	return 0;
}

static int read_start(struct il_op *op)
{
	struct il_command c;
	if (op->memory.operand == 1) {
		query_slot(op->source, &c, op->memory.slot);
		return il_redis_watched_request(op, &c, IL_SAFE, read_answered);
	}
	command(op, &c, IL_SCRIPT_memory_read);
	il_command_number(&c, op->memory.operand);
	return il_redis_watched_request(op, &c, IL_SAFE, read_many_answered);
}

static int write_answered(struct il_op *op, struct il_request *r, int err)
{
	(void)op, (void)r;
	return err;
}

static int write_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_memory_set);
	command_value(&c, op->memory.value);
	return il_redis_watched_request(op, &c, IL_UNSAFE, write_answered);
}

static int add_answered(struct il_op *op, struct il_request *r, int err)
{
	if (!err)
		op->memory.value = value_of(r, 1);
	return err;
}

static int add_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_memory_add);
	il_command_number(&c, op->memory.operand);
	return il_redis_watched_request(op, &c, IL_UNSAFE, add_answered);
}

static int swap_answered(struct il_op *op, struct il_request *r, int err)
{
	if (err)
		return err;
	int64_t was = value_of(r, 1);
	bool swapped = was == op->memory.value;
	op->memory.value = was;
	return swapped ? 0 : ESTALE;
}

static int swap_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_memory_set);
	command_value(&c, op->memory.operand);
	command_value(&c, op->memory.value);
	return il_redis_watched_request(op, &c, IL_UNSAFE, swap_answered);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

static void query(struct il_watch *w, struct il_command *c)
{
	query_slot(il_redis_watched_of(w), c, strtoul(w->key, NULL, 10));
}

static bool serve(struct il_op *op, const void *argument)
{
	const int64_t *value = argument;
	if (op->memory.value == *value)
		return false;
	op->memory.value = *value;
	return true;
}

static int wait_answered(struct il_watch *w, struct il_request *r)
{
	int64_t value;
	int err = take_slot(il_redis_watched_of(w), r, &value);
	if (!err)
		il_watch_serve(w, false, serve, &value);
	return err;
}

static int wait_start(struct il_op *op)
{
	char key[DIGITS + 1];
	int size = snprintf(key, sizeof key, "%zu", op->memory.slot);
	return il_watch_start(op, key, (size_t)size);
}

static const struct il_redis_watched_kind kind = {
	.noun = "memory",
	.remove = IL_SCRIPT_memory_remove,
	.query = query,
	.answered = wait_answered,
};

/* Beginning and end ------------------------------------------------------------------------------------- */

static int open_answered(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_watched *o = op->source;
	if (err && err != EEXIST)
		return err;
	il_redis_watched_opened(o, r);
	if (err)
		o->memory.count = (size_t)value_of(r, 2);
	return err;
}

static int open_start(struct il_op *op)
{
	struct il_redis_watched *o = op->source;
	struct il_command c;
	il_redis_watched_command(op, &c, IL_SCRIPT_memory_open);
	command_value(&c, (int64_t)o->memory.count);
	return il_redis_watched_request(op, &c, IL_SAFE, open_answered);
}

static bool removed(struct il_memory *memory)
{
	return memory->shared.removed;
}

static void close_memory(struct il_memory *memory)
{
	il_redis_watched_close(il_container_of(memory, struct il_redis_watched, memory));
}

static const struct il_memory_ops ops = {
	.open = { "shared memory", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.wait = { "memory wait", il_redis_object_attempt, wait_start, il_redis_waiter_cancel },
	.read = { "memory read", il_redis_object_attempt, read_start, il_redis_object_cancel },
	.write = { "memory write", il_redis_object_attempt, write_start, il_redis_object_cancel },
	.add = { "memory add", il_redis_object_attempt, add_start, il_redis_object_cancel },
	.swap = { "memory swap", il_redis_object_attempt, swap_start, il_redis_object_cancel },
	.remove = { "memory remove", il_redis_watched_remove_attempt, il_redis_watched_remove_start,
		il_redis_object_cancel },
	.removed = removed,
	.close = close_memory,
};

int il_redis_memory(const struct il_key *key, struct il_memory_options *options, struct il_memory **memory)
{
	static const volatile bool never;
	struct il_redis_watched *o;
	if (options->slots > MOST_SLOTS)
		return il_because(EFBIG, "memory of %zu slots is over a server's limit of %d", options->slots,
			MOST_SLOTS);
	int err = il_redis_watched_new(&kind, key, options->mode, sizeof *o, &o);
	if (err)
		return err;
	o->memory.ops = &ops;
	o->memory.count = options->slots;
	o->memory.lost = &never;
	*memory = &o->memory;
	return 0;
}
