/* SPDX-License-Identifier: MIT
 *
 * The operations of this process that wait for a segment to change, in the order they came. While the loop is awake they
 * look when the segment's count of changes has gone up; when it blocks, that count is slept on as a futex.
 * Floor 2.
 */
#ifndef IL_SHM_LINE_H
#define IL_SHM_LINE_H

#include "engines/shm/segment.h"
#include "loop/op.h"
#include "loop/poller.h"
#include "loop/word.h"

struct il_shm_line {
	struct il_list ops;
	struct il_poller poller;
	struct il_word word;
	struct il_segment *segment;
	const struct il_shm_line_type *type;
	uint32_t seen; /* the count of changes up to which all have looked */
};

struct il_shm_line_type {
	uint32_t parked; /* the bit of head->parked that says: somebody sleeps in such a line */
	bool strict;     /* nobody is served before the first */
	/* With the latch: EAGAIN, or how the operation has ended. `waiting`: what it gets must be its own. */
	int (*attempt)(struct il_shm_line *line, struct il_op *op, bool waiting);
	/* Without it, before the loop blocks: watches what else may end the wait. True: look again. Or NULL. */
	bool (*park)(struct il_shm_line *line);
	/* Nobody waits any more. Or NULL. */
	void (*unpark)(struct il_shm_line *line);
	/* Somebody has been served: others in this process may be glad of it. Or NULL. */
	void (*served)(struct il_shm_line *line);
};

void il_shm_line_init(struct il_shm_line *line, const struct il_shm_line_type *type, struct il_segment *s);
void il_shm_line_fini(struct il_shm_line *line);

/* For attempt, start and cancel of an operation type. */
bool il_shm_line_attempt(struct il_shm_line *line, struct il_op *op);
void il_shm_line_start(struct il_shm_line *line, struct il_op *op);
void il_shm_line_cancel(struct il_shm_line *line, struct il_op *op);

/* Something has changed in this process, or may have. True: a wait has ended. */
bool il_shm_line_look(struct il_shm_line *line);

/* Ends the waits of one source with ECANCELED. */
void il_shm_line_close(struct il_shm_line *line, const void *source);

int il_shm_line_count(const struct il_shm_line *line);

#endif
