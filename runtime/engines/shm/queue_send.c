/* SPDX-License-Identifier: MIT
 *
 * Sending, see queue_send.h: a message is written into free blocks, with the segment's latch, and one store commits it.
 * Floor 2.
 */
#include "engines/shm/queue_send.h"
#include "base/clock.h"
#include "engines/shm/job_ids.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_many.h"
#include "engines/shm/queue_room.h"
#include "engines/shm/queue_tend.h"

#include <errno.h>

/* Bytes that there is room for; what receivers have taken meanwhile is looked up if these are too few. */
static inline int check_room(struct il_shm_queue *o, size_t size)
{
	struct il_shm_sending *s = &il_shm_queue_shared(o)->sending;
	if (size > o->capacity)
		return EMSGSIZE;
	if (s->bytes - s->bytes_seen > o->capacity - size)
		s->bytes_seen = il_get64(&il_shm_queue_shared(o)->receiving.bytes);
	uint64_t bytes = s->bytes - s->bytes_seen;
	return bytes <= o->capacity - size ? 0 : bytes <= o->capacity ? EAGAIN : EUCLEAN;
}

/* A message that is to be written: with a front, without the bytes. */
struct writing {
	int64_t type;
	const void *data;
	size_t front, size;
};

static int try_write(struct il_shm_queue *o, const struct writing *w, uint32_t *block)
{
	int err = check_room(o, w->size);
	if (err)
		return err;
	return w->front ? il_blocks_reserve(&o->blocks, w->type, w->front, w->size, block)
			: il_blocks_write(&o->blocks, w->type, w->data, w->size, block);
}

/* With both latches: there is no room, but something can be done. */
static int make_room(struct il_shm_queue *o, const struct writing *w, uint32_t *block, int err)
{
	struct il_message m;
	if (err == ENOBUFS && (err = il_order_make_room(&o->blocks)) == 0)
		err = try_write(o, w, block);
	while (err == EAGAIN && il_jobs_oldest_dead(&o->blocks, &m) == 0) {
		err = il_jobs_end(&o->blocks, &m);
		if (!err)
			err = try_write(o, w, block);
	}
	return err;
}

/* There is no room, but that may be for what only both latches can mend: messages that came and went leave the order
 * full; a receiver died before it counted what it gave back; dead letters are dropped, the oldest first. */
static int __attribute__((noinline))
mend(struct il_shm_queue *o, const struct writing *w, uint32_t *block, int err, bool both)
{
	bool letters = il_get(&o->blocks.jobs->letters) != 0, orphaned = il_second_is_orphaned(&o->second);
	if (err != ENOBUFS && !(err == EAGAIN && (letters || orphaned)))
		return err;
	if (!both && il_second_join(&o->second, true))
		return EAGAIN;
	if (orphaned)
		err = try_write(o, w, block);
	if (err == ENOBUFS || err == EAGAIN)
		err = make_room(o, w, block, err);
	if (!both)
		il_second_part(&o->second);
	return err == ENOBUFS ? EUCLEAN : err;
}

int il_shm_queue_write(struct il_shm_queue *o, int64_t type, const void *data, size_t size, bool both, uint32_t *block)
{
	int err = check_room(o, size);
	if (!err)
		err = il_blocks_write(&o->blocks, type, data, size, block);
	if (!err)
		return 0;
	struct writing w = { .type = type, .data = data, .size = size };
	return mend(o, &w, block, err, both);
}

size_t il_shm_queue_append(struct il_shm_queue *o, const void *messages, size_t size, uint32_t *most)
{
	const struct il_shm_sending *s = &il_shm_queue_shared(o)->sending;
	uint64_t used = s->bytes - s->bytes_seen;
	return used < o->capacity ? il_blocks_append(&o->blocks, messages, size, most, o->capacity - used) : 0;
}

