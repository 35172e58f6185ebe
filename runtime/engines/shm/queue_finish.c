/* SPDX-License-Identifier: MIT
 *
 * What becomes of a job that is taken, see queue_finish.h. One that is done goes with the receivers' latch alone, as a
 * message that is received; all else is rare, and done with both latches. Floor 2.
 */
#include "engines/shm/queue_finish.h"
#include "base/clock.h"
#include "engines/shm/job_holders.h"
#include "engines/shm/job_index.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_later.h"
#include "engines/shm/queue_room.h"
#include "engines/shm/queue_send.h"
#include "engines/shm/queue_tend.h"

#include <errno.h>

static const struct il_job_limits *limits_of(const struct il_op *op)
{
	return &((const struct il_queue *)op->source)->limits;
}

/* ESTALE: it is not this delivery's. */
static int find_taken(const struct il_shm_queue *o, const struct il_job *job, struct il_message *m)
{
	uint64_t block = job->place - 1;
	bool is_own = block < o->blocks.count && il_job_holders_is_own(&o->blocks, o->slot) &&
		il_is_kind(&o->blocks, (uint32_t)block, IL_RECORD_TAKEN, m) &&
		il_state_get(m->state, IL_STATE_SLOT) == o->slot &&
		il_record_at(&o->blocks, m->block)->token == (uint64_t)job->token;
	return is_own ? 0 : ESTALE;
}

/* The reason is written behind the text, as much of it as there is room for: nothing can fail for want of it. Until the
 * state is stored that it goes with, the job has none. How many bytes. */
static uint32_t write_reason(struct il_shm_queue *o, struct il_message *m, const struct il_job *job)
{
	size_t at = (size_t)m->front + m->size, room, size = job->reason_size;
	if (il_state_get(m->state, IL_STATE_REASON)) {
		m->state = il_state_with(m->state, IL_STATE_REASON, 0);
		il_put64(&il_record_at(&o->blocks, m->block)->state, m->state);
	}
	if (!size)
		return 0;
	room = il_blocks_extend(&o->blocks, m->block, at + size);
	if (room < at + size)
		size = room > at ? room - at : 0;
	return il_blocks_store(&o->blocks, m->block, at, job->reason, size) ? 0 : (uint32_t)size;
}

/* The state after a failure: not taken any more, for that reason. */
static uint64_t failed(struct il_shm_queue *o, struct il_message *m, const struct il_job *job)
{
	uint32_t reason = write_reason(o, m, job);
	uint64_t state = il_state_with(il_jobs_ready_again(m->state), IL_STATE_REASON, reason);
	return il_state_with(state, IL_STATE_DIED, 0);
}

static int retry(struct il_shm_queue *o, struct il_op *op, struct il_message *m)
{
	const struct il_job_limits *limits = limits_of(op);
	struct il_job *job = op->message.job;
	uint32_t limit = il_jobs_limit(&o->blocks, m, limits->attempts);
	uint64_t state = failed(o, m, job);
	job->dead = limit && il_state_get(state, IL_STATE_ATTEMPTS) >= limit;
	if (job->dead)
		return il_shm_queue_die(o, m, state, limits->keep);
	return job->due && job->due > il_wall_now() ? il_shm_queue_delay(o, m, state, job->due)
						    : il_shm_queue_make_ready(o, m, state);
}

static int release(struct il_shm_queue *o, struct il_message *m)
{
	uint32_t attempts = il_state_get(m->state, IL_STATE_ATTEMPTS);
	return il_shm_queue_make_ready(o, m,
		il_state_with(il_jobs_ready_again(m->state), IL_STATE_ATTEMPTS, attempts - !!attempts));
}

/* The next message is sent by the same store that ends the job. */
static int replace(struct il_shm_queue *o, struct il_op *op, struct il_message *m)
{
	uint32_t block;
	int err = il_shm_queue_write(o, op->message.type, op->data, op->size, true, &block);
	if (!err)
		err = il_jobs_move(&o->blocks, m, il_state_with(m->state, IL_STATE_KIND, IL_RECORD_ENDING),
			o->blocks.sending->sent);
	if (err)
		return err == EAGAIN ? ENOBUFS : err;
	il_shm_queue_make_room(o);
	il_shm_queue_commit(o, op->message.type, block);
	return il_jobs_end(&o->blocks, m);
}

