/* SPDX-License-Identifier: MIT
 *
 * Messages in blocks, see blocks.h. What is read is checked: a walk takes no more steps than there are blocks.
 * Floor 2.
 */
#include "base/clock.h"
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/payloads.h"
#include "engines/shm/blocks_layout.h"

#include <errno.h>
#include <string.h>

enum { AHEAD = 4 }; /* blocks */

static inline uint32_t most_messages(uint32_t places)
{
	return places - places / 4;
}

static uint32_t blocks_for(size_t size, bool first)
{
	return (uint32_t)((size + il_extent_header(first) + IL_BLOCK - 1) / IL_BLOCK);
}

uint32_t il_blocks_for(size_t size)
{
	return 2 * blocks_for(size, true);
}

/* Most messages have two blocks or more. A quarter of the places is to be empty, so that it is worth packing them. */
uint32_t il_blocks_places(uint32_t blocks)
{
	uint32_t places = 4;
	while (most_messages(places) < blocks / 2)
		places *= 2;
	return places;
}

uint32_t il_blocks_slots(uint32_t blocks)
{
	return blocks < IL_HOLDERS ? blocks : IL_HOLDERS;
}

uint32_t il_blocks_id_slots(uint32_t blocks)
{
	return blocks / 4 + 1;
}

void il_blocks_init(const struct il_blocks *c)
{
	il_extent_set(c, 0, c->count, IL_EXTENT_FREE);
	c->jobs->again = c->jobs->dead = IL_NO_BLOCK;
}

/* Writing ------------------------------------------------------------------------------------------------ */

static inline bool is_free(const struct il_blocks *c, uint32_t block, uint32_t state)
{
	return state == IL_EXTENT_FREE || (state == IL_EXTENT_FIRST && il_is_past(c, block, c->sending->first_seen));
}

/* The free extent at a block becomes as long as wanted, if what follows is free too; not beyond `end`. Its length. */
static uint32_t grow(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t wanted, uint32_t end)
{
	uint32_t state, more;
	while (length < wanted && block + length < end && (more = il_extent_length(c, block + length, &state)) &&
		is_free(c, block + length, state))
		length += more;
	il_extent_set(c, block, length, IL_EXTENT_FREE);
	return length;
}

static inline void split(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t wanted)
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
		if (is_free(c, s->at, state))
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

/* The message is in pieces, or room for it has to be searched. Without `from` the bytes come later. */
static int write_pieces(const struct il_blocks *c, const char *from, size_t left, uint32_t *result)
{
	struct search s = { .at = c->sending->rover, .stop = c->sending->rover };
	uint32_t block, length, last = IL_NO_BLOCK;
	if (s.at >= c->count)
		s.at = s.stop = 0;
	do {
		bool first = last == IL_NO_BLOCK;
		int err = next_free(c, &s, blocks_for(left, first), &block, &length);
		if (err)
			return err;
		size_t part = il_extent_room(length, first) < left ? il_extent_room(length, first) : left;
		if (part && from) {
			memcpy(il_extent_text(c, block, first), from, part);
			from += part;
		}
		left -= part;
		il_put(&il_extent_at(c, block)->more, IL_NO_BLOCK);
		if (first)
			*result = block;
		else
			il_put(&il_extent_at(c, last)->more, block);
		last = block;
	} while (left);
	c->sending->rover = s.at;
	return 0;
}

/* True: there is room for it in one piece at the rover, and it is written. */
static inline __attribute__((always_inline)) bool write_whole(const struct il_blocks *c, const void *data, size_t size,
	uint32_t blocks, uint32_t *result)
{
	uint32_t state = 0, block = c->sending->rover, length = il_extent_length(c, block, &state);
	if (length < blocks || !is_free(c, block, state))
		return false;
	if (length > blocks)
		split(c, block, length, blocks);
	if (size && data)
		memcpy(il_extent_text(c, block, true), data, size);
	il_put(&il_extent_at(c, block)->more, IL_NO_BLOCK);
	c->sending->rover = block + blocks;
	*result = block;
	return true;
}

