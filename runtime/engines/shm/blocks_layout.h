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
 * copying is half as fast again if both begin alike. What is there beside the text: a front before it, if it was sent
 * as a job with something of its own, and behind it the reason why it failed last. */
struct il_record {
	struct il_extent extent;
	int64_t type;
	uint64_t place; /* number of the send: the order, for ever */
	uint64_t state; /* see il_record_kind; one store takes a message from one state to another */
	uint32_t size; /* bytes of text */
	/* As what it is kept, see job_tree.h and job_index.h. That is made anew in recovery. */
	uint32_t index; /* taken, delayed: where it is in the index. Dead: its number. Again: the oldest of the subtree
			 */
	union {
		struct {
			uint32_t lower, higher;
		} subtrees; /* again, dead: blocks, or IL_NO_BLOCK */
		uint64_t token; /* taken: the delivery, which `finish` must name */
		uint64_t successor; /* ending: the place of the next message */
		int64_t due; /* delayed: until when, ns of the wall clock */
	};
	int64_t time; /* when it was sent, the same */
};

/* What a record is. Ready and never taken is a state of 0: only such records are in the order, and are passed there. */
enum il_record_kind {
	IL_RECORD_READY,
	IL_RECORD_AGAIN, /* ready, but not in the order: it has an id, was delayed or taken, or stood in the way there
			  */
	IL_RECORD_TAKEN,
	IL_RECORD_ENDING, /* taken, and done as soon as the message of the place `successor` is there */
	IL_RECORD_DELAYED,
	IL_RECORD_DEAD,
	IL_RECORD_KINDS
};

/* The fields of a state: where each begins, times 256, and how many bits it has. */
enum il_state_field {
	IL_STATE_KIND = 0 << 8 | 3,
	IL_STATE_FRONT = 3 << 8 | 1, /* there is a struct il_front */
	IL_STATE_DIED = 4 << 8 | 1, /* the last holder died: that is the reason */
	IL_STATE_TAG = 5 << 8 | 9, /* taken: the handle, as its process numbers them */
	IL_STATE_SLOT = 14 << 8 | 10, /* taken: the process */
	IL_STATE_REASON = 24 << 8 | 8, /* bytes */
	IL_STATE_ATTEMPTS = 32 << 8 | 16, /* how often it was taken */
	IL_STATE_DEATHS = 48 << 8 | 16, /* how many of its holders died */
};

enum { IL_HOLDERS = 1 << 10, IL_TAGS = 1 << 9 };

static inline uint32_t il_state_get(uint64_t state, enum il_state_field field)
{
	return (uint32_t)(state >> (field >> 8) & (((uint64_t)1 << (field & 255)) - 1));
}

static inline uint64_t il_state_with(uint64_t state, enum il_state_field field, uint32_t value)
{
	uint64_t mask = ((uint64_t)1 << (field & 255)) - 1;
	return (state & ~(mask << (field >> 8))) | (value & mask) << (field >> 8);
}

/* What stands before the text of a message that has an id or a limit of its own; the id follows, and then nothing up to
 * a multiple of 16. */
struct il_front {
	uint32_t next; /* the next block with such an id, see job_ids.h */
	uint16_t attempts; /* limit of its own, or 0 */
	uint8_t id_size, unused;
};

_Static_assert(sizeof(struct il_extent) == 8 && sizeof(struct il_record) == 56, "layout");
_Static_assert(sizeof(struct il_front) <= IL_BLOCK - sizeof(struct il_record), "it is in one piece");

static inline size_t il_front_size(size_t id_size)
{
	return (sizeof(struct il_front) + id_size + 15) / 16 * 16;
}

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

static inline struct il_front *il_front_at(const struct il_blocks *c, uint32_t block)
{
	return (struct il_front *)(void *)il_extent_text(c, block, true);
}

/* True: a message begins there, whatever its state, and it comes into m; but for the front. */
static inline bool il_is_record(const struct il_blocks *c, uint32_t block, struct il_message *m)
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
	m->state = il_get64(&r->state);
	m->front = 0;
	return m->type > 0 && m->size <= (size_t)c->count * IL_BLOCK;
}

/* True: a message of the order begins there. */
static inline bool il_is_message(const struct il_blocks *c, uint32_t block, struct il_message *m)
{
	return il_is_record(c, block, m) && m->state == IL_RECORD_READY;
}

/* The same of another kind. */
static inline bool il_is_kind(const struct il_blocks *c, uint32_t block, enum il_record_kind kind, struct il_message *m)
{
	if (!il_is_record(c, block, m) || il_state_get(m->state, IL_STATE_KIND) != kind)
		return false;
	if (il_state_get(m->state, IL_STATE_FRONT))
		m->front = (uint32_t)il_front_size(il_front_at(c, block)->id_size);
	return true;
}

/* Is the first extent of a message as good as free? A receiver that takes the oldest message, in one piece, leaves the
 * record as it is: `first` has passed its place. So a sender gets these lines back without a copy. Only a message of
 * the order goes so. */
static inline bool il_is_past(const struct il_blocks *c, uint32_t block, uint64_t first)
{
	const struct il_record *r = il_record_at(c, block);
	return (int64_t)(r->place - first) < 0 && il_get64(&r->state) == IL_RECORD_READY;
}

/* Is all that a message has in its first extent? */
static inline bool il_is_whole(const struct il_blocks *c, const struct il_message *m)
{
	return m->size <= il_extent_room(m->length, true) && il_extent_at(c, m->block)->more == IL_NO_BLOCK;
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
