/* SPDX-License-Identifier: MIT
 *
 * Jobs of a queue, see queue_jobs.h. A take is like a receive, with the receivers' latch alone, and so is the end of a
 * job; all else is rare, and done with both latches. Floor 2.
 */
#include "engines/shm/queue_jobs.h"
#include "base/clock.h"
#include "engines/shm/job_holders.h"
#include "engines/shm/job_ids.h"
#include "engines/shm/job_index.h"
#include "engines/shm/job_tree.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_receive.h"
#include "engines/shm/queue_send.h"
#include "loop/wake.h"
#include "os/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where there is something to take, looking whether the holders live takes a hundredth of the time; but the pause is
 * not longer than so many ns, for each sixteen of them. So many jobs become ready at once. */
enum { CHECK_SHARE = 100, LONGEST_PAUSE = 20000000, MOST_DUE = 1000 };

/* How much later a process looks for a delayed job that sleeps behind another one: that may be stopped. */
static const int64_t DUE_BEHIND = 4000000;

static const struct il_job_limits *limits_of(const struct il_op *op)
{
	return &((const struct il_queue *)op->source)->limits;
}

/* Becoming ready, and dying -------------------------------------------------------------------------------- */

/* Before a change: so many of the processes that sleep are to look. */
static void announce(struct il_shm_queue *o, int64_t type, uint32_t n)
{
	il_segment_change(&o->segment, IL_SHM_RECEIVERS);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		il_shm_queue_call(o, type, n);
}

static int make_ready(struct il_shm_queue *o, struct il_message *m, uint64_t state)
{
	announce(o, m->type, 1);
	return il_jobs_move(&o->blocks, m, state, 0);
}

static int drop(struct il_shm_queue *o, struct il_message *m)
{
	il_shm_queue_make_room(o);
	return il_jobs_end(&o->blocks, m);
}

/* It stays where it is. The oldest dead letters are dropped if there are too many. */
static int die(struct il_shm_queue *o, struct il_message *m, uint64_t state, uint32_t most)
{
	struct il_message oldest;
	int err = il_jobs_move(&o->blocks, m, il_state_with(state, IL_STATE_KIND, IL_RECORD_DEAD), 0);
	while (!err && o->blocks.jobs->letters > most) {
		err = il_jobs_oldest_dead(&o->blocks, &oldest);
		if (!err)
			err = drop(o, &oldest);
	}
	return err == EAGAIN ? EUCLEAN : err;
}

/* A process that sleeps wakes in time for the job that is due first. */
static int delay(struct il_shm_queue *o, struct il_message *m, uint64_t state, int64_t due)
{
	int64_t first = o->blocks.jobs->due;
	if (!first || due < first)
		announce(o, 0, 1);
	return il_jobs_move(&o->blocks, m, il_state_with(state, IL_STATE_KIND, IL_RECORD_DELAYED), (uint64_t)due);
}

static int holder_died(struct il_shm_queue *o, struct il_message *m, const struct il_job_limits *limits)
{
	uint32_t deaths = il_state_get(m->state, IL_STATE_DEATHS);
	uint64_t state = il_state_with(il_jobs_ready_again(m->state), IL_STATE_REASON, 0);
	deaths += deaths < UINT16_MAX;
	state = il_state_with(il_state_with(state, IL_STATE_DIED, 1), IL_STATE_DEATHS, deaths);
	return limits->deaths && deaths >= limits->deaths ? die(o, m, state, limits->keep) : make_ready(o, m, state);
}

/* The last one of those that are taken takes the place of one that leaves. */
static int put_back(struct il_shm_queue *o, const struct il_holder_set *dead, const struct il_job_limits *limits)
{
	struct il_message m;
	int err = 0;
	for (uint32_t n = o->blocks.jobs->taken; n-- > 0 && !err;) {
		if (!il_job_index_taken(&o->blocks, n, &m))
			return EUCLEAN;
		if (il_holder_set_has(dead, il_state_get(m.state, IL_STATE_SLOT)))
			err = holder_died(o, &m, limits);
	}
	return err;
}

