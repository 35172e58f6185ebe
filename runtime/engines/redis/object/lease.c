/* SPDX-License-Identifier: MIT
 *
 * The lease of a handle, see lock.h: one for all that it holds and waits for. A beat keeps it, every third of it, while
 * there is anything; all is looked at when the process could have missed something, when the lease had ended, and when
 * the lease of another holder ends that is waited for. The timer comes through the hook as well, so leases are kept
 * while Lua is busy. Floor 2.
 */
#include "engines/redis/object/lease.h"
#include "base/clock.h"
#include "engines/redis/lock_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

static const int64_t MARGIN = 2 * MS; /* the server counts in ms */

static int64_t next_number(const char **text)
{
	char *end;
	int64_t n = strtoll(*text, &end, 10);
	*text = end;
	return n;
}

void il_lease_check(struct il_redis_lock *h, int64_t ms, bool now)
{
	bool sound = ms >= 0 && ms < IL_NEVER / 4 / MS;
	h->check_at = sound ? il_now() + ms * MS + MARGIN : IL_NEVER;
	if (now)
		il_lease_compare(h);
	else
		il_lease_arm(h);
}

static void keep(struct il_redis_lock *h, const struct il_request *r)
{
	int64_t until = il_time_add(r->sent_at, h->lease);
	if (h->until < until)
		h->until = until;
}

void il_lease_kept(struct il_redis_lock *h, const struct il_request *r, bool ended)
{
	keep(h, r);
	il_list_each(struct il_lock_request, lr, &h->held, waiter.node)
		if (!ended && !lr->releasing)
			lr->until = h->until;
	if (ended && !il_list_empty(&h->held))
		il_lease_compare(h);
}

/* "number abandoned fence" of each that the server has as held by this handle. One that is unknown here was granted to
 * a request that came late, or given back by one that did not come: it goes back. */
static void compare(struct il_redis_lock *h, const char *text)
{
	struct il_list mine;
	int64_t number;
	il_list_move(&h->held, &mine);
	while ((number = next_number(&text))) {
		int64_t abandoned = next_number(&text), fence = next_number(&text);
		struct il_lock_request *lr = il_lock_request_find(&mine, number);
		if (lr) {
			il_list_del(&lr->waiter.node);
			il_list_add(&h->held, &lr->waiter.node);
		} else if ((lr = il_lock_request_find(&h->waits.waiters, number)) &&
			il_redis_waiter_first(&lr->waiter)) {
			il_lock_request_grant(lr, abandoned, fence);
		} else {
			il_redis_lock_return(h, number, "undone");
		}
	}
	il_list_drain(struct il_lock_request, lr, &mine, waiter.node) {
		lr->lost |= !lr->releasing;
		if (lr->lost)
			il_op_finish_all(&lr->losses, 0);
		il_list_add(&h->held, &lr->waiter.node);
	}
}

/* Places were lost with the lease; what has kept its place keeps it. */
static void compared(struct il_redis_lock *h, const struct il_request *r)
{
	size_t size;
	keep(h, r);
	compare(h, il_reply_bytes(r, 3, &size));
	il_lease_kept(h, r, false);
	il_lease_check(h, il_reply_number(r, 2), false);
	if (il_reply_number(r, 1))
		il_redis_waits_again(&h->waits);
}

static void removed(struct il_redis_lock *h)
{
	h->removed = true;
	il_list_each(struct il_lock_request, lr, &h->held, waiter.node)
		il_op_finish_all(&lr->losses, EIDRM);
}

/* tag: all was compared. */
static void answered(struct il_request *r)
{
	struct il_redis_lock *h = r->owner;
	int err = il_request_status(r);
	bool ended = err == ESTALE;
	il_list_del(&r->mine);
	if (!err && r->tag) {
		compared(h, r);
	} else if (!err) {
		il_lease_kept(h, r, false);
		il_lease_check(h, il_reply_number(r, 1), false);
	}
	if (err == EIDRM)
		removed(h);
	if (err == EIDRM || r->err) /* or the server is given up */
		il_redis_waits_end(&h->waits, NULL, false, err);
	il_request_free(r);
	if (ended || (h->again && il_list_empty(&h->beats)))
		il_lease_compare(h);
}

/* The answer to a release was not waited for: it has ended by now, if no beat has kept it. */
static void forget_released(struct il_redis_lock *h)
{
	il_list_each_safe(struct il_lock_request, lr, &h->held, waiter.node) {
		if (!lr->releasing || il_now() <= lr->until)
			continue;
		il_redis_lock_return(h, lr->number, "given");
		il_lock_request_free(lr);
	}
}

