/* SPDX-License-Identifier: MIT
 *
 * Processes that may not come, see calls.h. Floor 2.
 */
#include "engines/shm/calls.h"
#include "base/fork.h"
#include "engines/shm/state.h"
#include "engines/waiters_call.h"
#include "os/signal.h"

#include <errno.h>
#include <stdlib.h>

static bool is_active(const struct il_shm_calls *c)
{
	return c->generation && il_fork_is_own(c->generation);
}

static void stop(struct il_shm_calls *c)
{
	bool active = is_active(c);
	c->generation = 0;
	c->leaves = false;
	il_list_del(&c->node);
	il_recheck_stop(&c->later);
	if (active)
		il_segment_drop(c->segment); /* it may take all this with it */
}

/* True: others are still on their way. */
static bool check_called(struct il_shm_calls *c, bool all)
{
	c->waiters->called = false;
	if (c->leaves)
		il_waiters_leave(c->waiters, false);
	c->leaves = false;
	bool more = il_waiters_pass_late(c->waiters, all) || c->waiters->called;
	if (!all)
		more |= il_waiters_notify_some(c->waiters);
	c->leave(c->segment);
	return more && !all;
}

static void check(struct il_recheck *later)
{
	struct il_shm_calls *c = il_container_of(later, struct il_shm_calls, later);
	int err = c->enter(c->segment);
	bool again = err == EAGAIN || err == ETIMEDOUT || (!err && check_called(c, false));
	if (!err && il_waiters_joined(c->waiters))
		c->retry(c);
	if (is_active(c) && (!again || il_recheck_start(later)))
		stop(c);
}

void il_shm_calls_init(struct il_shm_calls *c, struct il_segment *s, struct il_waiters *w,
	void (*retry)(struct il_shm_calls *c))
{
	*c = (struct il_shm_calls){
		.segment = s,
		.waiters = w,
		.enter = il_segment_enter_soon,
		.leave = il_segment_leave,
		.retry = retry,
	};
	il_list_init(&c->node);
	il_recheck_init(&c->later, check);
}

void il_shm_calls_fini(struct il_shm_calls *c)
{
	il_list_del(&c->node);
	il_recheck_stop(&c->later);
}

void il_shm_calls_check_all(void)
{
	struct il_list *callers = &il_shm_state()->callers;
	while (!il_list_empty(callers)) {
		struct il_shm_calls *c = il_container_of(callers->next, struct il_shm_calls, node);
		if (is_active(c) && c->enter(c->segment) == 0)
			check_called(c, true);
		stop(c);
	}
}

void il_shm_calls_add(struct il_shm_calls *c)
{
	static bool known;
	c->waiters->called = false;
	if (is_active(c))
		return;
	if (!known)
		known = atexit(il_shm_calls_check_all) == 0;
	il_list_del(&c->node);
	il_recheck_stop(&c->later);
	if (il_recheck_start_late(&c->later))
		return;
	il_list_add(&il_shm_state()->callers, &c->node);
	c->generation = il_fork.generation;
	c->segment->refs++;
	if (il_signal_notify) /* the hook sees to it that the time comes while Lua is busy, too */
		il_signal_notify();
}

void il_shm_calls_remove_dead(struct il_shm_calls *c)
{
	il_waiters_remove_dead(c->waiters);
	if (il_waiters_any_called(c->waiters))
		il_shm_calls_add(c);
}

void il_shm_calls_stop_if_done(struct il_shm_calls *c)
{
	if (is_active(c) && !c->leaves && !il_waiters_any_called(c->waiters))
		stop(c);
}

void il_shm_calls_leave(struct il_shm_calls *c)
{
	int err = il_waiters_joined(c->waiters) ? c->enter(c->segment) : ENOENT;
	if (!err) {
		il_waiters_leave(c->waiters, false);
		il_shm_calls_note(c);
		c->leave(c->segment);
	} else if (err == EAGAIN || err == ETIMEDOUT) {
		il_shm_calls_add(c);
		c->leaves = is_active(c);
	}
}
