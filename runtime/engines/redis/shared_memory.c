/* SPDX-License-Identifier: MIT
 *
 * Shared memory on a server: one string, eight bytes to a slot, the highest first, as the server's BITFIELD has them.
 * The slots are behind the id and the number of slots. The string grows as far as the highest slot that was ever
 * written. Floor 2.
 */
#include "base/reason.h"
#include "engines/redis/redis.h"
#include "engines/redis/object/watch.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = IL_ID / 8 + 1, MOST_SLOTS = (1 << 26) - HEAD, DIGITS = 20 }; /* a string has 512 MiB at most */

struct memory {
	struct il_memory memory;
	struct il_watches watches;
	char made[IL_ID + 1]; /* its id, if it is to be made */
	char place[HEAD][DIGITS + 2]; /* where in the string, for a call */
};

static struct memory *memory_of(struct il_memory *m)
{
	return il_container_of(m, struct memory, memory);
}

static struct memory *of_op(const struct il_op *op)
{
	return memory_of(op->source);
}

static int request(struct il_op *op, const struct il_command *c, enum il_request_flags flags,
	int (*told)(struct il_op *op, struct il_request *r, int err))
{
	return il_redis_object_request(&of_op(op)->watches.object, op, c, flags, told);
}

static int64_t value_of(const struct il_request *r, size_t element)
{
	uint64_t raw = 0;
	size_t size;
	const char *bytes = il_reply_bytes(r, element, &size);
	memcpy(&raw, bytes, size < sizeof raw ? size : sizeof raw);
	return (int64_t)be64toh(raw);
}

static uint64_t bytes_of(int64_t value)
{
	return htobe64((uint64_t)value);
}

/* Slots ------------------------------------------------------------------------------------------------- */

/* The id and the slot as integers, exact: zeros where nothing is. */
static void ask_slot(struct memory *m, struct il_command *c, size_t slot)
{
	il_command_plain(c, &m->watches.object, "BITFIELD", "slots");
	for (size_t i = 0; i < HEAD; i++) {
		char *place = m->place[i];
		snprintf(place, sizeof m->place[i], "#%zu", i < HEAD - 1 ? i : HEAD + slot);
		il_command_text(c, "GET");
		il_command_text(c, "i64");
		il_command_text(c, place);
	}
}

static int take_slot(struct memory *m, const struct il_request *r, int64_t *value)
{
	int64_t id[HEAD - 1];
	memcpy(id, m->watches.id, IL_ID);
	for (size_t i = 0; i < HEAD - 1; i++) {
		if (il_reply_number(r, i) == (int64_t)be64toh((uint64_t)id[i]))
			continue;
		m->memory.shared.removed = true;
		return EIDRM;
	}
	*value = il_reply_number(r, HEAD - 1);
	return 0;
}

static int told_read(struct il_op *op, struct il_request *r, int err)
{
	return err ? err : take_slot(of_op(op), r, &op->memory.value);
}

static int told_read_many(struct il_op *op, struct il_request *r, int err)
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

static void command(struct il_op *op, struct il_command *c, enum il_script script)
{
	il_watches_call(&of_op(op)->watches, c, script);
	il_command_number(c, (int64_t)op->memory.slot);
}

static int read_start(struct il_op *op)
{
	struct il_command c;
	if (op->memory.operand == 1) {
		ask_slot(of_op(op), &c, op->memory.slot);
		return request(op, &c, IL_SAFE, told_read);
	}
	command(op, &c, IL_SCRIPT_memory_read);
	il_command_number(&c, op->memory.operand);
	return request(op, &c, IL_SAFE, told_read_many);
}

static int told_write(struct il_op *op, struct il_request *r, int err)
{
	(void)op;
	(void)r;
	return err;
}

static int write_start(struct il_op *op)
{
	uint64_t new = bytes_of(op->memory.value);
	struct il_command c;
	command(op, &c, IL_SCRIPT_memory_write);
	il_command_bytes(&c, &new, sizeof new);
	return request(op, &c, IL_UNSAFE, told_write);
}

static int told_add(struct il_op *op, struct il_request *r, int err)
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
	return request(op, &c, IL_UNSAFE, told_add);
}

static int told_swap(struct il_op *op, struct il_request *r, int err)
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
	uint64_t expected = bytes_of(op->memory.value), new = bytes_of(op->memory.operand);
	struct il_command c;
	command(op, &c, IL_SCRIPT_memory_swap);
	il_command_bytes(&c, &expected, sizeof expected);
	il_command_bytes(&c, &new, sizeof new);
	return request(op, &c, IL_UNSAFE, told_swap);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