/* With both latches: room for a message behind room for a front; the caller writes both. */
static int reserve(struct il_shm_queue *o, int64_t type, size_t front, size_t size, uint32_t *block)
{
	struct writing w = { .type = type, .front = front, .size = size };
	int err = try_write(o, &w, block);
	return err ? mend(o, &w, block, err, true) : 0;
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

void il_shm_queue_commit(struct il_shm_queue *o, int64_t type, uint32_t block)
{
	il_segment_change(&o->segment, IL_SHM_RECEIVERS);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		il_shm_queue_call_receivers(o, type);
	il_blocks_commit(&o->blocks, block);
	il_wait_queue_note_change(&o->receivers, (uint64_t)type);
}

/* With the segment's latch, or both. */
static int send_message(struct il_shm_queue *o, struct il_op *op, bool both)
{
	uint32_t block;
	int err = il_shm_queue_write(o, op->message.type, op->data, op->size, both, &block);
	if (!err)
		il_shm_queue_commit(o, op->message.type, block);
	return err;
}

/* As a job ----------------------------------------------------------------------------------------------- */

static size_t front_size(const struct il_job *job)
{
	return job->id_size || job->attempts ? il_front_size(job->id_size) : 0;
}

/* What stands before the text, and the text. */
static int write_front(struct il_shm_queue *o, const struct il_op *op, uint32_t block)
{
	const struct il_job *job = op->message.job;
	struct il_front *front = il_front_at(&o->blocks, block);
	*front = (struct il_front){ .attempts = (uint16_t)job->attempts, .id_size = job->id_size };
	int err = il_blocks_store(&o->blocks, block, sizeof *front, job->id, job->id_size);
	return err ? err : il_blocks_store(&o->blocks, block, front_size(job), op->data, op->size);
}

/* With something of its own it is not for the order: it is to be found by its id, and a message of the order leaves no
 * trace. */
static int add_job(struct il_shm_queue *o, struct il_op *op, uint32_t block, bool delayed)
{
	const struct il_job *job = op->message.job;
	uint64_t state = il_state_with(0, IL_STATE_FRONT, front_size(job) != 0);
	state = il_state_with(state, IL_STATE_KIND, delayed ? IL_RECORD_DELAYED : IL_RECORD_AGAIN);
	if (delayed)
		il_shm_queue_announce_due(o, job->due);
	else
		il_shm_queue_announce(o, op->message.type, 1);
	return il_jobs_add(&o->blocks, block, state, (uint64_t)job->due);
}

static int send_job(struct il_shm_queue *o, struct il_op *op)
{
	struct il_job *job = op->message.job;
	struct il_message m;
	size_t front = front_size(job);
	bool delayed = job->due && job->due > il_wall_now();
	uint64_t place = o->blocks.sending->sent;
	uint32_t block;
	if (job->id_size && il_job_ids_find(&o->blocks, job->id, job->id_size, false, &m))
		return EEXIST;
	int err = front ? reserve(o, op->message.type, front, op->size, &block)
			: il_shm_queue_write(o, op->message.type, op->data, op->size, true, &block);
	if (!err && front)
		err = write_front(o, op, block);
	if (err)
		return err;
	if (front || delayed)
		err = add_job(o, op, block, delayed);
	else
		il_shm_queue_commit(o, op->message.type, block);
	job->number = il_job_ids_number(place);
	return err;
}

/* Operations -------------------------------------------------------------------------------------------- */

static int send_attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	(void)waiting;
	if (il_shm_queue_sends_many(op))
		return il_shm_queue_send_all(o, op);
	return op->message.job ? send_job(o, op) : send_message(o, op, true);
}

static uint64_t size_of(const struct il_op *op)
{
	return il_shm_queue_sends_many(op) ? il_payload_at(op->data, op->message.sent)->size : op->size;
}

static uint32_t *send_note(struct il_wait_queue *waits, bool was_served, bool park, uint32_t *expected)
{
	bool any = !il_list_empty(&waits->ops);
	uint64_t needed = any ? size_of(il_container_of(waits->ops.next, struct il_op, link)) : 0;
	return il_shm_queue_room_note(il_shm_queue_of(waits->object), needed, was_served, park, expected);
}

const struct il_wait_queue_type il_shm_queue_senders = {
	.parked = IL_SHM_SENDERS,
	.strict = true,
	.away = IL_WAITER_AWAY,
	.enter = il_shm_queue_room_enter,
	.leave = il_shm_queue_leave_waits,
	.attempt = send_attempt,
	.note = send_note,
	.park = il_shm_queue_room_park,
	.unpark = il_shm_queue_room_unpark,
	.served = il_shm_queue_served,
};

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

static int __attribute__((noinline)) send_with_both(struct il_shm_queue *o, struct il_op *op)
{
	int err = il_shm_queue_enter(o, !op->once);
	if (err)
		return err;
	err = send_job(o, op);
	if (o->segment.lost)
		err = EUCLEAN;
	il_shm_queue_leave(o);
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
	return il_shm_queue_attempted(o, waits, op, op->message.job ? send_with_both(o, op) : send_alone(o, op));
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
