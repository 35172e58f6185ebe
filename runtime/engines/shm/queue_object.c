/* SPDX-License-Identifier: MIT
 *
 * What both sides of a queue do, see queue_object.h. Floor 2.
 */
#include "engines/shm/queue_object.h"
#include "engines/waiters_call.h"
#include "os/latch.h"

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

void il_shm_queue_call(struct il_shm_queue *o, int64_t type, uint32_t n)
{
	il_waiters_call(&o->waiters, (uint64_t)type, n);
	if (il_get(&il_shm_queue_shared(o)->waiting.used) >
		1) /* else there is no other one to call, should that one not come */
		il_shm_calls_note(&o->calls);
	o->waiters.called = false;
}

void il_shm_queue_serve(struct il_shm_queue *o)
{
	if (o->serving || (il_list_empty(&o->receivers.ops) && il_list_empty(&o->senders.ops)))
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
