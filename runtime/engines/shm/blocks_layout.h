/* SPDX-License-Identifier: MIT
 *
 * How an extent of blocks is laid out: what blocks.c and blocks_recover.c know of each other. What is read is checked:
 * a block lies inside, an extent ends inside. Floor 2.
 */
#ifndef IL_SHM_BLOCKS_LAYOUT_H
#define IL_SHM_BLOCKS_LAYOUT_H

#include "base/shared_atomic.h"
#include "engines/shm/blocks.h"

#include <stdbool.h>

/* Of an extent's state: what it is, in recovery also that it has been seen; the number of blocks from IL_EXTENT_SHIFT
 * on. */
enum { IL_EXTENT_FREE, IL_EXTENT_FIRST, IL_EXTENT_MORE, IL_EXTENT_SEEN = 4, IL_EXTENT_STATE = 7, IL_EXTENT_SHIFT = 3 };

/* The beginning of every extent. */
struct il_extent {
	uint32_t state;
	uint32_t more; /* the next extent of the message, or IL_NO_BLOCK */
};

/* The beginning of a message's first extent. */
struct il_first {
	struct il_extent extent;
	uint32_t next, prev; /* in the order of the messages */
	int64_t type;
	uint64_t sequence;
	uint32_t size, reserved;
};

_Static_assert(sizeof(struct il_extent) == 8 && sizeof(struct il_first) == 40, "layout");

static inline struct il_extent *il_extent_at(const struct il_blocks *c, uint32_t block)
{
	return (struct il_extent *)(void *)(c->blocks + (size_t)block * IL_BLOCK);
}

static inline struct il_first *il_first_at(const struct il_blocks *c, uint32_t block)
{
	return (struct il_first *)(void *)(c->blocks + (size_t)block * IL_BLOCK);
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

static inline size_t il_extent_room(uint32_t blocks, bool first)
{
	return (size_t)blocks * IL_BLOCK - (first ? sizeof(struct il_first) : sizeof(struct il_extent));
}

/* True: a message begins there, and it comes into m. */
static inline bool il_is_message(const struct il_blocks *c, uint32_t block, struct il_message *m)
{
	uint32_t state;
	if (!il_extent_length(c, block, &state) || state != IL_EXTENT_FIRST)
		return false;
	*m = (struct il_message){ .block = block,
		.type = il_first_at(c, block)->type,
		.size = il_first_at(c, block)->size };
	return m->type > 0 && m->size <= (size_t)c->count * IL_BLOCK;
}

#endif
