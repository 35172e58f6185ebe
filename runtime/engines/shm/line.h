/* SPDX-License-Identifier: MIT
 *
 * Lines (engines/line.h) of operations that wait for a segment to change: their lock is the latch, their count the
 * segment's. Floor 2.
 */
#ifndef IL_SHM_LINE_H
#define IL_SHM_LINE_H

#include "engines/line.h"
#include "engines/shm/segment.h"

/* Of the type are given: il_shm_line_enter and _leave, and what is the noun's own. The line's object is the segment. */
void il_shm_line_init(struct il_line *line, const struct il_line_type *type, struct il_segment *s);
int il_shm_line_enter(struct il_line *line);
void il_shm_line_leave(struct il_line *line);

/* For attempt of an operation type. */
bool il_shm_line_attempt(struct il_line *line, struct il_op *op);

#endif
