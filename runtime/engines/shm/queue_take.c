/* SPDX-License-Identifier: MIT
 *
 * Taking, see queue_take.h: like a receive, with the receivers' latch alone, and with both where more is to be done.
 * Floor 2.
 */
#include "engines/shm/queue_take.h"
#include "engines/shm/job_holders.h"
#include "engines/shm/job_ids.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_buffer.h"
#include "engines/shm/queue_tend.h"
#include "os/identity.h"

#include <errno.h>
#include <stdio.h>

static const char *full(const struct il_shm_queue *o)
{
	static char text[80];
	snprintf(text, sizeof text, "%u processes take jobs of it, and there is room for no more", o->blocks.slots);
	return text;
}

/* Processes that sleep are to watch this one, too. */
static int become_holder(struct il_shm_queue *o, struct il_queue *q)
{
	int err = il_identity_learn();
	if (err)
		return err;
	il_shm_queue_announce(o, 0, IL_SHM_MOST_WAITERS);
	err = il_job_holders_add(&o->blocks, &o->slot);
	if (err)
		err = il_shm_queue_check_holders(o, &q->limits);
	if (!err && !il_job_holders_is_own(&o->blocks, o->slot))
		err = il_job_holders_add(&o->blocks, &o->slot);
	q->shared.why = err == EUSERS ? full(o) : NULL;
	return err;
}

static bool is_over(const struct il_shm_queue *o, const struct il_message *m, const struct il_job_limits *limits)
{
	uint32_t attempts = il_jobs_limit(&o->blocks, m, limits->attempts);
	return (attempts && il_state_get(m->state, IL_STATE_ATTEMPTS) >= attempts) ||
		(limits->deaths && il_state_get(m->state, IL_STATE_DEATHS) >= limits->deaths);
}

static uint8_t reason_of(const struct il_shm_queue *o, const struct il_message *m, char reason[IL_JOB_REASON_MAX + 1])
{
	uint32_t size = il_state_get(m->state, IL_STATE_REASON), deaths = il_state_get(m->state, IL_STATE_DEATHS);
	reason[0] = '\0';
	if (il_state_get(m->state, IL_STATE_DIED))
		return (uint8_t)(deaths < 2
				? snprintf(reason, IL_JOB_REASON_MAX, "its holder died")
				: snprintf(reason, IL_JOB_REASON_MAX, "its holder died (%u times)", deaths));
	if (!size || il_blocks_load(&o->blocks, m->block, (size_t)m->front + m->size, reason, size))
		return 0;
	reason[size] = '\0';
	return (uint8_t)size;
}

void il_shm_queue_describe(const struct il_shm_queue *o, const struct il_message *m, struct il_job *job)
{
	job->sent = il_record_at(&o->blocks, m->block)->time;
	job->due = 0;
	job->attempt = il_state_get(m->state, IL_STATE_ATTEMPTS);
	job->deaths = il_state_get(m->state, IL_STATE_DEATHS);
	job->attempts = il_jobs_limit(&o->blocks, m, 0);
	job->dead = false;
	job->id_size = m->front ? il_job_ids_own(&o->blocks, m, job->id) : 0;
	job->number = il_job_ids_number(m->place);
	job->reason_size = reason_of(o, m, job->reason);
}

/* One that is over a limit dies on the way. */
static int find_job(struct il_shm_queue *o, const struct il_op *op, bool both, struct il_message *m)
{
	const struct il_job_limits *limits = &((const struct il_queue *)op->source)->limits;
	for (;;) {
		int err = il_order_find(&o->blocks, &o->seen, op->message.type, m);
		if (err || !m->state || !is_over(o, m, limits))
			return err;
		err = both ? il_shm_queue_die(o, m, m->state, limits->keep) : EDEADLK;
		if (err)
			return err;
	}
}

int il_shm_queue_take_message(struct il_shm_queue *o, struct il_op *op, bool own, bool both)
{
	struct il_shm_queue_handle *handle =
		il_container_of((struct il_queue *)op->source, struct il_shm_queue_handle, queue);
	struct il_job *job = op->message.job;
	struct il_message m;
	uint64_t token;
	int err = find_job(o, op, both, &m);
	if (!err && !il_job_holders_is_own(&o->blocks, o->slot))
		err = both ? become_holder(o, &handle->queue) : EDEADLK;
	if (!err)
		err = il_shm_queue_copy_out(o, &m, op, own);
	if (!err)
		err = il_jobs_take(&o->blocks, &m, o->slot, handle->tag, &token);
	if (err)
		return err;
	il_shm_queue_describe(o, &m, job);
	job->token = (int64_t)token;
	job->place = (uint64_t)m.block + 1;
	return 0;
}

static int __attribute__((noinline)) take_with_both(struct il_shm_queue *o, struct il_op *op)
{
	int err = il_shm_queue_enter_tended(o, op->source, op->once || op->last, !op->once);
	if (err)
		return err;
	err = il_shm_queue_take_message(o, op, false, true);
	if (o->segment.lost)
		err = EUCLEAN;
	il_shm_queue_leave(o);
	return err;
}

static int take_alone(struct il_shm_queue *o, struct il_op *op)
{
	int err = op->once ? il_second_enter(&o->second) : il_second_enter_soon(&o->second);
	if (err)
		return err;
	bool others = o->blocks.receiving->others;
	err = others && il_shm_queue_needs_tending(o) ? EDEADLK : il_shm_queue_take_message(o, op, false, false);
	if (o->segment.lost)
		err = EUCLEAN;
	il_second_leave(&o->second);
	bool both = err == EDEADLK || (err == EAGAIN && (op->once || op->last) && others);
	return both ? take_with_both(o, op) : err;
}

/* A number that no other open handle of this process has. */
static int find_tag(struct il_shm_queue_handle *handle)
{
	static char text[80];
	uint64_t *tags = handle->object->tags;
	uint32_t tag = 1;
	while (tag < IL_TAGS && tags[tag / 64] >> tag % 64 & 1)
		tag++;
	handle->queue.shared.why = NULL;
	if (tag == IL_TAGS) {
		snprintf(text, sizeof text, "%d handles of it take jobs in this process, and no more can", IL_TAGS - 1);
		handle->queue.shared.why = text;
		return EUSERS;
	}
	tags[tag / 64] |= (uint64_t)1 << tag % 64;
	handle->tag = tag;
	return 0;
}

/* A handle without a tag does not wait: what it would be called for, another one can take. */
bool il_shm_queue_take_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	struct il_shm_queue_handle *handle =
		il_container_of((struct il_queue *)op->source, struct il_shm_queue_handle, queue);
	struct il_wait_queue *waits = &o->receivers;
	op->err = handle->tag ? 0 : find_tag(handle);
	if (op->err)
		return true;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	return il_shm_queue_attempted(o, waits, op, take_alone(o, op));
}
