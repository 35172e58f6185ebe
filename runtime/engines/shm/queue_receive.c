/* SPDX-License-Identifier: MIT
 *
 * Receiving, see queue_receive.h: with the receivers' latch, or, where senders sleep, with both. A message is copied
 * out before it is taken away. Processes that sleep are in the table of waiters. Floor 2.
 */
#include "engines/shm/queue_receive.h"
#include "engines/shm/queue_many.h"
#include "engines/shm/queue_room.h"
#include "engines/shm/queue_send.h"
#include "engines/shm/job_tree.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_buffer.h"
#include "engines/shm/queue_take.h"
#include "engines/shm/queue_tend.h"

#include <errno.h>

int il_shm_queue_take_away(struct il_shm_queue *o, struct il_message *m)
{
	if (m->state)
		return il_jobs_end(&o->blocks, m);
	il_blocks_take(&o->blocks, m);
	return 0;
}

/* With the receivers' latch; with both, if senders sleep. */
static int receive_message(struct il_shm_queue *o, struct il_op *op, bool own)
{
	struct il_message m;
	int err = il_order_find(&o->blocks, &o->seen, op->message.type, &m);
	if (!err)
		err = il_shm_queue_copy_out(o, &m, op, own);
	if (err)
		return err;
	il_shm_queue_make_room(o);
	return il_shm_queue_take_away(o, &m);
}

/* Senders sleep: waking them takes both latches. */
static int __attribute__((noinline)) receive_with_both(struct il_shm_queue *o, struct il_op *op)
{
	int err = il_shm_queue_enter_tended(o, op->source, op->once || op->last, !op->once);
	if (err)
		return err;
	err = receive_message(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	il_shm_queue_leave(o);
	return err;
}

static int receive_alone(struct il_shm_queue *o, struct il_op *op)
{
	int err = op->once ? il_second_enter(&o->second) : il_second_enter_soon(&o->second);
	if (err)
		return err;
	bool both = il_get(&o->second.shared->parked) || (o->blocks.receiving->others && il_shm_queue_needs_tending(o));
	if (!both)
		err = receive_message(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	both |= err == EAGAIN && (op->once || op->last) && o->blocks.receiving->others;
	il_second_leave(&o->second);
	return both ? receive_with_both(o, op) : err;
}

/* Waiting ------------------------------------------------------------------------------------------------ */

static int receive_attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	if (op->message.job)
		return il_shm_queue_take_message(o, op, waiting, true);
	return il_shm_queue_receives_many(op) ? il_shm_queue_receive_all(o, op) : receive_message(o, op, waiting);
}

/* What has become ready meanwhile without a sender is to be there before the operations are attempted. */
static int receive_enter(struct il_wait_queue *waits)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	int err = il_shm_queue_enter(o, true);
	if (err)
		return err;
	if (o->doubt)
		il_shm_calls_remove_dead(&o->calls);
	err = il_shm_queue_tend(o, il_container_of(waits->ops.next, struct il_op, link)->source, o->doubt);
	o->doubt = false;
	if (err)
		il_shm_queue_leave(o);
	return err;
}

/* Not more than 0 is no type, but
 * what a process wants that was called and does not come: there may be such a message. */
bool il_shm_queue_is_wanted(uint64_t wants, uint64_t type)
{
	int64_t wanted = (int64_t)wants;
	return wanted == 0 || (int64_t)type <= 0 || (wanted > 0 ? wants == type : type <= -wants);
}

/* This process was called, and has come: what it has not taken, or cannot take, is for others. */
static void pass_on(struct il_shm_queue *o)
{
	const struct il_shm_receiving *r = &il_shm_queue_shared(o)->receiving;
	int64_t type, last = 0;
	for (uint32_t i = 0; i < IL_SHM_MOST_LOOKED_AT && r->first + i < r->sent_seen; i++) {
		if (!il_order_type(&o->blocks, r->first + i, &type) || type == last)
			continue;
		il_shm_queue_call_receivers(o, type);
		last = type;
	}
	last = 0;
	for (int i = 0; i < IL_SHM_MOST_LOOKED_AT && o->blocks.jobs->ready; i++) {
		if (!il_job_tree_next_type(&o->blocks, last, &type))
			break;
		il_shm_queue_call_receivers(o, type);
		last = type;
	}
}

/* True: all operations want the same. A process that was called for a message must be able to take it. */
static bool want_the_same(const struct il_wait_queue *waits)
{
	const struct il_op *first = il_container_of(waits->ops.next, struct il_op, link);
	int n = 0;
	for (const struct il_list *l = waits->ops.next; l != &waits->ops; l = l->next)
		if (il_container_of(l, struct il_op, link)->message.type != first->message.type ||
			++n > IL_SHM_MOST_LOOKED_AT)
			return false;
	return true;
}

