/* SPDX-License-Identifier: MIT
 *
 * Lines in front of segments, see wait.h. Most operations are over with the first attempt: that one goes straight to
 * the segment. Floor 2.
 */
#include "engines/shm/wait.h"
#include "base/shared_atomic.h"

#include <errno.h>

static const struct il_segment *segment_of(const struct il_wait_queue *waits)
{
	return waits->object;
}

int il_shm_wait_enter(struct il_wait_queue *waits)
{
	return il_segment_enter_soon(waits->object);
}

void il_shm_wait_leave(struct il_wait_queue *waits)
{
	il_segment_leave(waits->object);
}

void il_shm_wait_init(struct il_wait_queue *waits, const struct il_wait_queue_type *type, struct il_segment *s)
{
	*waits = (struct il_wait_queue){
		.type = type,
		.object = s,
		.changes = &s->head->changes,
		.parked = &s->head->parked,
		.lost = &s->lost,
	};
	il_wait_queue_init(waits);
}

bool il_shm_wait_attempt(struct il_wait_queue *waits, struct il_op *op)
{
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	if (waits->type->strict && !il_list_empty(&waits->ops))
		return false;
	op->err = op->once ? il_segment_enter(waits->object) : il_segment_enter_soon(waits->object);
	if (op->err == EAGAIN) {
		waits->seen = il_get(waits->changes) - 1; /* the operations have not looked */
		return false;
	}
	if (op->err)
		return true;
	int err = waits->type->attempt(waits, op, false);
	op->err = segment_of(waits)->lost ? EUCLEAN : err;
	if (op->err == EAGAIN && il_list_empty(&waits->ops))
		waits->seen = il_get(waits->changes);
	il_segment_leave(waits->object);
	if (op->err == 0 && waits->type->served)
		waits->type->served(waits);
	return op->err != EAGAIN;
}
