/* SPDX-License-Identifier: MIT
 *
 * How messages are laid out in extents of blocks: what the files of blocks.h know of each other. What is read is
 * checked: a block lies inside, an extent ends inside. Floor 2.
 */
#ifndef IL_SHM_BLOCKS_LAYOUT_H
#define IL_SHM_BLOCKS_LAYOUT_H

#include "base/shared_atomic.h"
#include "engines/shm/blocks.h"

#include <stdbool.h>

/* Of an extent's state: what it is, in recovery also that it has been seen; the number of blocks from IL_EXTENT_SHIFT
 * on. Senders make free extents into those of messages, and unite them; receivers make the others free, but see
 * il_is_past. */
enum { IL_EXTENT_FREE, IL_EXTENT_FIRST, IL_EXTENT_MORE, IL_EXTENT_SEEN = 4, IL_EXTENT_STATE = 7, IL_EXTENT_SHIFT = 3 };

/* The beginning of every extent. */
struct il_extent {
	uint32_t state;
	uint32_t more; /* the next extent of the message, or IL_NO_BLOCK */
};

/* The beginning of a message's first extent; its text follows, at an address that is a string's in Lua, modulo 16:
 * copying is half as fast again if both begin alike. Some fields are there for jobs, that is, for messages that stay
 * until they are done: one layout for both, since it is the receiver that makes a message a job. */
struct il_record {
	struct il_extent extent;
	int64_t type;
	uint64_t place; /* in the order */
	uint64_t state; /* see IL_RECORD_READY; one store takes a message from one state to another */
	uint32_t size; /* bytes of text */
	uint32_t next; /* ready: for an index by type, the next of its type */
	union {
		struct {
			uint32_t lower, higher;
		} types; /* ready: for an index by type, of the last of a type: subtrees */
		uint64_t token; /* taken: the delivery, which `done` must name */
		int64_t due; /* delayed: until when, ns of the wall clock */
	};
	int64_t time; /* when it was sent, the same; 0: not known */
};

/* The state of a record. The bits: what it is (3), the slot of the process that has taken it (13), how often it was
 * taken (16), how many of its holders died (16), bytes of its id (8) in front of the text, and of the reason (8) behind
 * it, why it failed last. Ready and never taken is 0. */
enum il_record_state { IL_RECORD_READY, IL_RECORD_TAKEN, IL_RECORD_DELAYED, IL_RECORD_DEAD };

_Static_assert(sizeof(struct il_extent) == 8 && sizeof(struct il_record) == 56, "layout");

static inline struct il_extent *il_extent_at(const struct il_blocks *c, uint32_t block)
{
	return (struct il_extent *)(void *)(c->blocks + (size_t)block * IL_BLOCK);
}

static inline struct il_record *il_record_at(const struct il_blocks *c, uint32_t block)
{
	return (struct il_record *)(void *)(c->blocks + (size_t)block * IL_BLOCK);
}

/* The length of the extent at a block, 0 if there cannot be one. */
static inline uint32_t il_extent_length(const struct il_blocks *c, uint32_t block, uint32_t *state)
{
	if (block >= c->count)
		return 0;
	uint32_t word = il_get(&il_extent_at(c, block)->state), length = word >> IL_EXTENT_SHIFT;
	*state = word & IL_EXTENT_STATE;
	return length <= c->count - block ? length : 0;
}

static inline void il_extent_set(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	il_put(&il_extent_at(c, block)->state, length << IL_EXTENT_SHIFT | state);
}

static inline size_t il_extent_header(bool first)
{
	return first ? sizeof(struct il_record) : sizeof(struct il_extent);
}

static inline size_t il_extent_room(uint32_t blocks, bool first)
{
	return (size_t)blocks * IL_BLOCK - il_extent_header(first);
}

static inline char *il_extent_text(const struct il_blocks *c, uint32_t block, bool first)
{
	return c->blocks + (size_t)block * IL_BLOCK + il_extent_header(first);
}

/* Where a place of the order is kept: a block, or IL_NO_BLOCK. */
static inline uint32_t *il_order_at(const struct il_blocks *c, uint64_t place)
{
	return &c->order[place & (c->places - 1)];
}

/* True: a message begins there, and it comes into m. */
static inline bool il_is_message(const struct il_blocks *c, uint32_t block, struct il_message *m)
{
	uint32_t state = 0;
	const struct il_record *r = il_record_at(c, block);
	m->length = il_extent_length(c, block, &state);
	if (!m->length || state != IL_EXTENT_FIRST)
		return false;
	m->block = block;
	m->size = r->size;
	m->type = r->type;
	m->place = r->place;
	return m->type > 0 && m->size <= (size_t)c->count * IL_BLOCK && r->state == IL_RECORD_READY;
}

/* Is the first extent of a message as good as free? A receiver that takes the oldest message, in one piece, leaves the
 * record as it is: `first` has passed its place. So a sender gets these lines back without a copy. */
static inline bool il_is_past(const struct il_blocks *c, uint32_t block, uint64_t first)
{
	return (int64_t)(il_record_at(c, block)->place - first) < 0;
}

/* The other process had these lines last. */
static inline void il_block_prefetch(const struct il_blocks *c, uint32_t block, bool write)
{
	if (block >= c->count - 1)
		return;
	if (write) {
		__builtin_prefetch(il_extent_at(c, block), 1);
		__builtin_prefetch(il_extent_at(c, block + 1), 1);
	} else {
		__builtin_prefetch(il_extent_at(c, block), 0);
		__builtin_prefetch(il_extent_at(c, block + 1), 0);
	}
}

#endif
