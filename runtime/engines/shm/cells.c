/* SPDX-License-Identifier: MIT
 *
 * Messages in cells, see cells.h. Everything here happens with the latch. What is read is checked: a cell lies inside, a run
 * ends inside, a walk takes no more steps than there are cells.
 * Floor 2.
 */
#include "engines/shm/cells.h"
#include "loop/latch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { FREE, FIRST, MORE, SEEN = 4, STATE = 7, LENGTH_SHIFT = 3 };

/* The beginning of every run. */
struct run {
	uint32_t state; /* FREE, FIRST, MORE, in recovery with SEEN; the number of cells from LENGTH_SHIFT on */
	uint32_t more;  /* the next run of the message, or IL_NO_CELL */
};

/* The beginning of a message's first run. */
struct first {
	struct run run;
	uint32_t next, prev; /* in the order of the messages */
	int64_t type;
	uint64_t sequence;
	uint32_t size, reserved;
};

_Static_assert(sizeof(struct run) == 8 && sizeof(struct first) == 40, "layout");

static struct run *run_at(const struct il_cells *c, uint32_t cell)
{
	return (struct run *)(void *)(c->cells + (size_t)cell * IL_CELL);
}

static struct first *first_at(const struct il_cells *c, uint32_t cell)
{
	return (struct first *)(void *)(c->cells + (size_t)cell * IL_CELL);
}

/* For whoever takes the next message, or writes one: the other process had these lines last. */
static void prefetch(const struct il_cells *c, uint32_t cell)
{
	if (cell >= c->count - 1)
		return;
	__builtin_prefetch(first_at(c, cell), 1);
	__builtin_prefetch(first_at(c, cell + 1), 1);
}

/* The length of the run at a cell, 0 if there cannot be one. */
static uint32_t length_at(const struct il_cells *c, uint32_t cell, uint32_t *state)
{
	if (cell >= c->count)
		return 0;
	uint32_t word = il_get(&run_at(c, cell)->state), length = word >> LENGTH_SHIFT;
	*state = word & STATE;
	return length <= c->count - cell ? length : 0;
}

static void set_run(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	il_put(&run_at(c, cell)->state, length << LENGTH_SHIFT | state);
}

static size_t room_of(uint32_t cells, bool first)
{
	return (size_t)cells * IL_CELL - (first ? sizeof(struct first) : sizeof(struct run));
}

static uint32_t cells_for(size_t size, bool first)
{
	return (uint32_t)((size + (first ? sizeof(struct first) : sizeof(struct run)) + IL_CELL - 1) / IL_CELL);
}

uint32_t il_cells_for(size_t size)
{
	return 2 * cells_for(size, true);
}

void il_cells_init(const struct il_cells *c)
{
	struct il_shm_cells *s = c->shared;
	*s = (struct il_shm_cells){ .first = IL_NO_CELL, .last = IL_NO_CELL, .unused = c->count };
	set_run(c, 0, c->count, FREE);
}

/* Writing ------------------------------------------------------------------------------------------------ */

/* The free run at a cell becomes as long as wanted, if what follows is free too; not beyond `end`. Its length. */
static uint32_t grow(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t wanted, uint32_t end)
{
	uint32_t state, more, was = length;
	while (length < wanted && cell + length < end && (more = length_at(c, cell + length, &state)) && state == FREE)
		length += more;
	if (length != was)
		set_run(c, cell, length, FREE);
	return length;
}

static void split(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t wanted)
{
	set_run(c, cell + wanted, length - wanted, FREE);
	set_run(c, cell, wanted, FREE);
}

/* Once around, from the rover to the rover, which is always the beginning of a run. */
struct search {
	uint32_t at, stop;
	bool wrapped;
};

/* The next free run, as long as wanted or shorter. EAGAIN: it has been all around. */
static int next_free(const struct il_cells *c, struct search *s, uint32_t wanted, uint32_t *cell, uint32_t *length)
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
		*cell = s->at;
		*length = length_at(c, s->at, &state);
		if (!*length)
			return EUCLEAN;
		if (state == FREE)
			break;
		s->at += *length;
	}
	*length = grow(c, *cell, *length, wanted, s->wrapped ? s->stop : c->count);
	if (*length > wanted) {
		split(c, *cell, *length, wanted);
		*length = wanted;
	}
	s->at = *cell + *length;
	return 0;
}

static char *text_of(const struct il_cells *c, uint32_t cell, bool first)
{
	return c->cells + (size_t)cell * IL_CELL + (first ? sizeof(struct first) : sizeof(struct run));
}

