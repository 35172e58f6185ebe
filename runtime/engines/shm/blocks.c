/* SPDX-License-Identifier: MIT
 *
 * Messages in blocks, see blocks.h. Everything here happens with the latch. What is read is checked: a walk takes
 * no more steps than there are blocks.
 * Floor 2.
 */
#include "base/shared_atomic.h"
#include "engines/shm/blocks_layout.h"

#include <errno.h>
#include <string.h>

/* For the process that takes the next message, or writes one: the other process had these lines last. */
static void prefetch(const struct il_blocks *c, uint32_t block)
{
	if (block >= c->count - 1)
		return;
	__builtin_prefetch(il_first_at(c, block), 1);
	__builtin_prefetch(il_first_at(c, block + 1), 1);
}

static uint32_t blocks_for(size_t size, bool first)
{
	return (uint32_t)((size + (first ? sizeof(struct il_first) : sizeof(struct il_extent)) + IL_BLOCK - 1) /
		IL_BLOCK);
}

uint32_t il_blocks_for(size_t size)
{
	return 2 * blocks_for(size, true);
}

void il_blocks_init(const struct il_blocks *c)
{
	struct il_shm_blocks *s = c->shared;
	*s = (struct il_shm_blocks){ .first = IL_NO_BLOCK, .last = IL_NO_BLOCK, .unused = c->count };
	il_extent_set(c, 0, c->count, IL_EXTENT_FREE);
}

/* Writing ------------------------------------------------------------------------------------------------ */

/* The free extent at a block becomes as long as wanted, if what follows is free too; not beyond `end`. Its length. */
static uint32_t grow(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t wanted, uint32_t end)
{
	uint32_t state, more, was = length;
	while (length < wanted && block + length < end && (more = il_extent_length(c, block + length, &state)) &&
		state == IL_EXTENT_FREE)
		length += more;
	if (length != was)
		il_extent_set(c, block, length, IL_EXTENT_FREE);
	return length;
}

static void split(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t wanted)
{
	il_extent_set(c, block + wanted, length - wanted, IL_EXTENT_FREE);
	il_extent_set(c, block, wanted, IL_EXTENT_FREE);
}

/* Once around, from the rover to the rover, which is always the beginning of an extent. */
struct search {
	uint32_t at, stop;
	bool wrapped;
};

/* The next free extent, as long as wanted or shorter. EAGAIN: it has been all around. */
static int next_free(const struct il_blocks *c, struct search *s, uint32_t wanted, uint32_t *block, uint32_t *length)
{
	uint32_t state;
	for (;;) {
		uint32_t end = s->wrapped ? s->stop : c->count;
		if (s->at >= end) {
			if (s->wrapped)
				return EAGAIN;
			s->at = 0;
			s->wrapped = true;
			continue;
		}
		*block = s->at;
		*length = il_extent_length(c, s->at, &state);
		if (!*length)
			return EUCLEAN;
		if (state == IL_EXTENT_FREE)
			break;
		s->at += *length;
	}
	*length = grow(c, *block, *length, wanted, s->wrapped ? s->stop : c->count);
	if (*length > wanted) {
		split(c, *block, *length, wanted);
		*length = wanted;
	}
	s->at = *block + *length;
	return 0;
}

static char *text_of(const struct il_blocks *c, uint32_t block, bool first)
{
	return c->blocks + (size_t)block * IL_BLOCK + (first ? sizeof(struct il_first) : sizeof(struct il_extent));
}

int il_blocks_write(const struct il_blocks *c, int64_t type, const void *data, size_t size, uint32_t *result)
{
	struct il_shm_blocks *shared = c->shared;
	struct search s = { .at = shared->rover, .stop = shared->rover };
	uint32_t block, length, last = IL_NO_BLOCK;
	const char *from = data;
	size_t left = size;
	if (blocks_for(size, true) > il_get(&shared->unused))
		return EAGAIN;
	if (s.at >= c->count)
		s.at = s.stop = 0;
	do {
		bool first = last == IL_NO_BLOCK;
		int err = next_free(c, &s, blocks_for(left, first), &block, &length);
		if (err)
			return err;
		size_t part = il_extent_room(length, first) < left ? il_extent_room(length, first) : left;
		if (part)
			memcpy(text_of(c, block, first), from, part);
		from += part;
		left -= part;
		il_put(&il_extent_at(c, block)->more, IL_NO_BLOCK);
		if (first)
			*result = block;
		else
			il_put(&il_extent_at(c, last)->more, block);
		last = block;
	} while (left);
	struct il_first *f = il_first_at(c, *result);
	f->type = type;
	f->size = (uint32_t)size;
	shared->rover = s.at < c->count ? s.at : 0;
	return 0;
}

