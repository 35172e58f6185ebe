/* SPDX-License-Identifier: MIT
 *
 * What becomes ready without a sender, see queue_tend.h. Floor 2.
 */
#include "engines/shm/queue_tend.h"
#include "base/clock.h"
#include "engines/shm/job_holders.h"
#include "engines/shm/job_index.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_room.h"
#include "loop/wake.h"

#include <errno.h>

/* Where there is something to take, looking whether the holders live takes a hundredth of the time; but the pause is
 * not longer than so many ns, for each sixteen of them. So many jobs become ready at once. The coarse clock is not
 * further behind than that, in ns. */
enum { CHECK_SHARE = 100, LONGEST_PAUSE = 20000000, MOST_DUE = 1000, COARSE = 20000000 };

/* How much later a process looks for a delayed job that sleeps behind another one: that may be stopped. */
static const int64_t DUE_BEHIND = 4000000;

/* States --------------------------------------------------------------------------------------------------- */

/* Before a change: so many of the processes that sleep are to look. */
void il_shm_queue_announce(struct il_shm_queue *o, int64_t type, uint32_t n)
{
	il_segment_change(&o->segment, IL_SHM_RECEIVERS);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		il_shm_queue_call(o, type, n);
}

int il_shm_queue_make_ready(struct il_shm_queue *o, struct il_message *m, uint64_t state)
{
	il_shm_queue_announce(o, m->type, 1);
	return il_jobs_move(&o->blocks, m, state, 0);
}

int il_shm_queue_drop(struct il_shm_queue *o, struct il_message *m)
{
	il_shm_queue_make_room(o);
	return il_jobs_end(&o->blocks, m);
}

/* Senders of this process are called by no other. What makes room may itself end in vain, and serve nothing. */
static void wake_own_senders(struct il_shm_queue *o)
{
	if (!il_list_empty(&o->senders.ops) && !o->senders.late)
		il_poller_add(&o->senders.poller);
}

/* It stays where it is. The oldest dead letters are dropped if there are too many. */
int il_shm_queue_die(struct il_shm_queue *o, struct il_message *m, uint64_t state, uint32_t most)
{
	struct il_message oldest;
	il_shm_queue_make_room(o); /* that of dead letters is for those that send */
	wake_own_senders(o);
	int err = il_jobs_move(&o->blocks, m, il_state_with(state, IL_STATE_KIND, IL_RECORD_DEAD), 0);
	while (!err && o->blocks.jobs->letters > most) {
		err = il_jobs_oldest_dead(&o->blocks, &oldest);
		if (!err)
			err = il_shm_queue_drop(o, &oldest);
	}
	return err == EAGAIN ? EUCLEAN : err;
}

/* All are called, and not the first alone: that may be stopped by then. */
void il_shm_queue_announce_due(struct il_shm_queue *o, int64_t due)
{
	int64_t first = o->blocks.jobs->due;
	if (!first || due < first)
		il_shm_queue_announce(o, 0, IL_SHM_MOST_WAITERS);
}

int il_shm_queue_delay(struct il_shm_queue *o, struct il_message *m, uint64_t state, int64_t due)
{
	il_shm_queue_announce_due(o, due);
	return il_jobs_move(&o->blocks, m, il_state_with(state, IL_STATE_KIND, IL_RECORD_DELAYED), (uint64_t)due);
}

static int holder_died(struct il_shm_queue *o, struct il_message *m, const struct il_job_limits *limits)
{
	uint32_t deaths = il_state_get(m->state, IL_STATE_DEATHS);
	uint64_t state = il_state_with(il_jobs_ready_again(m->state), IL_STATE_REASON, 0);
	deaths += deaths < UINT16_MAX;
	state = il_state_with(il_state_with(state, IL_STATE_DIED, 1), IL_STATE_DEATHS, deaths);
	return limits->deaths && deaths >= limits->deaths ? il_shm_queue_die(o, m, state, limits->keep)
							  : il_shm_queue_make_ready(o, m, state);
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
int il_shm_queue_check_holders(struct il_shm_queue *o, const struct il_job_limits *limits)
{
	struct il_holder_set dead;
	int64_t begin = il_now();
	bool any = il_job_holders_find_dead(&o->blocks, &dead);
	int64_t end = il_now(), pause = CHECK_SHARE * (end - begin);
	int64_t longest = LONGEST_PAUSE * (1 + (int64_t)il_job_holders_used(&o->blocks) / IL_SHM_WATCHED);
	o->check_next = end + (pause < longest ? pause : longest);
	o->watches.ended = false;
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
	return due && due <= il_wall_coarse() + COARSE && due <= il_wall_now();
}

static int ready_due(struct il_shm_queue *o)
{
	struct il_message m;
	int err = 0;
	for (int i = 0; i < MOST_DUE && !err && is_due(o); i++)
		err = il_job_index_first(&o->blocks, &m) ? il_shm_queue_make_ready(o, &m, il_jobs_ready_again(m.state))
							 : EUCLEAN;
	return err;
}

/* Other processes may have jobs, and it is time to look whether they live. */
static bool may_have_died(const struct il_shm_queue *o)
{
	uint32_t used = il_job_holders_used(&o->blocks);
	if (o->watches.ended)
		return true;
	return used && !(used == 1 && il_job_holders_is_own(&o->blocks, o->slot)) && il_coarse() >= o->check_next;
}

bool il_shm_queue_needs_tending(const struct il_shm_queue *o)
{
	return is_due(o) || may_have_died(o);
}

int il_shm_queue_tend(struct il_shm_queue *o, const struct il_queue *q, bool check)
{
	int err = ready_due(o);
	if (!err && (check || may_have_died(o)))
		err = il_shm_queue_check_holders(o, &q->limits);
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

/* Waiting ------------------------------------------------------------------------------------------------ */

bool il_shm_queue_first_watches(const struct il_shm_queue *o)
{
	return il_job_holders_used(&o->blocks) > IL_SHM_WATCHED;
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

int il_shm_queue_await_due(struct il_shm_queue *o)
{
	int64_t due = (int64_t)il_get64((const uint64_t *)&o->blocks.jobs->due), now;
	bool behind = o->waiters.joined && o->waiters.before;
	il_timer_disarm(&o->due);
	if (!due)
		return 0;
	now = il_wall_now();
	il_timer_start(&o->due, (due > now ? due - now : 0) + (behind ? DUE_BEHIND : 0));
	int err = il_timer_arm(&o->due, false);
	il_loop_wake_outer();
	return err;
}

/* Another process may have come first: then this one goes on to sleep. */
void il_shm_queue_due(struct il_timer *t)
{
	struct il_shm_queue *o = il_container_of(t, struct il_shm_queue, due);
	if (is_due(o) || il_shm_queue_await_due(o))
		il_wait_queue_restart(&o->receivers);
}