/* What receivers have given back meanwhile. True: something. */
static bool see_given(const struct il_blocks *c)
{
	struct il_shm_sending *s = c->sending;
	uint32_t given = s->given_seen;
	uint64_t first = s->first_seen;
	s->given_seen = il_get(&c->receiving->given);
	s->first_seen = il_get64(&c->receiving->first);
	return s->given_seen != given || s->first_seen != first;
}

/* Receivers free some extents before they count them. Senders may have used these: then there are more used blocks than
 * the area has, as far as is seen. */
static inline bool fits(const struct il_blocks *c, uint32_t blocks)
{
	return (uint64_t)(c->sending->used - c->sending->given_seen) + blocks <= c->count;
}

/* Blocks that are free; what receivers have given back meanwhile is looked up if these are too few. */
static inline bool has_room(const struct il_blocks *c, uint32_t blocks)
{
	return fits(c, blocks) || (see_given(c) && fits(c, blocks));
}

/* 0; EAGAIN: there are too many small messages; ENOBUFS. */
static int __attribute__((noinline)) find_place(const struct il_blocks *c)
{
	struct il_shm_sending *s = c->sending;
	s->first_seen = il_get64(&c->receiving->first);
	if (s->sent - il_get64(&c->receiving->received) >= most_messages(c->places))
		return EAGAIN;
	return s->sent - s->first_seen < c->places ? 0 : ENOBUFS;
}

static inline int check_place(const struct il_blocks *c)
{
	const struct il_shm_sending *s = c->sending;
	return s->sent - s->first_seen < most_messages(c->places) ? 0 : find_place(c);
}

/* The state comes last: with an old place, and one that is not 0, the record would be taken for a message. */
static inline __attribute__((always_inline)) int write_record(const struct il_blocks *c, int64_t type, const void *data,
	size_t front, size_t size, int64_t time, uint32_t *result)
{
	uint32_t blocks = blocks_for(front + size, true);
	if (!has_room(c, blocks))
		return EAGAIN;
	int err = check_place(c);
	if (err)
		return err;
	if (!write_whole(c, data, front + size, blocks, result)) {
		err = write_pieces(c, data, front + size, result);
		if (err == EAGAIN && see_given(c)) /* pieces need more blocks than one extent */
			err = write_pieces(c, data, front + size, result);
		if (err)
			return err;
	}
	struct il_record *r = il_record_at(c, *result);
	r->type = type;
	r->place = c->sending->sent;
	r->size = (uint32_t)size;
	r->time = time;
	il_put64(&r->state, IL_RECORD_READY);
	return 0;
}

int il_blocks_write(const struct il_blocks *c, int64_t type, const void *data, size_t size, uint32_t *result)
{
	return write_record(c, type, data, 0, size, il_wall_coarse(), result);
}

int il_blocks_reserve(const struct il_blocks *c, int64_t type, size_t front, size_t size, uint32_t *result)
{
	return write_record(c, type, NULL, front, size, il_wall_coarse(), result);
}

static void __attribute__((noinline))
mark_all(const struct il_blocks *c, uint32_t block, uint32_t state, uint32_t *length)
{
	uint32_t was, more;
	for (uint32_t n = 0; block != IL_NO_BLOCK && n < c->count && (more = il_extent_length(c, block, &was)); n++) {
		uint32_t next = il_extent_at(c, block)->more;
		*length += more;
		il_extent_set(c, block, more, state);
		block = next;
	}
}

/* What follows the first extent of a message; `length` becomes that of all. */
static inline void mark_more(const struct il_blocks *c, uint32_t block, uint32_t state, uint32_t *length)
{
	if (block != IL_NO_BLOCK)
		mark_all(c, block, state, length);
}

