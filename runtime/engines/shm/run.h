/* SPDX-License-Identifier: MIT
 *
 * How a run of cells is laid out: what cells.c and cells_recover.c know of each other. What is read is checked: a cell
 * lies inside, a run ends inside. Floor 2.
 */
#ifndef IL_SHM_RUN_H
#define IL_SHM_RUN_H

#include "base/shared_atomic.h"
#include "engines/shm/cells.h"

#include <stdbool.h>

/* Of a run's state: what it is, in recovery also that it has been seen; the number of cells from IL_RUN_SHIFT on. */
enum { IL_RUN_FREE, IL_RUN_FIRST, IL_RUN_MORE, IL_RUN_SEEN = 4, IL_RUN_STATE = 7, IL_RUN_SHIFT = 3 };

/* The beginning of every run. */
struct il_run {
	uint32_t state;
	uint32_t more; /* the next run of the message, or IL_NO_CELL */
};

/* The beginning of a message's first run. */
struct il_first {
	struct il_run run;
	uint32_t next, prev; /* in the order of the messages */
	int64_t type;
	uint64_t sequence;
	uint32_t size, reserved;
};

_Static_assert(sizeof(struct il_run) == 8 && sizeof(struct il_first) == 40, "layout");

static inline struct il_run *il_run_at(const struct il_cells *c, uint32_t cell)
{
	return (struct il_run *)(void *)(c->cells + (size_t)cell * IL_CELL);
}

static inline struct il_first *il_first_at(const struct il_cells *c, uint32_t cell)
{
	return (struct il_first *)(void *)(c->cells + (size_t)cell * IL_CELL);
}

/* The length of the run at a cell, 0 if there cannot be one. */
static inline uint32_t il_run_length(const struct il_cells *c, uint32_t cell, uint32_t *state)
{
	if (cell >= c->count)
		return 0;
	uint32_t word = il_get(&il_run_at(c, cell)->state), length = word >> IL_RUN_SHIFT;
	*state = word & IL_RUN_STATE;
	return length <= c->count - cell ? length : 0;
}

static inline void il_run_set(const struct il_cells *c, uint32_t cell, uint32_t length, uint32_t state)
{
	il_put(&il_run_at(c, cell)->state, length << IL_RUN_SHIFT | state);
}

static inline size_t il_run_room(uint32_t cells, bool first)
{
	return (size_t)cells * IL_CELL - (first ? sizeof(struct il_first) : sizeof(struct il_run));
}

/* True: a message begins there, and it comes into m. */
static inline bool il_is_message(const struct il_cells *c, uint32_t cell, struct il_message *m)
{
	uint32_t state;
	if (!il_run_length(c, cell, &state) || state != IL_RUN_FIRST)
		return false;
	*m = (struct il_message){ .cell = cell,
		.type = il_first_at(c, cell)->type,
		.size = il_first_at(c, cell)->size };
	return m->type > 0 && m->size <= (size_t)c->count * IL_CELL;
}

#endif
