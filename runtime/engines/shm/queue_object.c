/* SPDX-License-Identifier: MIT
 *
 * What both sides of a queue do, see queue_object.h. Floor 2.
 */
#include "engines/shm/queue_object.h"

int il_shm_queue_enter(struct il_shm_queue *o, bool soon)
{
	int err = soon ? il_segment_enter_soon(&o->segment) : il_segment_enter(&o->segment);
	if (err)
		return err;
	err = il_second_join(&o->second, soon);
	if (err)
		il_segment_leave(&o->segment);
	return err;
}

void il_shm_queue_leave(struct il_shm_queue *o)
{
	il_second_part(&o->second);
	il_segment_leave(&o->segment);
}

int il_shm_queue_enter_waits(struct il_wait_queue *waits)
{
	return il_shm_queue_enter(il_shm_queue_of(waits->object), true);
}

void il_shm_queue_leave_waits(struct il_wait_queue *waits)
{
	il_shm_queue_leave(il_shm_queue_of(waits->object));
}

void il_shm_queue_serve(struct il_shm_queue *o)
{
	if (o->serving)
		return;
	o->serving = true;
	while (il_wait_queue_retry(&o->receivers) || il_wait_queue_retry(&o->senders))
		;
	o->serving = false;
}

void il_shm_queue_served(struct il_wait_queue *waits)
{
	il_shm_queue_serve(il_shm_queue_of(waits->object));
}