static inline void commit(const struct il_blocks *c, uint32_t block)
{
	struct il_shm_sending *s = c->sending;
	uint32_t state, first = il_extent_length(c, block, &state), blocks = first;
	mark_more(c, il_extent_at(c, block)->more, IL_EXTENT_MORE, &blocks);
	il_extent_set(c, block, first, IL_EXTENT_FIRST);
	*il_order_at(c, s->sent) = block;
	s->bytes += il_record_at(c, block)->size;
	s->used += blocks;
	s->last_sender = (uint32_t)il_fork.pid;
	if (s->rover >= c->count)
		s->rover = 0;
	il_put64(&s->sent, s->sent + 1); /* here it becomes a message */
	il_block_prefetch(c, s->rover + AHEAD, true);
}

void il_blocks_commit(const struct il_blocks *c, uint32_t block)
{
	commit(c, block);
}

/* A message in blocks that are free, `length` of them or more. */
static inline void put_message(const struct il_blocks *c, uint32_t block, uint32_t length, uint32_t blocks,
	const struct il_payload *p)
{
	struct il_record *r = il_record_at(c, block);
	if (length > blocks)
		split(c, block, length, blocks);
	if (p->size)
		memcpy(il_extent_text(c, block, true), il_payload_bytes(p), p->size);
	il_put(&r->extent.more, IL_NO_BLOCK);
	r->type = p->type;
	r->size = (uint32_t)p->size;
}

/* What is counted is written when all are there: recovery counts anew. */
size_t il_blocks_append(const struct il_blocks *c, const void *messages, size_t size, uint32_t *most, uint64_t room)
{
	struct il_shm_sending *s = c->sending;
	uint64_t sent = s->sent, bytes = 0;
	uint32_t rover = s->rover, used = s->used - s->given_seen, blocks, length, state = 0;
	int64_t time = il_wall_coarse();
	size_t at = 0;
	while (at < size && *most && sent - s->first_seen < most_messages(c->places)) {
		const struct il_payload *p = il_payload_at(messages, at);
		if (p->size > room - bytes)
			break;
		blocks = blocks_for(p->size, true);
		length = il_extent_length(c, rover, &state);
		if ((uint64_t)used + blocks > c->count || length < blocks || !is_free(c, rover, state))
			break;
		put_message(c, rover, length, blocks, p);
		struct il_record *r = il_record_at(c, rover);
		r->place = sent;
		r->time = time;
		il_put64(&r->state, IL_RECORD_READY);
		il_extent_set(c, rover, blocks, IL_EXTENT_FIRST);
		*il_order_at(c, sent) = rover;
		il_put64(&s->sent, ++sent); /* here it becomes a message */
		bytes += p->size;
		used += blocks;
		rover = rover + blocks < c->count ? rover + blocks : 0;
		il_block_prefetch(c, rover + AHEAD, true);
		at += il_payload_space(p->size);
		--*most;
	}
	s->bytes += bytes;
	s->used = used + s->given_seen;
	s->rover = rover;
	return at;
}

/* Reading ------------------------------------------------------------------------------------------------ */

/* Copies a part of what the extents of a message have, to or from `data`. */
static int copy_pieces(const struct il_blocks *c, uint32_t block, size_t at, char *data, size_t left, bool store)
{
	uint32_t length, state;
	for (uint32_t n = 0; left; n++) {
		if (n == c->count || !(length = il_extent_length(c, block, &state)))
			return EUCLEAN;
		size_t room = il_extent_room(length, n == 0), skip = at < room ? at : room;
		size_t part = room - skip < left ? room - skip : left;
		char *text = il_extent_text(c, block, n == 0) + skip;
		if (part)
			memcpy(store ? text : data, store ? data : text, part);
		data += part;
		left -= part;
		at -= skip;
		block = il_extent_at(c, block)->more;
	}
	return 0;
}

int il_blocks_load(const struct il_blocks *c, uint32_t block, size_t at, void *data, size_t size)
{
	return copy_pieces(c, block, at, data, size, false);
}

int il_blocks_store(const struct il_blocks *c, uint32_t block, size_t at, const void *data, size_t size)
{
	return copy_pieces(c, block, at, (char *)(uintptr_t)data, size, true);
}

int il_blocks_read(const struct il_blocks *c, const struct il_message *m, void *data)
{
	if (m->front || m->size > il_extent_room(m->length, true))
		return copy_pieces(c, m->block, m->front, data, m->size, false);
	if (m->size)
		memcpy(data, il_extent_text(c, m->block, true), m->size);
	return 0;
}

