/* SPDX-License-Identifier: MIT
 *
 * Making everything anew from the messages, see blocks.h, after a process died half-way: with both latches, and others
 * wait meanwhile. Nothing is believed but the extents, and they only if they fill the area. Floor 2.
 */
#include "engines/shm/blocks_recover.h"
#include "engines/shm/blocks_layout.h"
#include "engines/shm/jobs.h"

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

static bool is_sent(const struct il_blocks *c, uint64_t place)
{
	return (int64_t)(place - c->sending->sent) < 0;
}

/* A job that was to be done with its successor is done, or not. */
static bool has_ended(const struct il_blocks *c, struct il_record *r)
{
	if (il_state_get(r->state, IL_STATE_KIND) != IL_RECORD_ENDING)
		return false;
	if (is_sent(c, r->successor))
		return true;
	il_put64(&r->state, il_state_with(r->state, IL_STATE_KIND, IL_RECORD_TAKEN));
	return false;
}

/* A message that was not counted yet is none, nor is one that has been passed. */
static int drop_others(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	struct il_record *r = il_record_at(c, block);
	bool passed = state == IL_EXTENT_FIRST && il_is_past(c, block, c->receiving->first);
	if (state == IL_EXTENT_FIRST && (passed || !is_sent(c, r->place) || has_ended(c, r)))
		il_extent_set(c, block, length, IL_EXTENT_FREE);
	return 0;
}

/* The pieces of a message are its own if they lead on from it, and only once. Behind the last one there may be some for
 * a reason that was not written. */
static int see_pieces(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t state)
{
	struct il_message m;
	size_t room = il_extent_room(length, true);
	if (state != IL_EXTENT_FIRST)
		return 0;
	enum il_record_kind kind = (enum il_record_kind)il_state_get(il_record_at(c, block)->state, IL_STATE_KIND);
	if (kind >= IL_RECORD_KINDS || !il_is_kind(c, block, kind, &m))
		return EUCLEAN;
	size_t size = (size_t)m.front + m.size + il_state_get(m.state, IL_STATE_REASON);
	uint32_t last = block, more;
	for (; room < size; last = more) {
		more = il_extent_at(c, last)->more;
		length = il_extent_length(c, more, &state);
		if (!length || state != IL_EXTENT_MORE)
			return EUCLEAN;
		il_extent_set(c, more, length, IL_EXTENT_MORE | IL_EXTENT_SEEN);
		room += il_extent_room(length, false);
	}
	if (il_extent_at(c, last)->more != IL_NO_BLOCK)
		il_put(&il_extent_at(c, last)->more, IL_NO_BLOCK);
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
	r->bytes -= record->size;
	if (record->state != IL_RECORD_READY)
		return il_jobs_keep(c, block);
	if (*il_order_at(c, record->place) != IL_NO_BLOCK)
		return EUCLEAN;
	*il_order_at(c, record->place) = block;
	r->received--;
	return 0;
}

/* Puts the messages into their places, and counts them as those that have not been received; and the others where they
 * are kept. */
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
	il_jobs_clear(c);
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