/* Some of them stay watched, which makes the next look cheap. */
static int check_holders(struct il_shm_queue *o, const struct il_job_limits *limits)
{
	struct il_holder_set dead;
	int64_t begin = il_now();
	bool any = il_job_holders_find_dead(&o->blocks, &dead);
	int64_t end = il_now(), pause = CHECK_SHARE * (end - begin);
	int64_t longest = LONGEST_PAUSE * (1 + (int64_t)il_job_holders_used(&o->blocks) / IL_SHM_WATCHED);
	o->check_next = end + (pause < longest ? pause : longest);
	if (il_list_empty(&o->receivers.ops)) {
		il_shm_watches_begin(&o->watches);
		il_shm_queue_watch_holders(o, true);
		il_shm_watches_idle(&o->watches);
	}
	int err = any ? put_back(o, &dead, limits) : 0;
	for (uint32_t i = 0; any && !err && i < il_job_holders_used(&o->blocks); i++)
		if (il_holder_set_has(&dead, i))
			il_job_holders_del(&o->blocks, i);
	return err;
}

static bool is_due(const struct il_shm_queue *o)
{
	int64_t due = (int64_t)il_get64((const uint64_t *)&o->blocks.jobs->due);
	return due && due <= il_wall_now();
}

static int ready_due(struct il_shm_queue *o)
{
	struct il_message m;
	int err = 0;
	for (int i = 0; i < MOST_DUE && !err && is_due(o); i++)
		err = il_job_index_first(&o->blocks, &m) ? make_ready(o, &m, il_jobs_ready_again(m.state)) : EUCLEAN;
	return err;
}

/* Other processes may have jobs, and it is time to look whether they live. */
static bool may_have_died(const struct il_shm_queue *o)
{
	uint32_t used = il_job_holders_used(&o->blocks);
	return used && !(used == 1 && il_job_holders_is_own(&o->blocks, o->slot)) && il_now() >= o->check_next;
}

bool il_shm_queue_needs_tending(const struct il_shm_queue *o)
{
	return is_due(o) || may_have_died(o);
}

int il_shm_queue_tend(struct il_shm_queue *o, const struct il_queue *q, bool check)
{
	int err = ready_due(o);
	if (!err && (check || may_have_died(o)))
		err = check_holders(o, &q->limits);
	return err;
}

int il_shm_queue_enter_tended(struct il_shm_queue *o, const struct il_queue *q, bool check, bool soon)
{
	for (;;) {
		int err = il_shm_queue_enter(o, soon);
		if (err)
			return err;
		err = il_shm_queue_tend(o, q, check);
		if (!err && !is_due(o))
			return 0;
		il_shm_queue_leave(o);
		if (err)
			return err;
	}
}

/* Taking ------------------------------------------------------------------------------------------------- */

/* Processes that sleep are to watch this one, too. */
static int become_holder(struct il_shm_queue *o, struct il_queue *q)
{
	int err = il_identity_learn();
	if (err)
		return err;
	announce(o, 0, IL_SHM_MOST_WAITERS);
	err = il_job_holders_add(&o->blocks, &o->slot);
	if (err)
		err = check_holders(o, &q->limits);
	if (!err && !il_job_holders_is_own(&o->blocks, o->slot))
		err = il_job_holders_add(&o->blocks, &o->slot);
	q->shared.why =
		err == EUSERS ? "so many processes take jobs of it already that there is no room for one more" : NULL;
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

static void describe(const struct il_shm_queue *o, const struct il_message *m, struct il_job *job)
{
	job->sent = il_record_at(&o->blocks, m->block)->time;
	job->due = 0;
	job->attempt = il_state_get(m->state, IL_STATE_ATTEMPTS);
	job->deaths = il_state_get(m->state, IL_STATE_DEATHS);
	job->attempts = il_jobs_limit(&o->blocks, m, 0);
	job->dead = false;
	job->id_size = il_job_ids_get(&o->blocks, m, job->id);
	job->reason_size = reason_of(o, m, job->reason);
}

/* One that is over a limit dies on the way. */
static int find_job(struct il_shm_queue *o, const struct il_op *op, bool both, struct il_message *m)
{
	const struct il_job_limits *limits = limits_of(op);
	for (;;) {
		int err = il_order_find(&o->blocks, &o->seen, op->message.type, m);
		if (err || !m->state || !is_over(o, m, limits))
			return err;
		err = both ? die(o, m, m->state, limits->keep) : EDEADLK;
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
	describe(o, &m, job);
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

bool il_shm_queue_take_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	struct il_wait_queue *waits = &o->receivers;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	return il_shm_queue_attempted(o, waits, op, take_alone(o, op));
}

/* Finishing ---------------------------------------------------------------------------------------------- */

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
		return die(o, m, state, limits->keep);
	return job->due > il_wall_now() ? delay(o, m, state, job->due) : make_ready(o, m, state);
}

static int release(struct il_shm_queue *o, struct il_message *m)
{
	uint32_t attempts = il_state_get(m->state, IL_STATE_ATTEMPTS);
	return make_ready(o, m, il_state_with(il_jobs_ready_again(m->state), IL_STATE_ATTEMPTS, attempts - !!attempts));
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
	case IL_JOB_BURY: return die(o, m, failed(o, m, job), limits_of(op)->keep);
	default: return op->message.type ? replace(o, op, m) : drop(o, m);
	}
}