int il_cells_write(const struct il_cells *c, int64_t type, const void *data, size_t size, uint32_t *result)
{
	struct il_shm_cells *shared = c->shared;
	struct search s = { .at = shared->rover, .stop = shared->rover };
	uint32_t cell, length, last = IL_NO_CELL;
	const char *from = data;
	size_t left = size;
	if (cells_for(size, true) > il_get(&shared->unused))
		return EAGAIN;
	if (s.at >= c->count)
		s.at = s.stop = 0;
	do {
		bool first = last == IL_NO_CELL;
		int err = next_free(c, &s, cells_for(left, first), &cell, &length);
		if (err)
			return err;
		size_t part = room_of(length, first) < left ? room_of(length, first) : left;
		if (part)
			memcpy(text_of(c, cell, first), from, part);
		from += part;
		left -= part;
		il_put(&run_at(c, cell)->more, IL_NO_CELL);
		if (first)
			*result = cell;
		else
			il_put(&run_at(c, last)->more, cell);
		last = cell;
	} while (left);
	struct first *f = first_at(c, *result);
	f->type = type;
	f->size = (uint32_t)size;
	shared->rover = s.at < c->count ? s.at : 0;
	return 0;
}

/* What follows the first run of a message; `length` becomes that of all. */
static void mark_more(const struct il_cells *c, uint32_t first, uint32_t state, uint32_t *length)
{
	uint32_t was, more, cell = run_at(c, first)->more;
	for (uint32_t n = 0; cell != IL_NO_CELL && n < c->count && (more = length_at(c, cell, &was)); n++) {
		*length += more;
		set_run(c, cell, more, state);
		cell = run_at(c, cell)->more;
	}
}

static void append(const struct il_cells *c, uint32_t cell)
{
	struct il_shm_cells *s = c->shared;
	struct first *f = first_at(c, cell);
	f->next = IL_NO_CELL;
	f->prev = s->last;
	if (s->last < c->count)
		first_at(c, s->last)->next = cell;
	else
		s->first = cell;
	s->last = cell;
	s->messages++;
	s->bytes += f->size;
}

void il_cells_commit(const struct il_cells *c, uint32_t cell)
{
	struct il_shm_cells *s = c->shared;
	uint32_t state, first = length_at(c, cell, &state), cells = first;
	mark_more(c, cell, MORE, &cells);
	first_at(c, cell)->sequence = s->sequence + 1;
	il_put64(&s->sequence, s->sequence + 1);
	set_run(c, cell, first, FIRST); /* here it becomes a message */
	append(c, cell);
	il_put(&s->unused, s->unused - cells);
	prefetch(c, s->rover);
}

/* Reading ------------------------------------------------------------------------------------------------ */

static bool is_message(const struct il_cells *c, uint32_t cell, struct il_message *m)
{
	uint32_t state;
	if (!length_at(c, cell, &state) || state != FIRST)
		return false;
	*m = (struct il_message){ .cell = cell, .type = first_at(c, cell)->type, .size = first_at(c, cell)->size };
	return m->type > 0 && m->size <= (size_t)c->count * IL_CELL;
}

int il_cells_find(const struct il_cells *c, int64_t wanted, struct il_message *m)
{
	struct il_message here, best = { .cell = IL_NO_CELL };
	uint32_t cell = c->shared->first;
	for (uint32_t n = 0; cell != IL_NO_CELL; n++) {
		if (n == c->count || !is_message(c, cell, &here))
			return EUCLEAN;
		if (wanted == 0 || here.type == wanted) {
			*m = here;
			return 0;
		}
		if (wanted < 0 && here.type <= -wanted && (best.cell == IL_NO_CELL || here.type < best.type))
			best = here;
		if (best.cell != IL_NO_CELL && best.type == 1)
			break;
		cell = first_at(c, cell)->next;
	}
	*m = best;
	return best.cell == IL_NO_CELL ? EAGAIN : 0;
}

int il_cells_read(const struct il_cells *c, const struct il_message *m, void *data)
{
	char *to = data;
	size_t left = m->size;
	uint32_t cell = m->cell, length, state;
	for (uint32_t n = 0; left; n++) {
		if (n == c->count || !(length = length_at(c, cell, &state)))
			return EUCLEAN;
		size_t part = room_of(length, n == 0) < left ? room_of(length, n == 0) : left;
		memcpy(to, text_of(c, cell, n == 0), part);
		to += part;
		left -= part;
		cell = run_at(c, cell)->more;
	}
	return 0;
}

/* The first one's prev is not looked at, so that to take the first does not touch the second, which a sender may have in
 * its cache. */