static inline void count_freed(const struct il_blocks *c, const struct il_message *m, uint32_t blocks)
{
	struct il_shm_receiving *r = c->receiving;
	il_put64(&r->bytes, r->bytes + m->size);
	il_put(&r->given, r->given + blocks);
}

/* A sender may use an extent as soon as it is free. */
void il_blocks_take(const struct il_blocks *c, const struct il_message *m)
{
	struct il_shm_receiving *r = c->receiving;
	uint32_t blocks = m->length, more = il_extent_at(c, m->block)->more;
	bool oldest = m->place == r->first;
	if (!oldest || more != IL_NO_BLOCK) {
		il_extent_set(c, m->block, blocks, IL_EXTENT_FREE); /* here it is no message any more */
		mark_more(c, more, IL_EXTENT_FREE, &blocks);
	}
	if (oldest)
		il_put64(&r->first, m->place + 1); /* or here */
	else
		*il_order_at(c, m->place) = IL_NO_BLOCK;
	il_put64(&r->received, r->received + 1);
	r->last_receiver = (uint32_t)il_fork.pid;
	count_freed(c, m, blocks);
}

void il_blocks_passed(const struct il_blocks *c, uint32_t messages, uint64_t bytes, uint32_t blocks)
{
	struct il_shm_receiving *r = c->receiving;
	il_put64(&r->received, r->received + messages);
	r->last_receiver = (uint32_t)il_fork.pid;
	il_put64(&r->bytes, r->bytes + bytes);
	il_put(&r->given, r->given + blocks);
}

void il_blocks_leave_order(const struct il_blocks *c, const struct il_message *m)
{
	struct il_shm_receiving *r = c->receiving;
	*il_order_at(c, m->place) = IL_NO_BLOCK;
	if (m->place == r->sent_seen) /* it has only just been sent */
		r->sent_seen++;
	if (m->place == r->first)
		il_put64(&r->first, m->place + 1);
	il_put64(&r->received, r->received + 1);
}

void il_blocks_free(const struct il_blocks *c, const struct il_message *m)
{
	uint32_t blocks = m->length, more = il_extent_at(c, m->block)->more;
	il_extent_set(c, m->block, blocks, IL_EXTENT_FREE); /* here it is no message any more */
	mark_more(c, more, IL_EXTENT_FREE, &blocks);
	count_freed(c, m, blocks);
}

/* The last extent of a message; *room: of all. */
static int last_extent(const struct il_blocks *c, uint32_t block, uint32_t *last, size_t *room)
{
	uint32_t length, state;
	*room = 0;
	for (uint32_t n = 0; block != IL_NO_BLOCK; n++) {
		if (n == c->count || !(length = il_extent_length(c, block, &state)))
			return EUCLEAN;
		*room += il_extent_room(length, n == 0);
		*last = block;
		block = il_extent_at(c, block)->more;
	}
	return 0;
}

/* They are of the message from the store on that links them. If this process dies before its state says that there is
 * something in them, recovery makes them free. */
size_t il_blocks_extend(const struct il_blocks *c, uint32_t block, size_t wanted)
{
	uint32_t last = block, length, rover = c->sending->rover < c->count ? c->sending->rover : 0;
	struct search s = { .at = rover, .stop = rover };
	size_t room;
	if (last_extent(c, block, &last, &room))
		return 0;
	while (room < wanted) {
		uint32_t blocks = blocks_for(wanted - room, false);
		if (!has_room(c, blocks) || next_free(c, &s, blocks, &block, &length))
			break;
		il_put(&il_extent_at(c, block)->more, IL_NO_BLOCK);
		il_extent_set(c, block, length, IL_EXTENT_MORE);
		il_put(&il_extent_at(c, last)->more, block);
		c->sending->used += length;
		room += il_extent_room(length, false);
		last = block;
		c->sending->rover = s.at < c->count ? s.at : 0;
	}
	return room;
}