static int __attribute__((noinline)) finish_with_both(struct il_shm_queue *o, struct il_op *op)
{
	struct il_message m;
	int err = il_shm_queue_enter(o, false);
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
static int finish_done(struct il_shm_queue *o, struct il_op *op)
{
	struct il_shm_second *second = o->second.shared;
	struct il_message m;
	int err = il_second_enter(&o->second);
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
	return alone ? err : finish_with_both(o, op);
}

static void serve(struct il_shm_queue *o)
{
	if (!(il_list_empty(&o->receivers.ops) && il_list_empty(&o->senders.ops)))
		il_shm_queue_serve(o);
}

bool il_shm_queue_finish_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	bool plain = op->message.job->outcome == IL_JOB_DONE && !op->message.type;
	op->err = plain ? finish_done(o, op) : finish_with_both(o, op);
	if (!op->err)
		serve(o);
	return true;
}

void il_shm_queue_close_jobs(struct il_shm_queue_handle *handle, bool last)
{
	struct il_shm_queue *o = handle->object;
	struct il_message m;
	if (o->segment.lost || !il_job_holders_is_own(&o->blocks, o->slot) || il_shm_queue_enter(o, false))
		return;
	int err = 0;
	for (uint32_t n = o->blocks.jobs->taken; n-- > 0 && !err;) {
		if (!il_job_index_taken(&o->blocks, n, &m))
			break;
		if (il_state_get(m.state, IL_STATE_SLOT) == o->slot &&
			il_state_get(m.state, IL_STATE_TAG) == handle->tag)
			err = release(o, &m);
	}
	if (last && !err)
		il_job_holders_del(&o->blocks, o->slot);
	il_shm_queue_leave(o);
	serve(o);
}

/* Sending ------------------------------------------------------------------------------------------------ */

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
	int64_t first = o->blocks.jobs->due;
	uint64_t state = il_state_with(0, IL_STATE_FRONT, front_size(job) != 0);
	state = il_state_with(state, IL_STATE_KIND, delayed ? IL_RECORD_DELAYED : IL_RECORD_AGAIN);
	if (!delayed)
		announce(o, op->message.type, 1);
	else if (!first || job->due < first)
		announce(o, 0, 1);
	return il_jobs_add(&o->blocks, block, state, (uint64_t)job->due);
}

int il_shm_queue_send_job(struct il_shm_queue *o, struct il_op *op)
{
	struct il_job *job = op->message.job;
	struct il_message m;
	size_t front = front_size(job);
	bool delayed = job->due > il_wall_now();
	uint64_t place = o->blocks.sending->sent;
	uint32_t block;
	if (job->id_size && il_job_ids_find(&o->blocks, job->id, job->id_size, false, &m))
		return EEXIST;
	int err = front ? il_shm_queue_reserve(o, op->message.type, front, op->size, &block)
			: il_shm_queue_write(o, op->message.type, op->data, op->size, true, &block);
	if (!err && front)
		err = write_front(o, op, block);
	if (err)
		return err;
	if (front || delayed)
		err = add_job(o, op, block, delayed);
	else
		il_shm_queue_commit(o, op->message.type, block);
	if (!err && !job->id_size)
		job->id_size = il_job_ids_make(place, job->id);
	return err;
}

/* Dead letters ------------------------------------------------------------------------------------------- */

/* The cursor is the number of the letter that was found last; there may be 0. */
static const uint64_t FOUND = (uint64_t)1 << 32;

static int next_dead(const struct il_shm_queue *o, uint64_t *cursor, struct il_message *m)
{
	uint32_t after = *cursor & FOUND ? (uint32_t)*cursor : o->blocks.jobs->deaths - INT32_MAX;
	int err = il_job_tree_next_dead(&o->blocks, after, m);
	if (!err)
		*cursor = FOUND | il_record_at(&o->blocks, m->block)->index;
	return err == EAGAIN ? ENOMSG : err;
}