/* What follows the first extent of a message; `length` becomes that of all. */
static void mark_more(const struct il_blocks *c, uint32_t first, uint32_t state, uint32_t *length)
{
	uint32_t was, more, block = il_extent_at(c, first)->more;
	for (uint32_t n = 0; block != IL_NO_BLOCK && n < c->count && (more = il_extent_length(c, block, &was)); n++) {
		*length += more;
		il_extent_set(c, block, more, state);
		block = il_extent_at(c, block)->more;
	}
}

static void append(const struct il_blocks *c, uint32_t block)
{
	struct il_shm_blocks *s = c->shared;
	struct il_first *f = il_first_at(c, block);
	f->next = IL_NO_BLOCK;
	f->prev = s->last;
	if (s->last < c->count)
		il_first_at(c, s->last)->next = block;
	else
		s->first = block;
	s->last = block;
	s->messages++;
	s->bytes += f->size;
}

void il_blocks_commit(const struct il_blocks *c, uint32_t block)
{
	struct il_shm_blocks *s = c->shared;
	uint32_t state, first = il_extent_length(c, block, &state), blocks = first;
	mark_more(c, block, IL_EXTENT_MORE, &blocks);
	il_first_at(c, block)->sequence = s->sequence + 1;
	il_put64(&s->sequence, s->sequence + 1);
	il_extent_set(c, block, first, IL_EXTENT_FIRST); /* here it becomes a message */
	append(c, block);
	il_put(&s->unused, s->unused - blocks);
	prefetch(c, s->rover);
}

/* Reading ------------------------------------------------------------------------------------------------ */

int il_blocks_find(const struct il_blocks *c, int64_t wanted, struct il_message *m)
{
	struct il_message here, best = { .block = IL_NO_BLOCK };
	uint32_t block = c->shared->first;
	for (uint32_t n = 0; block != IL_NO_BLOCK; n++) {
		if (n == c->count || !il_is_message(c, block, &here))
			return EUCLEAN;
		if (wanted == 0 || here.type == wanted) {
			*m = here;
			return 0;
		}
		if (wanted < 0 && here.type <= -wanted && (best.block == IL_NO_BLOCK || here.type < best.type))
			best = here;
		if (best.block != IL_NO_BLOCK && best.type == 1)
			break;
		block = il_first_at(c, block)->next;
	}
	*m = best;
	return best.block == IL_NO_BLOCK ? EAGAIN : 0;
}

int il_blocks_read(const struct il_blocks *c, const struct il_message *m, void *data)
{
	char *to = data;
	size_t left = m->size;
	uint32_t block = m->block, length, state;
	for (uint32_t n = 0; left; n++) {
		if (n == c->count || !(length = il_extent_length(c, block, &state)))
			return EUCLEAN;
		size_t part = il_extent_room(length, n == 0) < left ? il_extent_room(length, n == 0) : left;
		memcpy(to, text_of(c, block, n == 0), part);
		to += part;
		left -= part;
		block = il_extent_at(c, block)->more;
	}
	return 0;
}

/* The first one's prev is not looked at, so that to take the first does not touch the second, which a sender may have
 * in its cache. */
static int unlink_message(const struct il_blocks *c, uint32_t block)
{
	struct il_shm_blocks *s = c->shared;
	const struct il_first *f = il_first_at(c, block);
	bool is_first = s->first == block;
	uint32_t next = f->next, prev = is_first ? IL_NO_BLOCK : f->prev;
	if ((next != IL_NO_BLOCK && next >= c->count) || (prev != IL_NO_BLOCK && prev >= c->count))
		return EUCLEAN;
	if (prev == IL_NO_BLOCK)
		s->first = next;
	else
		il_first_at(c, prev)->next = next;
	if (next == IL_NO_BLOCK)
		s->last = prev;
	else if (!is_first)
		il_first_at(c, next)->prev = prev;
	s->messages--;
	s->bytes -= f->size;
	return 0;
}

int il_blocks_take(const struct il_blocks *c, const struct il_message *m)
{
	struct il_shm_blocks *s = c->shared;
	uint32_t state, blocks = il_extent_length(c, m->block, &state);
	il_extent_set(c, m->block, blocks, IL_EXTENT_FREE); /* here it is no message any more */
	int err = unlink_message(c, m->block);
	mark_more(c, m->block, IL_EXTENT_FREE, &blocks);
	il_put(&s->unused, s->unused + blocks);
	prefetch(c, s->first);
	return err;
}