static int unlink_message(const struct il_cells *c, uint32_t cell)
{
	struct il_shm_cells *s = c->shared;
	const struct first *f = first_at(c, cell);
	bool is_first = s->first == cell;
	uint32_t next = f->next, prev = is_first ? IL_NO_CELL : f->prev;
	if ((next != IL_NO_CELL && next >= c->count) || (prev != IL_NO_CELL && prev >= c->count))
		return EUCLEAN;
	if (prev == IL_NO_CELL)
		s->first = next;
	else
		first_at(c, prev)->next = next;
	if (next == IL_NO_CELL)
		s->last = prev;
	else if (!is_first)
		first_at(c, next)->prev = prev;
	s->messages--;
	s->bytes -= f->size;
	return 0;
}

int il_cells_take(const struct il_cells *c, const struct il_message *m)
{
	struct il_shm_cells *s = c->shared;
	uint32_t state, cells = length_at(c, m->cell, &state);
	set_run(c, m->cell, cells, FREE); /* here it is no message any more */
	int err = unlink_message(c, m->cell);
	mark_more(c, m->cell, FREE, &cells);
	il_put(&s->unused, s->unused + cells);
	prefetch(c, s->first);
	return err;
}

/* Recovery ----------------------------------------------------------------------------------------------- */

/* Calls back for every run; EUCLEAN if they do not fill the area exactly. */
static int each_run(const struct il_cells *c, int (*f)(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state))
{
	uint32_t state, length;
	int err = 0;
	for (uint32_t cell = 0; cell < c->count && !err; cell += length) {
		length = length_at(c, cell, &state);
		err = length ? f(c, cell, length, state) : EUCLEAN;
	}
	return err;
}

static int clear_seen(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	if (state == (MORE | SEEN))
		set_run(c, cell, length, MORE);
	return state == FREE || state == FIRST || state == MORE || state == (MORE | SEEN) ? 0 : EUCLEAN;
}

/* The pieces of a message are its own if they lead on from it, and only once. */
static int see_pieces(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	struct il_message m;
	size_t room = room_of(length, true);
	if (state != FIRST)
		return 0;
	if (!is_message(c, cell, &m))
		return EUCLEAN;
	for (uint32_t more = run_at(c, cell)->more; room < m.size; more = run_at(c, more)->more) {
		length = length_at(c, more, &state);
		if (!length || state != MORE)
			return EUCLEAN;
		set_run(c, more, length, MORE | SEEN);
		room += room_of(length, false);
	}
	return 0;
}

static int drop_unseen(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	if (state == MORE || state == (MORE | SEEN))
		set_run(c, cell, length, state == MORE ? FREE : MORE);
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
		first_at(c, chain->last)->next = cell;
	chain->last = cell;
	return 0;
}

/* The next of one of two parts of the list: the older one's. */
static uint32_t *older(const struct il_cells *c, uint32_t at[2], const uint32_t left[2])
{
	bool any[2] = { left[0] && at[0] < c->count, left[1] && at[1] < c->count };
	if (any[0] && any[1])
		return first_at(c, at[0])->sequence <= first_at(c, at[1])->sequence ? &at[0] : &at[1];
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
			at[1] = first_at(c, at[1])->next;
		while ((next = older(c, at, left))) {
			uint32_t cell = *next;
			*next = first_at(c, cell)->next;
			left[next - at]--;
			if (link_on(c, &chain, cell))
				return EUCLEAN;
		}
		rest = at[1];
	}
	if (chain.last != IL_NO_CELL)
		first_at(c, chain.last)->next = IL_NO_CELL;
	*list = chain.first;
	return 0;
}

/* The other half of the links. */
static int link_back(const struct il_cells *c)
{
	struct il_shm_cells *s = c->shared;
	uint32_t n = 0, prev = IL_NO_CELL;
	for (uint32_t cell = s->first; cell != IL_NO_CELL; cell = first_at(c, cell)->next) {
		if (cell >= c->count || n++ == c->count)
			return EUCLEAN;
		first_at(c, cell)->prev = prev;
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
		length = length_at(c, cell, &state);
		if (!length || (state == FIRST && link_on(c, &chain, cell)))
			return EUCLEAN;
		if (state == FREE)
			unused += length;
		if (state != FIRST)
			continue;
		const struct first *f = first_at(c, cell);
		messages++;
		bytes += f->size;
		if (f->sequence > sequence)
			sequence = f->sequence;
	}
	if (chain.last != IL_NO_CELL)
		first_at(c, chain.last)->next = IL_NO_CELL;
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