static uint32_t *receive_note(struct il_wait_queue *waits, bool was_served, bool park, uint32_t *expected)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	uint32_t *word = NULL;
	bool joined = il_waiters_joined(&o->waiters), any = !il_list_empty(&waits->ops);
	o->calls.leaves = false;
	o->waiters.first_watches = il_shm_queue_first_watches(o);
	if (any && joined && !was_served)
		pass_on(o);
	if (any && park)
		o->wanted = il_container_of(waits->ops.next, struct il_op, link)->message.type;
	if (any && (park ? want_the_same(waits) : joined))
		word = il_waiters_join(&o->waiters, (uint64_t)o->wanted, was_served, expected);
	else if (joined)
		il_waiters_leave(&o->waiters, was_served);
	if (joined && was_served)
		pass_on(o);
	il_shm_calls_note(&o->calls);
	return word;
}

static int receive_park(struct il_wait_queue *waits)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	const struct il_waiters *w = &o->waiters;
	bool behind = w->joined && w->before;
	il_shm_watches_begin(&o->watches);
	bool ended = il_shm_queue_watch_holders(o, behind);
	if (w->joined)
		ended |= il_shm_watches_add_waiters(&o->watches, w);
	int err = il_shm_watches_end(&o->watches);
	if (!err)
		err = il_shm_queue_await_due(o);
	o->doubt |= ended;
	return err ? err : ended ? EAGAIN : 0;
}

static void receive_unpark(struct il_wait_queue *waits)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	il_timer_disarm(&o->due);
	il_shm_watches_idle(&o->watches);
	il_shm_calls_leave(&o->calls);
}

void il_shm_queue_retry(struct il_shm_watches *w)
{
	struct il_shm_queue *o = il_container_of(w, struct il_shm_queue, watches);
	o->doubt = true;
	il_wait_queue_restart(&o->receivers);
}

void il_shm_queue_retry_after_call(struct il_shm_calls *c)
{
	il_wait_queue_restart(&il_container_of(c, struct il_shm_queue, calls)->receivers);
}

/* Of what is no single type: several keys. */
static uint64_t receive_key(const struct il_op *op)
{
	int64_t type = op->message.type;
	return type >= 0 ? (uint64_t)type : il_wants_mask(0);
}

static bool receives_several(const struct il_op *op)
{
	return op->message.type <= 0;
}

const struct il_wait_queue_type il_shm_queue_receivers = {
	.parked = IL_SHM_RECEIVERS,
	.away = IL_WAITER_AWAY,
	.key = receive_key,
	.wild = receives_several,
	.alike = true,
	.enter = receive_enter,
	.leave = il_shm_queue_leave_waits,
	.attempt = receive_attempt,
	.note = receive_note,
	.park = receive_park,
	.unpark = receive_unpark,
	.served = il_shm_queue_served,
};

/* Operations -------------------------------------------------------------------------------------------- */

bool il_shm_queue_receive_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	struct il_wait_queue *waits = &o->receivers;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	return il_shm_queue_attempted(o, waits, op, receive_alone(o, op));
}

int il_shm_queue_receive_start(struct il_op *op)
{
	op->message.job = NULL; /* of those that wait together, it tells the others apart */
	return il_shm_queue_take_start(op);
}

int il_shm_queue_take_start(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	il_wait_queue_start(&o->receivers, op);
	if (op->message.type != o->wanted) /* what is written down of this process is wrong */
		il_poller_add(&o->receivers.poller);
	return 0;
}

bool il_shm_queue_receive_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&il_shm_queue_of_op(op)->receivers, op);
	return false;
}

static int peek(struct il_shm_queue *o, struct il_op *op)
{
	struct il_message m;
	bool both = il_get(&o->blocks.receiving->others) != 0;
	int err = both ? il_shm_queue_enter_tended(o, op->source, true, false) : il_second_enter(&o->second);
	if (err)
		return err;
	err = il_order_find(&o->blocks, &o->seen, op->message.type, &m);
	if (!err)
		err = il_shm_queue_copy_out(o, &m, op, false);
	if (both)
		il_shm_queue_leave(o);
	else
		il_second_leave(&o->second);
	return err == EAGAIN ? ENOMSG : err;
}

bool il_shm_queue_peek_attempt(struct il_op *op)
{
	op->err = peek(il_shm_queue_of_op(op), op);
	return true;
}