static int finish_job(struct il_shm_queue *o, struct il_op *op, struct il_message *m)
{
	const struct il_job *job = op->message.job;
	switch (job->outcome) {
	case IL_JOB_RETRY: return retry(o, op, m);
	case IL_JOB_RELEASE: return release(o, m);
	case IL_JOB_BURY: return il_shm_queue_die(o, m, failed(o, m, job), limits_of(op)->keep);
	default: return op->message.type ? replace(o, op, m) : il_shm_queue_drop(o, m);
	}
}

static int __attribute__((noinline)) finish_with_both(struct il_shm_queue *o, struct il_op *op, bool soon)
{
	struct il_message m;
	int err = il_shm_queue_enter(o, soon);
	if (err)
		return err;
	err = find_taken(o, op->message.job, &m);
	if (!err)
		err = finish_job(o, op, &m);
	if (o->segment.lost)
		err = EUCLEAN;
	il_shm_queue_leave(o);
	return err;
}

/* Nothing but room is given back. */
static int finish_done(struct il_shm_queue *o, struct il_op *op, bool soon)
{
	struct il_shm_second *second = o->second.shared;
	struct il_message m;
	int err = soon ? il_second_enter_soon(&o->second) : il_second_enter(&o->second);
	if (err)
		return err;
	bool alone = !il_get(&second->parked);
	if (alone)
		err = find_taken(o, op->message.job, &m);
	if (alone && !err) {
		il_put(&second->changes, second->changes + 1);
		err = il_jobs_end(&o->blocks, &m);
	}
	if (o->segment.lost)
		err = EUCLEAN;
	il_second_leave(&o->second);
	return alone ? err : finish_with_both(o, op, soon);
}

int il_shm_queue_finish(struct il_shm_queue *o, struct il_op *op, bool soon)
{
	bool plain = op->message.job->outcome == IL_JOB_DONE && !op->message.type;
	int err = plain ? finish_done(o, op, soon) : finish_with_both(o, op, soon);
	return soon && err == ETIMEDOUT ? EAGAIN : err;
}

/* With `last` nothing can wait: what is said holds all the same. */
bool il_shm_queue_finish_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	op->err = il_shm_queue_finish(o, op, !op->once);
	if (op->err == EAGAIN && op->last)
		op->err = il_shm_queue_later_add(o, op, false);
	else if (!op->err)
		il_shm_queue_serve(o);
	return op->err != EAGAIN;
}

int il_shm_queue_finish_start(struct il_op *op)
{
	return il_shm_queue_later_add(il_shm_queue_of_op(op), op, true);
}

bool il_shm_queue_finish_cancel(struct il_op *op)
{
	il_shm_queue_later_forget(op);
	return false;
}

int il_shm_queue_release_all(struct il_shm_queue *o, uint32_t tag, bool last)
{
	struct il_message m;
	if (o->segment.lost || !il_job_holders_is_own(&o->blocks, o->slot))
		return 0;
	int err = il_shm_queue_enter(o, true);
	for (uint32_t n = err ? 0 : o->blocks.jobs->taken; n-- > 0 && !err;) {
		if (!il_job_index_taken(&o->blocks, n, &m))
			err = EUCLEAN;
		else if (il_state_get(m.state, IL_STATE_SLOT) == o->slot && il_state_get(m.state, IL_STATE_TAG) == tag)
			err = release(o, &m);
		if (err)
			il_shm_queue_leave(o);
	}
	if (err)
		return err == ETIMEDOUT ? EAGAIN : err;
	if (last)
		il_job_holders_del(&o->blocks, o->slot);
	il_shm_queue_leave(o);
	return 0;
}

void il_shm_queue_close_jobs(struct il_shm_queue_handle *handle)
{
	struct il_shm_queue *o = handle->object;
	bool later = !il_list_empty(&o->later.words), last = o->segment.refs == 1;
	later = later || il_shm_queue_release_all(o, handle->tag, last) == EAGAIN;
	il_shm_queue_later_close(handle, later);
	if (!later)
		o->tags[handle->tag / 64] &= ~((uint64_t)1 << handle->tag % 64);
	il_shm_queue_serve(o);
}