/* Of a mutex that is held here, no other process is a holder. */
static bool waits_for_others(const struct il_redis_lock *h)
{
	return !il_list_empty(&h->waits.waiters) && (il_list_empty(&h->held) || !h->lock.ops->holder.attempt);
}

/* As far as is known here. */
static int count_held(const struct il_redis_lock *h)
{
	int n = 0;
	il_list_each(const struct il_lock_request, lr, &h->held, waiter.node)
		n += !lr->lost && !lr->releasing;
	return n;
}

static void beat(struct il_redis_lock *h, bool all)
{
	struct il_command c;
	struct il_request *r;
	forget_released(h);
	h->beat_at = il_now();
	h->check_at = IL_NEVER;
	if (!il_list_empty(&h->waits.waiters) || !il_list_empty(&h->held)) {
		if (all) {
			h->again = false;
			il_redis_lock_call(&c, h, "renew");
			il_command_number(&c, count_held(h) + il_list_count(&h->waits.waiters));
		} else {
			il_command_init(&c, &h->waits.object, IL_SCRIPT_lock_beat);
			il_command_text(&c, il_redis_lock_name(h));
			il_command_number(&c, h->lease / MS);
			il_command_number(&c, waits_for_others(h) ? h->max : 0);
			il_command_number(&c, count_held(h));
		}
		if (il_request_make(&c, IL_SAFE | IL_PATIENT, answered, h, &r) == 0) {
			r->tag = all;
			il_list_add(&h->beats, &r->mine);
		}
	}
	il_lease_arm(h);
}

void il_lease_compare(struct il_redis_lock *h)
{
	if (il_list_empty(&h->beats))
		beat(h, true);
	else
		h->again = true;
}

static void up(struct il_redis_waits *all)
{
	il_lease_compare(il_container_of(all, struct il_redis_lock, waits));
}

/* When ---------------------------------------------------------------------------------------------------- */

static bool wanted(const struct il_redis_lock *h)
{
	return !h->removed && (!il_list_empty(&h->waits.waiters) || !il_list_empty(&h->held));
}

/* When the first ends that an operation waits for. */
static int64_t loss_due(struct il_redis_lock *h)
{
	int64_t due = IL_NEVER;
	if (!h->losses)
		return due;
	il_list_each(struct il_lock_request, lr, &h->held, waiter.node)
		if (!il_list_empty(&lr->losses) && lr->until < due)
			due = lr->until;
	h->losses = due != IL_NEVER;
	return due;
}

/* Answers may have come while Lua was busy. */
static void tell_losses(struct il_redis_lock *h)
{
	if (loss_due(h) >= il_now())
		return;
	il_server_read(h->waits.object.server);
	il_list_each(struct il_lock_request, lr, &h->held, waiter.node)
		if (lr->until < il_now())
			il_op_finish_all(&lr->losses, 0);
}

int il_lease_arm(struct il_redis_lock *h)
{
	int64_t loss = loss_due(h);
	int64_t now = il_now(), due = h->beat_at + h->lease / 3;
	if (!wanted(h))
		return 0;
	if (!il_list_empty(&h->waits.waiters) && h->check_at < due)
		due = h->check_at;
	if (loss < due)
		due = loss + 1;
	if (h->timer.item.place && h->due <= due)
		return 0;
	h->due = due;
	il_timer_start(&h->timer, due > now ? due - now : 0);
	return il_timer_arm(&h->timer, false);
}

/* One that waits for a connection is enough; one that has been written may have to be followed, while no answers are
 * read. */
static void expired(struct il_timer *t)
{
	struct il_redis_lock *h = il_container_of(t, struct il_redis_lock, timer);
	int64_t now = il_now();
	tell_losses(h);
	bool check = !il_list_empty(&h->waits.waiters) && now >= h->check_at;
	bool due = check || now >= h->beat_at + h->lease / 3;
	const struct il_request *last = il_container_of(h->beats.prev, struct il_request, mine);
	if (wanted(h) && due && (il_list_empty(&h->beats) || last->sent)) {
		beat(h, check || h->again);
		il_server_flush(h->waits.object.server);
	} else if (due) {
		h->beat_at = now;
		h->check_at = IL_NEVER;
	}
	il_lease_arm(h);
}

void il_lease_init(struct il_redis_lock *h)
{
	il_list_init(&h->beats);
	h->check_at = IL_NEVER;
	h->timer.expired = expired;
	h->waits.up = up;
}

void il_lease_fini(struct il_redis_lock *h)
{
	il_timer_disarm(&h->timer);
	while (!il_list_empty(&h->beats))
		il_request_forget(il_container_of(h->beats.next, struct il_request, mine));
}
