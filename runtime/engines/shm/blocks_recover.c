/* SPDX-License-Identifier: MIT
 *
 * Making everything anew from the messages, see blocks.h, after a process died half-way: with the latch, and others
 * wait meanwhile. Nothing is believed but the extents, and they only if they fill the area. Floor 2.
 */
#include "engines/shm/blocks_recover.h"
#include "engines/shm/blocks_layout.h"

#include <errno.h>

/* Calls back for every extent; EUCLEAN if they do not fill the area exactly. */
static int each_run(const struct il_blocks *c,
	int (*f)(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state))
{
	uint32_t state, length;
	int err = 0;
	for (uint32_t block = 0; block < c->count && !err; block += length) {
		length = il_extent_length(c, block, &state);
		err = length ? f(c, block, length, state) : EUCLEAN;
	}
	return err;
}

static int clear_seen(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	if (state == (IL_EXTENT_MORE | IL_EXTENT_SEEN)) {
		il_extent_set(c, block, length, IL_EXTENT_MORE);
		return 0;
	}
	return state == IL_EXTENT_FREE || state == IL_EXTENT_FIRST || state == IL_EXTENT_MORE ? 0 : EUCLEAN;
}

/* The pieces of a message are its own if they lead on from it, and only once. */
static int see_pieces(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	struct il_message m;
	size_t room = il_extent_room(length, true);
	if (state != IL_EXTENT_FIRST)
		return 0;
	if (!il_is_message(c, block, &m))
		return EUCLEAN;
	for (uint32_t more = il_extent_at(c, block)->more; room < m.size; more = il_extent_at(c, more)->more) {
		length = il_extent_length(c, more, &state);
		if (!length || state != IL_EXTENT_MORE)
			return EUCLEAN;
		il_extent_set(c, more, length, IL_EXTENT_MORE | IL_EXTENT_SEEN);
		room += il_extent_room(length, false);
	}
	return 0;
}

static int drop_unseen(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	if (state == IL_EXTENT_MORE || state == (IL_EXTENT_MORE | IL_EXTENT_SEEN))
		il_extent_set(c, block, length, state == IL_EXTENT_MORE ? IL_EXTENT_FREE : IL_EXTENT_MORE);
	return 0;
}

/* A list of messages, linked by `next`, that is being put together. */
struct chain {
	uint32_t first, last, steps; /* in a sound area no more steps than messages */
};

static int link_on(const struct il_blocks *c, struct chain *chain, uint32_t block)
{
	if (block >= c->count || chain->steps++ > c->count)
		return EUCLEAN;
	if (chain->last == IL_NO_BLOCK)
		chain->first = block;
	else
		il_first_at(c, chain->last)->next = block;
	chain->last = block;
	return 0;
}

/* The next of one of two parts of the list: the older one's. */
static uint32_t *older(const struct il_blocks *c, uint32_t at[2], const uint32_t left[2])
{
	bool any[2] = { left[0] && at[0] < c->count, left[1] && at[1] < c->count };
	if (any[0] && any[1])
		return il_first_at(c, at[0])->sequence <= il_first_at(c, at[1])->sequence ? &at[0] : &at[1];
	return any[0] ? &at[0] : any[1] ? &at[1] : NULL;
}

/* Merges each two parts of `width` messages that are in order. */
static int merge(const struct il_blocks *c, uint32_t *list, uint32_t width)
{
	struct chain chain = { .first = IL_NO_BLOCK, .last = IL_NO_BLOCK };
	uint32_t rest = *list;
	while (rest < c->count) {
		uint32_t at[2] = { rest, rest }, left[2] = { width, width }, *next;
		for (uint32_t n = 0; n < width && at[1] < c->count; n++)
			at[1] = il_first_at(c, at[1])->next;
		while ((next = older(c, at, left))) {
			uint32_t block = *next;
			*next = il_first_at(c, block)->next;
			left[next - at]--;
			if (link_on(c, &chain, block))
				return EUCLEAN;
		}
		rest = at[1];
	}
	if (chain.last != IL_NO_BLOCK)
		il_first_at(c, chain.last)->next = IL_NO_BLOCK;
	*list = chain.first;
	return 0;
}

/* The other half of the links. */
static int link_back(const struct il_blocks *c)
{
	struct il_shm_blocks *s = c->shared;
	uint32_t n = 0, prev = IL_NO_BLOCK;
	for (uint32_t block = s->first; block != IL_NO_BLOCK; block = il_first_at(c, block)->next) {
		if (block >= c->count || n++ == c->count)
			return EUCLEAN;
		il_first_at(c, block)->prev = prev;
		prev = block;
	}
	s->last = prev;
	return 0;
}

/* In whatever order they lie, so many steps as n messages have, times log n: others wait meanwhile. */
static int sort(const struct il_blocks *c, uint32_t list, uint64_t messages)
{
	int err = 0;
	for (uint32_t width = 1; width < messages && !err; width *= 2)
		err = merge(c, &list, width);
	c->shared->first = list;
	return err ? err : link_back(c);
}

static int rebuild(const struct il_blocks *c)
{
	struct il_shm_blocks *s = c->shared;
	struct chain chain = { .first = IL_NO_BLOCK, .last = IL_NO_BLOCK };
	uint32_t state, length, unused = 0;
	uint64_t sequence = s->sequence, messages = 0, bytes = 0;
	for (uint32_t block = 0; block < c->count; block += length) {
		length = il_extent_length(c, block, &state);
		if (!length || (state == IL_EXTENT_FIRST && link_on(c, &chain, block)))
			return EUCLEAN;
		if (state == IL_EXTENT_FREE)
			unused += length;
		if (state != IL_EXTENT_FIRST)
			continue;
		const struct il_first *f = il_first_at(c, block);
		messages++;
		bytes += f->size;
		if (f->sequence > sequence)
			sequence = f->sequence;
	}
	if (chain.last != IL_NO_BLOCK)
		il_first_at(c, chain.last)->next = IL_NO_BLOCK;
	*s = (struct il_shm_blocks){ .unused = unused, .messages = messages, .bytes = bytes, .sequence = sequence };
	return sort(c, chain.first, messages);
}

int il_blocks_recover(const struct il_blocks *c)
{
	int err = each_run(c, clear_seen);
	if (!err)
		err = each_run(c, see_pieces);
	if (!err)
		err = each_run(c, drop_unseen);
	return err ? err : rebuild(c);
}
