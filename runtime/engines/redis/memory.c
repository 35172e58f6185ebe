/* SPDX-License-Identifier: MIT
 *
 * Shared memory on a server: one string, eight bytes to a slot, the highest first, as the server's BITFIELD has them.
 * The slots are behind the id and the number of slots. The string grows as far as the highest slot that was ever
 * written. Floor 2.
 */
#include "base/reason.h"
#include "engines/redis/redis.h"
#include "engines/redis/watch.h"

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

static int settle(struct il_request *r, int err)
{
	il_request_free(r);
	return err;
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
	il_command_plain(c, &m->watches.face, "BITFIELD", "slots");
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
		m->memory.remote->removed = true;
		return EIDRM;
	}
	*value = il_reply_number(r, HEAD - 1);
	return 0;
}

static int post(struct memory *m, int verb, size_t slot, int64_t value, int64_t n)
{
	static const enum il_script scripts[] = {
		[IL_MEMORY_WRITE] = IL_SCRIPT_memory_write,
		[IL_MEMORY_ADD] = IL_SCRIPT_memory_add,
		[IL_MEMORY_SWAP] = IL_SCRIPT_memory_swap,
	};
	uint64_t expected = bytes_of(value), new = bytes_of(n);
	struct il_command c;
	if (verb == IL_MEMORY_READ) {
		ask_slot(m, &c, slot);
		return il_face_ask(&m->watches.face, &c, IL_SAFE);
	}
	il_watches_call(&m->watches, &c, scripts[verb]);
	il_command_number(&c, (int64_t)slot);
	if (verb == IL_MEMORY_SWAP)
		il_command_bytes(&c, &expected, sizeof expected);
	if (verb == IL_MEMORY_ADD)
		il_command_number(&c, n);
	else
		il_command_bytes(&c, &new, sizeof new);
	return il_face_ask(&m->watches.face, &c, IL_UNSAFE);
}

static int ask(struct il_memory *memory, int verb, size_t slot, int64_t *value, int64_t n)
{
	struct memory *m = memory_of(memory);
	struct il_request *r = il_face_answer(&m->watches.face);
	if (!r)
		return post(m, verb, slot, verb == IL_MEMORY_SWAP ? *value : 0, n);
	int err = il_request_status(r);
	if (!err && verb == IL_MEMORY_READ)
		err = take_slot(m, r, value);
	else if (!err && verb == IL_MEMORY_SWAP && value_of(r, 1) != *value)
		err = ESTALE;
	if ((!err && verb == IL_MEMORY_ADD) || (err == ESTALE && verb == IL_MEMORY_SWAP))
		*value = value_of(r, 1);
	return settle(r, err);
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
		if (op->arg == value) {
			il_list_add(&w->ops, &op->link);
			continue;
		}
		op->arg = value;
		il_op_finish(op, 0);
	}
	return 0;
}

static bool wait_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

static int wait_start(struct il_op *op)
{
	char key[DIGITS + 1];
	int size = key_of(key, op->size);
	return il_watch_start(&memory_of(op->source)->watches, op, key, (size_t)size);
}

static bool wait_cancel(struct il_op *op)
{
	char key[DIGITS + 1];
	int size = key_of(key, op->size);
	il_watch_cancel(&memory_of(op->source)->watches, op, key, (size_t)size);
	return false;
}

/* Beginning and end ------------------------------------------------------------------------------------- */

static int remove_memory(struct il_memory *memory)
{
	struct memory *m = memory_of(memory);
	struct il_request *r = il_face_answer(&m->watches.face);
	if (!r) {
		struct il_command c;
		il_watches_call(&m->watches, &c, IL_SCRIPT_memory_remove);
		return il_face_ask(&m->watches.face, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (!err)
		il_watches_finish(&m->watches, EIDRM);
	return settle(r, err);
}

static bool removed(struct il_memory *memory)
{
	return memory->remote->removed;
}

static void close_memory(struct il_memory *memory)
{
	struct memory *m = memory_of(memory);
	il_watches_close(&m->watches);
	free(m);
}

static const struct il_memory_ops ops = {
	{ "memory wait", wait_attempt, wait_start, wait_cancel },
	NULL,
	NULL,
	NULL,
	remove_memory,
	removed,
	close_memory,
	ask,
};

static int make(const struct il_key *key, size_t slots, struct il_memory **memory)
{
	static const volatile bool never;
	struct memory *m = calloc(1, sizeof *m);
	if (!m)
		return ENOMEM;
	int err = il_watches_open(&m->watches, key, "memory");
	if (err) {
		free(m);
		return err;
	}
	m->memory = (struct il_memory){
		.remote = &m->watches.face.remote,
		.ops = &ops,
		.count = slots,
		.lost = &never,
	};
	m->watches.ask = ask_for;
	m->watches.told = told;
	il_watches_name(&m->watches, m->made);
	*memory = &m->memory;
	return 0;
}

static int open_memory(struct memory *m, struct il_memory_options *o)
{
	struct il_request *r = il_face_answer(&m->watches.face);
	uint64_t slots = bytes_of((int64_t)o->slots);
	size_t size;
	if (!r) {
		struct il_command c;
		il_command_init(&c, &m->watches.face, IL_SCRIPT_memory_open);
		il_command_bytes(&c, m->made, IL_ID);
		il_command_bytes(&c, &slots, sizeof slots);
		return il_face_ask(&m->watches.face, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (!err || err == EEXIST) {
		const char *id = il_reply_bytes(r, 1, &size);
		memcpy(m->watches.id, id, size < IL_ID ? size : IL_ID);
		o->found = (size_t)value_of(r, 2);
	}
	return settle(r, err);
}

int il_redis_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **memory)
{
	if (o->slots > MOST_SLOTS)
		return il_because(EFBIG, "memory of %zu slots is over a server's limit of %d", o->slots, MOST_SLOTS);
	int err = *memory ? 0 : make(key, o->slots, memory);
	if (err)
		return err;
	err = open_memory(memory_of(*memory), o);
	if (err && err != EINPROGRESS) {
		close_memory(*memory);
		*memory = NULL;
	}
	return err;
}
