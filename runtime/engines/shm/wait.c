/* SPDX-License-Identifier: MIT
 *
 * Lines in front of segments, see wait.h. Most operations are over with the first attempt: that one goes straight to
 * the segment. Floor 2.
 */
#include "engines/shm/wait.h"
#include "base/shared_atomic.h"

#include <errno.h>

static const struct il_segment *segment_of(const struct il_wait_queue *line)
{
	return line->object;
}

int il_shm_wait_enter(struct il_wait_queue *line)
{
	return il_segment_enter_soon(line->object);
}

void il_shm_wait_leave(struct il_wait_queue *line)
{
	il_segment_leave(line->object);
}

void il_shm_wait_init(struct il_wait_queue *line, const struct il_wait_queue_type *type, struct il_segment *s)
{
	*line = (struct il_wait_queue){
		.type = type,
		.object = s,
		.changes = &s->head->changes,
		.parked = &s->head->parked,
		.lost = &s->lost,
	};
	il_wait_queue_init(line);
}

bool il_shm_wait_attempt(struct il_wait_queue *line, struct il_op *op)
{
	if (!il_list_empty(&line->ops))
		line->poller.poll(&line->poller);
	if (line->type->strict && !il_list_empty(&line->ops))
		return false;
	op->err = op->once ? il_segment_enter(line->object) : il_segment_enter_soon(line->object);
	if (op->err == EAGAIN) {
		line->seen = il_get(line->changes) - 1; /* the operations have not looked */
		return false;
	}
	if (op->err)
		return true;
	int err = line->type->attempt(line, op, false);
	op->err = segment_of(line)->lost ? EUCLEAN : err;
	if (op->err == EAGAIN && il_list_empty(&line->ops))
		line->seen = il_get(line->changes);
	il_segment_leave(line->object);
	if (op->err == 0 && line->type->served)
		line->type->served(line);
	return op->err != EAGAIN;
}
