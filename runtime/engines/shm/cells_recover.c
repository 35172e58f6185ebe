/* SPDX-License-Identifier: MIT
 *
 * Making everything anew from the messages, see cells.h, after a process died half-way: with the latch, and others wait
 * meanwhile. Nothing is believed but the runs, and they only if they fill the area.
 * Floor 2.
 */
#include "engines/shm/cells_recover.h"
#include "engines/shm/run.h"

#include <errno.h>

/* Calls back for every run; EUCLEAN if they do not fill the area exactly. */
static int each_run(const struct il_cells *c,
	int (*f)(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state))
{
	uint32_t state, length;
	int err = 0;
	for (uint32_t cell = 0; cell < c->count && !err; cell += length) {
		length = il_run_length(c, cell, &state);
		err = length ? f(c, cell, length, state) : EUCLEAN;
	}
	return err;
}

static int clear_seen(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	if (state == (IL_RUN_MORE | IL_RUN_SEEN)) {
		il_run_set(c, cell, length, IL_RUN_MORE);
		return 0;
	}
	return state == IL_RUN_FREE || state == IL_RUN_FIRST || state == IL_RUN_MORE ? 0 : EUCLEAN;
}

/* The pieces of a message are its own if they lead on from it, and only once. */
static int see_pieces(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	struct il_message m;
	size_t room = il_run_room(length, true);
	if (state != IL_RUN_FIRST)
		return 0;
	if (!il_is_message(c, cell, &m))
		return EUCLEAN;
	for (uint32_t more = il_run_at(c, cell)->more; room < m.size; more = il_run_at(c, more)->more) {
		length = il_run_length(c, more, &state);
		if (!length || state != IL_RUN_MORE)
			return EUCLEAN;
		il_run_set(c, more, length, IL_RUN_MORE | IL_RUN_SEEN);
		room += il_run_room(length, false);
	}
	return 0;
}

static int drop_unseen(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	if (state == IL_RUN_MORE || state == (IL_RUN_MORE | IL_RUN_SEEN))
		il_run_set(c, cell, length, state == IL_RUN_MORE ? IL_RUN_FREE : IL_RUN_MORE);
	return 0;
}

/* A list of messages, linked by `next`, that is being put together. */
struct chain {
	uint32_t first, last, steps; /* in a sound area no more steps than messages */
};

static int link_on(const struct il_cells *c, struct chain *chain, uint32_t cell)
{
	if (cell >= c->count || chain->steps++ > c->count)
		return EUCLEAN;
	if (chain->last == IL_NO_CELL)
		chain->first = cell;
	else
		il_first_at(c, chain->last)->next = cell;
	chain->last = cell;
	return 0;
}

/* The next of one of two parts of the list: the older one's. */
static uint32_t *older(const struct il_cells *c, uint32_t at[2], const uint32_t left[2])
{
	bool any[2] = { left[0] && at[0] < c->count, left[1] && at[1] < c->count };
	if (any[0] && any[1])
		return il_first_at(c, at[0])->sequence <= il_first_at(c, at[1])->sequence ? &at[0] : &at[1];
	return any[0] ? &at[0] : any[1] ? &at[1] : NULL;
}

/* Merges each two parts of `width` messages that are in order. */
static int merge(const struct il_cells *c, uint32_t *list, uint32_t width)
{
	struct chain chain = { .first = IL_NO_CELL, .last = IL_NO_CELL };
	uint32_t rest = *list;
	while (rest < c->count) {
		uint32_t at[2] = { rest, rest }, left[2] = { width, width }, *next;
		for (uint32_t n = 0; n < width && at[1] < c->count; n++)
			at[1] = il_first_at(c, at[1])->next;
		while ((next = older(c, at, left))) {
			uint32_t cell = *next;
			*next = il_first_at(c, cell)->next;
			left[next - at]--;
			if (link_on(c, &chain, cell))
				return EUCLEAN;
		}
		rest = at[1];
	}
	if (chain.last != IL_NO_CELL)
		il_first_at(c, chain.last)->next = IL_NO_CELL;
	*list = chain.first;
	return 0;
}

/* The other half of the links. */
static int link_back(const struct il_cells *c)
{
	struct il_shm_cells *s = c->shared;
	uint32_t n = 0, prev = IL_NO_CELL;
	for (uint32_t cell = s->first; cell != IL_NO_CELL; cell = il_first_at(c, cell)->next) {
		if (cell >= c->count || n++ == c->count)
			return EUCLEAN;
		il_first_at(c, cell)->prev = prev;
		prev = cell;
	}
	s->last = prev;
	return 0;
}

/* In whatever order they lie, so many steps as n messages have, times log n: others wait meanwhile. */
static int sort(const struct il_cells *c, uint32_t list, uint64_t messages)
{
	int err = 0;
	for (uint32_t width = 1; width < messages && !err; width *= 2)
		err = merge(c, &list, width);
	c->shared->first = list;
	return err ? err : link_back(c);
}

static int rebuild(const struct il_cells *c)
{
	struct il_shm_cells *s = c->shared;
	struct chain chain = { .first = IL_NO_CELL, .last = IL_NO_CELL };
	uint32_t state, length, unused = 0;
	uint64_t sequence = s->sequence, messages = 0, bytes = 0;
	for (uint32_t cell = 0; cell < c->count; cell += length) {
		length = il_run_length(c, cell, &state);
		if (!length || (state == IL_RUN_FIRST && link_on(c, &chain, cell)))
			return EUCLEAN;
		if (state == IL_RUN_FREE)
			unused += length;
		if (state != IL_RUN_FIRST)
			continue;
		const struct il_first *f = il_first_at(c, cell);
		messages++;
		bytes += f->size;
		if (f->sequence > sequence)
			sequence = f->sequence;
	}
	if (chain.last != IL_NO_CELL)
		il_first_at(c, chain.last)->next = IL_NO_CELL;
	*s = (struct il_shm_cells){ .unused = unused, .messages = messages, .bytes = bytes, .sequence = sequence };
	return sort(c, chain.first, messages);
}

int il_cells_recover(const struct il_cells *c)
{
	int err = each_run(c, clear_seen);
	if (!err)
		err = each_run(c, see_pieces);
	if (!err)
		err = each_run(c, drop_unseen);
	return err ? err : rebuild(c);
}