static int find_dead(struct il_shm_queue *o, struct il_op *op)
{
	struct il_job *job = op->message.job;
	struct il_message m;
	int err = il_second_enter(&o->second);
	if (err)
		return err;
	err = next_dead(o, &job->place, &m);
	if (!err)
		err = il_shm_queue_copy_out(o, &m, op, false);
	if (!err)
		describe(o, &m, job);
	if (o->segment.lost)
		err = EUCLEAN;
	il_second_leave(&o->second);
	return err;
}

bool il_shm_queue_dead_attempt(struct il_op *op)
{
	op->err = find_dead(il_shm_queue_of_op(op), op);
	return true;
}

/* As if it had just been sent, but in its place. One whose id another message has now stays dead. True: it is ready. */
static int revive(struct il_shm_queue *o, struct il_message *m, bool *done)
{
	char id[IL_JOB_NAME];
	struct il_message other;
	uint8_t size = il_job_ids_get(&o->blocks, m, id);
	*done = !il_job_ids_find(&o->blocks, id, size, false, &other);
	uint64_t state = il_state_with(il_jobs_ready_again(m->state), IL_STATE_ATTEMPTS, 0);
	state = il_state_with(il_state_with(state, IL_STATE_DEATHS, 0), IL_STATE_DIED, 0);
	return *done ? make_ready(o, m, il_state_with(state, IL_STATE_REASON, 0)) : 0;
}

/* Is it the letter that is meant? A letter that got its id from its place is looked for among all. */
static bool is_meant(const struct il_shm_queue *o, const struct il_op *op, const struct il_message *m)
{
	char id[IL_JOB_NAME];
	return !op->name ||
		(il_job_ids_get(&o->blocks, m, id) == op->name_size && memcmp(id, op->name, op->name_size) == 0);
}

/* So many letters at once that the latches are not had for long. True: there are more. */
static bool change_some(struct il_shm_queue *o, struct il_op *op, uint64_t *cursor, bool revives, int64_t *count)
{
	struct il_message m;
	for (int i = 0; i < MOST_DUE; i++) {
		bool done = true;
		op->err = next_dead(o, cursor, &m);
		if (!op->err && !is_meant(o, op, &m))
			continue;
		if (!op->err)
			op->err = revives ? revive(o, &m, &done) : drop(o, &m);
		if (op->err)
			return false;
		*count += done;
	}
	return true;
}

static bool change_dead(struct il_op *op, bool revives)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	uint64_t cursor = 0;
	int64_t count = 0;
	bool more = true;
	while (more) {
		op->err = il_shm_queue_enter(o, false);
		if (op->err)
			return true;
		more = change_some(o, op, &cursor, revives, &count);
		if (o->segment.lost)
			op->err = EUCLEAN;
		il_shm_queue_leave(o);
	}
	op->err = op->err == ENOMSG ? 0 : op->err;
	op->arg = count;
	serve(o);
	return true;
}

bool il_shm_queue_revive_attempt(struct il_op *op)
{
	return change_dead(op, true);
}

bool il_shm_queue_drop_attempt(struct il_op *op)
{
	return change_dead(op, false);
}

/* Waiting ------------------------------------------------------------------------------------------------ */

bool il_shm_queue_first_watches(const struct il_shm_queue *o)
{
	return o->blocks.jobs->delayed || il_job_holders_used(&o->blocks) > IL_SHM_WATCHED;
}

/* The holders are read without a latch: a new one tells those that sleep. */
bool il_shm_queue_watch_holders(struct il_shm_queue *o, bool behind)
{
	uint32_t used = il_job_holders_used(&o->blocks), most = behind ? IL_SHM_WATCHED : IL_HOLDERS;
	bool ended = false;
	for (uint32_t i = 0; i < used && most; i++) {
		pid_t pid;
		uint64_t start;
		if (!il_job_holders_other(&o->blocks, i, &pid, &start))
			continue;
		ended |= il_shm_watches_add(&o->watches, pid, start);
		most--;
	}
	return ended;
}

int il_shm_queue_await_due(struct il_shm_queue *o, bool behind)
{
	int64_t due = (int64_t)il_get64((const uint64_t *)&o->blocks.jobs->due), now;
	il_timer_disarm(&o->due);
	if (!due)
		return 0;
	now = il_wall_now();
	il_timer_start(&o->due, (due > now ? due - now : 0) + (behind ? DUE_BEHIND : 0));
	int err = il_timer_arm(&o->due, false);
	il_loop_wake_outer();
	return err;
}

void il_shm_queue_due(struct il_timer *t)
{
	il_wait_queue_restart(&il_container_of(t, struct il_shm_queue, due)->receivers);
}
