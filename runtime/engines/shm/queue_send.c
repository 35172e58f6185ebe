/* SPDX-License-Identifier: MIT
 *
 * Sending, see queue_send.h: a message is written into free blocks, with the segment's latch, and one store commits it.
 * Floor 2.
 */
#include "engines/shm/queue_send.h"
#include "engines/shm/queue_many.h"

#include <errno.h>

/* Bytes that there is room for; what receivers have taken meanwhile is looked up if these are too few. */
static int check_room(struct il_shm_queue *o, size_t size)
{
	struct il_shm_sending *s = &il_shm_queue_shared(o)->sending;
	if (size > o->capacity)
		return EMSGSIZE;
	if (s->bytes - s->bytes_seen > o->capacity - size)
		s->bytes_seen = il_get64(&il_shm_queue_shared(o)->receiving.bytes);
	uint64_t bytes = s->bytes - s->bytes_seen;
	return bytes <= o->capacity - size ? 0 : bytes <= o->capacity ? EAGAIN : EUCLEAN;
}

/* There is no room, but that may be for what only both latches can mend. True: try again. */
static bool mend(struct il_shm_queue *o, int err, bool both)
{
	if (err != ENOBUFS && !(err == EAGAIN && il_second_is_orphaned(&o->second)))
		return false;
	if (!both && il_second_join(&o->second, true))
		return false;
	bool mended = err == EAGAIN || !il_order_pack(&o->blocks);
	if (!both)
		il_second_part(&o->second);
	return mended;
}

static int try_write(struct il_shm_queue *o, int64_t type, const void *data, size_t size, uint32_t *block)
{
	int err = check_room(o, size);
	return err ? err : il_blocks_write(&o->blocks, type, data, size, block);
}

int il_shm_queue_write(struct il_shm_queue *o, int64_t type, const void *data, size_t size, bool both, uint32_t *block)
{
	int err = try_write(o, type, data, size, block);
	if (err && mend(o, err, both))
		err = try_write(o, type, data, size, block);
	return err == ENOBUFS ? EUCLEAN : err;
}

/* When that process has taken one message it calls the next process for the others (queue_receive.c): so a burst that
 * one process takes does not wake all. Where there are more than it would look at, as many are called as there are
 * messages. */
void il_shm_queue_call_receivers(struct il_shm_queue *o, int64_t type)
{
	uint64_t messages =
		il_shm_queue_shared(o)->sending.sent - il_get64(&il_shm_queue_shared(o)->receiving.received) + 1;
	uint32_t most = messages < IL_SHM_MOST_WAITERS ? (uint32_t)messages : IL_SHM_MOST_WAITERS;
	il_shm_queue_call(o, type, messages <= IL_SHM_MOST_LOOKED_AT ? 1 : most);
}

void il_shm_queue_call(struct il_shm_queue *o, int64_t type, uint32_t n)
{
	il_waiters_call(&o->waiters, (uint64_t)type, n);
	if (il_get(&il_shm_queue_shared(o)->waiting.used) >
		1) /* else there is no other one to call, should that one not come */
		il_shm_calls_note(&o->calls);
	o->waiters.called = false;
}

/* With the segment's latch, or both. */
static int send_message(struct il_shm_queue *o, struct il_op *op, bool both)
{
	uint32_t block;
	int err = il_shm_queue_write(o, op->message.type, op->data, op->size, both, &block);
	if (err)
		return err;
	il_segment_change(&o->segment, IL_SHM_RECEIVERS);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		il_shm_queue_call_receivers(o, op->message.type);
	il_blocks_commit(&o->blocks, block);
	il_wait_queue_note_change(&o->receivers, (uint64_t)op->message.type);
	return 0;
}

static int send_attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	(void)waiting;
	return il_shm_queue_sends_many(op) ? il_shm_queue_send_all(o, op) : send_message(o, op, true);
}

const struct il_wait_queue_type il_shm_queue_senders = {
	.parked = IL_SHM_SENDERS,
	.strict = true,
	.enter = il_shm_queue_enter_waits,
	.leave = il_shm_queue_leave_waits,
	.attempt = send_attempt,
	.served = il_shm_queue_served,
};

/* Operations -------------------------------------------------------------------------------------------- */

static int send_alone(struct il_shm_queue *o, struct il_op *op)
{
	int err = op->once ? il_segment_enter(&o->segment) : il_segment_enter_soon(&o->segment);
	if (err)
		return err;
	err = send_message(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	il_segment_leave(&o->segment);
	return err;
}

bool il_shm_queue_send_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	struct il_wait_queue *waits = &o->senders;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	if (!il_list_empty(&waits->ops)) /* none is served before the first */
		return false;
	return il_shm_queue_attempted(o, waits, op, send_alone(o, op));
}

int il_shm_queue_send_start(struct il_op *op)
{
	il_wait_queue_start(&il_shm_queue_of_op(op)->senders, op);
	return 0;
}

bool il_shm_queue_send_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&il_shm_queue_of_op(op)->senders, op);
	return false;
}
