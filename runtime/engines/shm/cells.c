/* SPDX-License-Identifier: MIT
 *
 * Messages in cells, see cells.h. Everything here happens with the latch. What is read is checked: a walk takes
 * no more steps than there are cells.
 * Floor 2.
 */
#include "base/shared_atomic.h"
#include "engines/shm/run.h"

#include <errno.h>
#include <string.h>

/* For whoever takes the next message, or writes one: the other process had these lines last. */
static void prefetch(const struct il_cells *c, uint32_t cell)
{
	if (cell >= c->count - 1)
		return;
	__builtin_prefetch(il_first_at(c, cell), 1);
	__builtin_prefetch(il_first_at(c, cell + 1), 1);
}

static uint32_t cells_for(size_t size, bool first)
{
	return (uint32_t)((size + (first ? sizeof(struct il_first) : sizeof(struct il_run)) + IL_CELL - 1) / IL_CELL);
}

uint32_t il_cells_for(size_t size)
{
	return 2 * cells_for(size, true);
}

void il_cells_init(const struct il_cells *c)
{
	struct il_shm_cells *s = c->shared;
	*s = (struct il_shm_cells){ .first = IL_NO_CELL, .last = IL_NO_CELL, .unused = c->count };
	il_run_set(c, 0, c->count, IL_RUN_FREE);
}

/* Writing ------------------------------------------------------------------------------------------------ */

/* The free run at a cell becomes as long as wanted, if what follows is free too; not beyond `end`. Its length. */
static uint32_t grow(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t wanted, uint32_t end)
{
	uint32_t state, more, was = length;
	while (length < wanted && cell + length < end && (more = il_run_length(c, cell + length, &state)) &&
		state == IL_RUN_FREE)
		length += more;
	if (length != was)
		il_run_set(c, cell, length, IL_RUN_FREE);
	return length;
}

static void split(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t wanted)
{
	il_run_set(c, cell + wanted, length - wanted, IL_RUN_FREE);
	il_run_set(c, cell, wanted, IL_RUN_FREE);
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
		*length = il_run_length(c, s->at, &state);
		if (!*length)
			return EUCLEAN;
		if (state == IL_RUN_FREE)
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
	return c->cells + (size_t)cell * IL_CELL + (first ? sizeof(struct il_first) : sizeof(struct il_run));
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
		size_t part = il_run_room(length, first) < left ? il_run_room(length, first) : left;
		if (part)
			memcpy(text_of(c, cell, first), from, part);
		from += part;
		left -= part;
		il_put(&il_run_at(c, cell)->more, IL_NO_CELL);
		if (first)
			*result = cell;
		else
			il_put(&il_run_at(c, last)->more, cell);
		last = cell;
	} while (left);
	struct il_first *f = il_first_at(c, *result);
	f->type = type;
	f->size = (uint32_t)size;
	shared->rover = s.at < c->count ? s.at : 0;
	return 0;
}

/* What follows the first run of a message; `length` becomes that of all. */
static void mark_more(const struct il_cells *c, uint32_t first, uint32_t state, uint32_t *length)
{
	uint32_t was, more, cell = il_run_at(c, first)->more;
	for (uint32_t n = 0; cell != IL_NO_CELL && n < c->count && (more = il_run_length(c, cell, &was)); n++) {
		*length += more;
		il_run_set(c, cell, more, state);
		cell = il_run_at(c, cell)->more;
	}
}

static void append(const struct il_cells *c, uint32_t cell)
{
	struct il_shm_cells *s = c->shared;
	struct il_first *f = il_first_at(c, cell);
	f->next = IL_NO_CELL;
	f->prev = s->last;
	if (s->last < c->count)
		il_first_at(c, s->last)->next = cell;
	else
		s->first = cell;
	s->last = cell;
	s->messages++;
	s->bytes += f->size;
}

void il_cells_commit(const struct il_cells *c, uint32_t cell)
{
	struct il_shm_cells *s = c->shared;
	uint32_t state, first = il_run_length(c, cell, &state), cells = first;
	mark_more(c, cell, IL_RUN_MORE, &cells);
	il_first_at(c, cell)->sequence = s->sequence + 1;
	il_put64(&s->sequence, s->sequence + 1);
	il_run_set(c, cell, first, IL_RUN_FIRST); /* here it becomes a message */
	append(c, cell);
	il_put(&s->unused, s->unused - cells);
	prefetch(c, s->rover);
}

/* Reading ------------------------------------------------------------------------------------------------ */

int il_cells_find(const struct il_cells *c, int64_t wanted, struct il_message *m)
{
	struct il_message here, best = { .cell = IL_NO_CELL };
	uint32_t cell = c->shared->first;
	for (uint32_t n = 0; cell != IL_NO_CELL; n++) {
		if (n == c->count || !il_is_message(c, cell, &here))
			return EUCLEAN;
		if (wanted == 0 || here.type == wanted) {
			*m = here;
			return 0;
		}
		if (wanted < 0 && here.type <= -wanted && (best.cell == IL_NO_CELL || here.type < best.type))
			best = here;
		if (best.cell != IL_NO_CELL && best.type == 1)
			break;
		cell = il_first_at(c, cell)->next;
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
		if (n == c->count || !(length = il_run_length(c, cell, &state)))
			return EUCLEAN;
		size_t part = il_run_room(length, n == 0) < left ? il_run_room(length, n == 0) : left;
		memcpy(to, text_of(c, cell, n == 0), part);
		to += part;
		left -= part;
		cell = il_run_at(c, cell)->more;
	}
	return 0;
}

/* The first one's prev is not looked at, so that to take the first does not touch the second, which a sender may have
 * in its cache. */
static int unlink_message(const struct il_cells *c, uint32_t cell)
{
	struct il_shm_cells *s = c->shared;
	const struct il_first *f = il_first_at(c, cell);
	bool is_first = s->first == cell;
	uint32_t next = f->next, prev = is_first ? IL_NO_CELL : f->prev;
	if ((next != IL_NO_CELL && next >= c->count) || (prev != IL_NO_CELL && prev >= c->count))
		return EUCLEAN;
	if (prev == IL_NO_CELL)
		s->first = next;
	else
		il_first_at(c, prev)->next = next;
	if (next == IL_NO_CELL)
		s->last = prev;
	else if (!is_first)
		il_first_at(c, next)->prev = prev;
	s->messages--;
	s->bytes -= f->size;
	return 0;
}

int il_cells_take(const struct il_cells *c, const struct il_message *m)
{
	struct il_shm_cells *s = c->shared;
	uint32_t state, cells = il_run_length(c, m->cell, &state);
	il_run_set(c, m->cell, cells, IL_RUN_FREE); /* here it is no message any more */
	int err = unlink_message(c, m->cell);
	mark_more(c, m->cell, IL_RUN_FREE, &cells);
	il_put(&s->unused, s->unused + cells);
	prefetch(c, s->first);
	return err;
}
