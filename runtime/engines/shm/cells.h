/* SPDX-License-Identifier: MIT
 *
 * The messages of a queue in its segment. The area is cells of 64 bytes in runs; a run is free, the first of a message,
 * or one more of it. All is found again by walking over the runs: what else there is, the order of the messages and the
 * sums, is made anew when a process died half-way. One store makes a message, and one takes it away.
 * Floor 2.
 */
#ifndef IL_SHM_CELLS_H
#define IL_SHM_CELLS_H

#include <stddef.h>
#include <stdint.h>

enum { IL_CELL = 64, IL_NO_CELL = 0xffffffff };

/* What is shared, in front of the cells. */
struct il_shm_cells {
	uint32_t first, last; /* of the messages in their order: cells, or IL_NO_CELL */
	uint32_t rover; /* where the next one is looked for */
	uint32_t unused; /* free cells */
	uint64_t messages, bytes;
	uint64_t sequence; /* of the last message */
};

/* The process's view of it. */
struct il_cells {
	struct il_shm_cells *shared;
	char *cells;
	uint32_t count; /* of cells */
};

struct il_message {
	uint32_t cell;
	int64_t type;
	uint32_t size;
};

/* Cells enough for messages of `size` bytes together, if each has no less than a cell's. */
uint32_t il_cells_for(size_t size);

/* An area that is all zero becomes one free run. */
void il_cells_init(const struct il_cells *v);

/* Writes a message into free cells; nobody sees it yet. EAGAIN: no room; EUCLEAN: damaged. */
int il_cells_write(const struct il_cells *v, int64_t type, const void *data, size_t size, uint32_t *cell);

/* Makes it the last message. */
void il_cells_commit(const struct il_cells *v, uint32_t cell);

/* The message that receive takes: type 0 the first, n the first of type n, -n the first of the lowest type up to n.
 * EAGAIN: there is none; EUCLEAN: damaged. */
int il_cells_find(const struct il_cells *v, int64_t wanted, struct il_message *m);

/* Copies the bytes of a message that was found. 0 or EUCLEAN. */
int il_cells_read(const struct il_cells *v, const struct il_message *m, void *data);

/* Takes it away. 0 or EUCLEAN. */
int il_cells_take(const struct il_cells *v, const struct il_message *m);

#endif
