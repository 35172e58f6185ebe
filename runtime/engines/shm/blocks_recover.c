/* SPDX-License-Identifier: MIT
 *
 * Making everything anew from the messages, see blocks.h, after a process died half-way: with both latches, and others
 * wait meanwhile. Nothing is believed but the extents, and they only if they fill the area. Floor 2.
 */
#include "engines/shm/blocks_recover.h"
#include "engines/shm/blocks_layout.h"

#include <errno.h>

/* Calls back for every extent; EUCLEAN if they do not fill the area exactly. */
static int each_extent(const struct il_blocks *c,
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

/* A message that was not counted yet is none, nor is one that has been passed. */
static int drop_others(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	uint64_t first = c->receiving->first;
	if (state == IL_EXTENT_FIRST && il_record_at(c, block)->place - first >= c->sending->sent - first)
		il_extent_set(c, block, length, IL_EXTENT_FREE);
	return 0;
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

static int place(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	struct il_shm_receiving *r = c->receiving;
	const struct il_record *record = il_record_at(c, block);
	if (state != IL_EXTENT_FREE)
		r->given -= length;
	if (state != IL_EXTENT_FIRST)
		return 0;
	if (*il_order_at(c, record->place) != IL_NO_BLOCK)
		return EUCLEAN;
	*il_order_at(c, record->place) = block;
	r->received--;
	r->bytes -= record->size;
	return 0;
}

/* Puts the messages into their places, and counts them as those that have not been received. */
static int rebuild(const struct il_blocks *c)
{
	struct il_shm_sending *s = c->sending;
	struct il_shm_receiving *r = c->receiving;
	if (s->sent - r->first > c->places)
		return EUCLEAN;
	for (uint32_t i = 0; i < c->places; i++)
		c->order[i] = IL_NO_BLOCK;
	r->received = r->sent_seen = s->sent;
	r->bytes = s->bytes;
	r->given = s->used;
	int err = each_extent(c, place);
	s->bytes_seen = r->bytes;
	s->first_seen = r->first;
	s->given_seen = r->given;
	s->rover = 0;
	return err;
}

int il_blocks_recover(const struct il_blocks *c)
{
	int err = each_extent(c, clear_seen);
	if (!err)
		err = each_extent(c, drop_others);
	if (!err)
		err = each_extent(c, see_pieces);
	if (!err)
		err = each_extent(c, drop_unseen);
	return err ? err : rebuild(c);
}