static int key_of(char key[DIGITS + 1], size_t slot)
{
	return snprintf(key, DIGITS + 1, "%zu", slot);
}

static void ask_for(struct il_watch *w, struct il_command *c)
{
	ask_slot(il_container_of(w->all, struct memory, watches), c, strtoul(w->key, NULL, 10));
}

static int told(struct il_watch *w, struct il_request *r)
{
	struct il_list round;
	int64_t value;
	int err = take_slot(il_container_of(w->all, struct memory, watches), r, &value);
	if (err)
		return err;
	il_list_move(&w->ops, &round);
	while (!il_list_empty(&round)) {
		struct il_op *op = il_container_of(round.next, struct il_op, link);
		il_list_del(&op->link);
		if (op->memory.value == value) {
			il_list_add(&w->ops, &op->link);
			continue;
		}
		op->memory.value = value;
		il_op_finish(op, 0);
	}
	return 0;
}

static int wait_start(struct il_op *op)
{
	char key[DIGITS + 1];
	int size = key_of(key, op->memory.slot);
	return il_watch_start(&of_op(op)->watches, op, key, (size_t)size);
}

static bool wait_cancel(struct il_op *op)
{
	char key[DIGITS + 1];
	int size = key_of(key, op->memory.slot);
	il_watch_cancel(&of_op(op)->watches, op, key, (size_t)size);
	return false;
}

/* Beginning and end ------------------------------------------------------------------------------------- */

static int told_open(struct il_op *op, struct il_request *r, int err)
{
	struct memory *m = of_op(op);
	size_t size;
	if (err && err != EEXIST)
		return err;
	const char *id = il_reply_bytes(r, 1, &size);
	memcpy(m->watches.id, id, size < IL_ID ? size : IL_ID);
	if (err)
		m->memory.count = (size_t)value_of(r, 2);
	return err;
}

static int open_start(struct il_op *op)
{
	struct memory *m = of_op(op);
	uint64_t slots = bytes_of((int64_t)m->memory.count);
	struct il_command c;
	il_command_init(&c, &m->watches.object, IL_SCRIPT_memory_open);
	il_command_bytes(&c, m->made, IL_ID);
	il_command_bytes(&c, &slots, sizeof slots);
	return request(op, &c, IL_SAFE, told_open);
}

static bool remove_attempt(struct il_op *op)
{
	struct il_command c;
	if (!op->last)
		return il_redis_object_attempt(op);
	il_watches_call(&of_op(op)->watches, &c, IL_SCRIPT_memory_remove);
	il_redis_object_tell(&of_op(op)->watches.object, &c);
	return true;
}

static int told_remove(struct il_op *op, struct il_request *r, int err)
{
	(void)r;
	if (!err)
		il_watches_finish(&of_op(op)->watches, EIDRM);
	return err;
}

static int remove_start(struct il_op *op)
{
	struct il_command c;
	il_watches_call(&of_op(op)->watches, &c, IL_SCRIPT_memory_remove);
	return request(op, &c, IL_SAFE, told_remove);
}

static bool removed(struct il_memory *memory)
{
	return memory->shared.removed;
}

static void close_memory(struct il_memory *memory)
{
	struct memory *m = memory_of(memory);
	il_watches_close(&m->watches);
	free(m);
}

static const struct il_memory_ops ops = {
	.open = { "shared memory", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.wait = { "memory wait", il_redis_object_attempt, wait_start, wait_cancel },
	.read = { "memory read", il_redis_object_attempt, read_start, il_redis_object_cancel },
	.write = { "memory write", il_redis_object_attempt, write_start, il_redis_object_cancel },
	.add = { "memory add", il_redis_object_attempt, add_start, il_redis_object_cancel },
	.swap = { "memory swap", il_redis_object_attempt, swap_start, il_redis_object_cancel },
	.remove = { "memory remove", remove_attempt, remove_start, il_redis_object_cancel },
	.removed = removed,
	.close = close_memory,
};

int il_redis_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **memory)
{
	static const volatile bool never;
	if (o->slots > MOST_SLOTS)
		return il_because(EFBIG, "memory of %zu slots is over a server's limit of %d", o->slots, MOST_SLOTS);
	struct memory *m = calloc(1, sizeof *m);
	if (!m)
		return ENOMEM;
	int err = il_watches_open(&m->watches, key, "memory");
	if (err) {
		free(m);
		return err;
	}
	m->memory = (struct il_memory){ .ops = &ops, .count = o->slots, .lost = &never };
	m->watches.object.shared = &m->memory.shared;
	m->watches.ask = ask_for;
	m->watches.told = told;
	il_watches_name(&m->watches, m->made);
	*memory = &m->memory;
	return 0;
}
