/* SPDX-License-Identifier: MIT
 *
 * Wait queues, see wait_queue.h. That a process sleeps is written down with the lock, together with its last look, and
 * changes are announced with the lock: so no change falls between look and sleep. Floor 2.
 */
#include "engines/wait_queue.h"
#include "base/shared_atomic.h"
#include "engines/waiters.h"

#include <errno.h>

enum { MOST_MISSES = 8, ROUNDS = 100, FEW = 16 };

static const volatile bool never;

static struct il_op *op_at(struct il_list *l)
{
	return il_container_of(l, struct il_op, link);
}

static void stop_if_none(struct il_wait_queue *waits)
{
	if (il_list_empty(&waits->ops))
		il_wait_queue_fini(waits);
}

/* What has been asked for in vain in this round, so that hundreds that ask the same cost one attempt. */
struct misses {
	int64_t args[MOST_MISSES];
	int count;
};

static bool was_missed(const struct misses *misses, int64_t arg)
{
	for (int i = 0; i < misses->count && i < MOST_MISSES; i++)
		if (misses->args[i] == arg)
			return true;
	return false;
}

/* It waits no more. */
static void take_out(struct il_wait_queue *waits, struct il_op *op)
{
	il_list_del(&op->link);
	waits->count--;
	if (!waits->indexed)
		return;
	if (op->state)
		il_wait_index_del(&waits->index, op);
	else
		waits->wild--;
}

enum outcome { NOT_NOW, SERVED, SERVED_ALL };

/* With the lock: an operation that is served comes into `served`. One that also waits for other things ends the round:
 * with it, others may leave the queue. */
static enum outcome serve_one(struct il_wait_queue *waits, struct il_op *op, struct il_list *served)
{
	int err = waits->type->attempt(waits, op, true);
	if (*waits->lost) /* what was done with zeros of our own has not been done */
		err = EUCLEAN;
	if (err == EAGAIN)
		return NOT_NOW;
	op->err = err;
	take_out(waits, op);
	il_list_add(served, &op->link);
	return op->wait->count > 1 ? SERVED_ALL : SERVED;
}

/* True: the round is to be gone on with. */
static bool serve_round(struct il_wait_queue *waits, struct il_list *served)
{
	struct il_list *next;
	struct misses misses;
	misses.count = 0;
	for (struct il_list *l = waits->ops.next; l != &waits->ops; l = next) {
		struct il_op *op = op_at(l);
		next = l->next;
		if (waits->type->alike && was_missed(&misses, op->message.type))
			continue;
		enum outcome outcome = serve_one(waits, op, served);
		if (outcome == SERVED_ALL)
			return true;
		if (outcome == SERVED)
			continue;
		if (waits->type->strict || (waits->type->alike && il_wants_one(waits->wants)))
			return false;
		misses.args[misses.count++ % MOST_MISSES] = op->message.type;
	}
	return false;
}

/* The same of the operations that wait for a key. */
static bool serve_key(struct il_wait_queue *waits, uint64_t key, struct il_list *served)
{
	enum outcome outcome = SERVED;
	struct il_list *ops;
	while (outcome == SERVED && (ops = il_wait_index_find(&waits->index, key)) != NULL)
		outcome = serve_one(waits, il_container_of(ops->next, struct il_op, alike), served);
	return outcome == SERVED_ALL;
}

/* The last ones, in the order they came. */
static bool serve_fresh(struct il_wait_queue *waits, struct il_list *served)
{
	struct il_list *l = &waits->ops, *next;
	for (int i = 0; i < waits->fresh && l->prev != &waits->ops; i++)
		l = l->prev;
	for (; l != &waits->ops; l = next) {
		next = l->next;
		if (serve_one(waits, op_at(l), served) == SERVED_ALL)
			return true;
	}
	return false;
}

/* With the lock: is it known which keys have changed since the last look? These are the changes `from` on. */
static bool know_changes(const struct il_wait_queue *waits, uint32_t *from, uint32_t *to)
{
	*from = waits->seen + 1;
	*to = il_get(waits->changes) + 1;
	if (waits->behind || !waits->indexed || waits->wild || *waits->lost)
		return false;
	return waits->recent ? *to - *from <= IL_RECENT
			     : *to == *from || (*to - *from == 1 && waits->own_change == *from);
}

static bool serve_known(struct il_wait_queue *waits, struct il_list *served)
{
	uint32_t from, to;
	if (!know_changes(waits, &from, &to))
		return serve_round(waits, served);
	bool again = false;
	for (; from != to && !again; from++)
		again = serve_key(waits, waits->recent ? waits->recent[from % IL_RECENT] : waits->own, served);
	return again || serve_fresh(waits, served);
}

static bool finish(struct il_list *served)
{
	bool any = !il_list_empty(served);
	while (!il_list_empty(served)) {
		struct il_op *op = op_at(served->next);
		il_list_del(&op->link);
		il_op_finish(op, op->err);
	}
	return any;
}

static void fail(struct il_wait_queue *waits, int err)
{
	while (!il_list_empty(&waits->ops)) {
		struct il_op *op = op_at(waits->ops.next);
		take_out(waits, op);
		il_op_finish(op, err);
	}
	stop_if_none(waits);
}

/* 0; EAGAIN: it is tried again later; or errno. */
static int enter(struct il_wait_queue *waits)
{
	int err = waits->type->enter(waits);
	bool was_late = waits->late;
	waits->late = err == EAGAIN;
	if (waits->late)
		return il_recheck_start(&waits->later) ? ENOMEM : EAGAIN;
	if (was_late)
		il_recheck_stop(&waits->later);
	return err;
}

/* With the lock, after a look at all. */
static void note(struct il_wait_queue *waits, bool served, bool park)
{
	uint32_t expected = waits->seen = il_get(waits->changes);
	uint32_t *word = waits->type->note ? waits->type->note(waits, served, park, &expected) : NULL;
	if (!park || il_list_empty(&waits->ops))
		return;
	if (!word)
		il_put(waits->parked, il_get(waits->parked) | waits->type->parked);
	waits->sleeps_on = word ? word : waits->changes;
	waits->expected = expected;
}

static bool serve(struct il_wait_queue *waits, bool park)
{
	bool again = true, any = false;
	while (again && !il_list_empty(&waits->ops)) {
		struct il_list served = IL_LIST_INIT(served);
		int err = enter(waits);
		if (err == EAGAIN)
			return any;
		if (err) {
			fail(waits, err);
			return true;
		}
		again = serve_known(waits, &served);
		waits->behind = again;
		waits->fresh = again ? waits->fresh : 0;
		note(waits, !il_list_empty(&served), park);
		waits->type->leave(waits);
		any |= finish(&served);
	}
	stop_if_none(waits);
	if (any && waits->type->served)
		waits->type->served(waits);
	return any;
}

static bool poll(struct il_poller *p)
{
	struct il_wait_queue *waits = il_container_of(p, struct il_wait_queue, poller);
	return !waits->late && (il_get(waits->changes) != waits->seen || *waits->lost) && serve(waits, false);
}

/* What has ended is taken out by the look that follows, and then there may be other things to watch. True: a wait has
 * ended. */
static bool park(struct il_wait_queue *waits)
{
	bool any = false;
	int err = EAGAIN;
	for (int i = 0; i < ROUNDS && err == EAGAIN && !il_list_empty(&waits->ops) && !waits->late; i++) {
		err = waits->type->park(waits);
		if (err == EAGAIN)
			any |= serve(waits, true);
	}
	if (err == EAGAIN && !il_list_empty(&waits->ops) && !waits->late)
		err = il_recheck_start(&waits->later);
	if (!err || err == EAGAIN)
		return any;
	fail(waits, err);
	return true;
}

static bool arm(struct il_poller *p)
{
	struct il_wait_queue *waits = il_container_of(p, struct il_wait_queue, poller);
	bool any = false;
	while (serve(waits, true) || (waits->type->park && park(waits)))
		any = true; /* and served() may have looked without parking */
	if (il_list_empty(&waits->ops) || waits->late)
		return any;
	if (waits->word.address != waits->sleeps_on)
		il_futex_unwatch(&waits->word);
	waits->word.away = waits->sleeps_on == waits->changes ? 0 : waits->type->away;
	if (!il_futex_watched(&waits->word))
		il_futex_watch(&waits->word, waits->sleeps_on, waits->expected);
	return any;
}

void il_wait_queue_restart(struct il_wait_queue *waits)
{
	serve(waits, false);
	if (!il_list_empty(&waits->ops) && !waits->late)
		il_poller_add(&waits->poller);
}

static void changed(struct il_futex *word)
{
	il_wait_queue_restart(il_container_of(word, struct il_wait_queue, word));
}

static void restart_later(struct il_recheck *later)
{
	il_wait_queue_restart(il_container_of(later, struct il_wait_queue, later));
}

void il_wait_queue_init(struct il_wait_queue *waits)
{
	if (!waits->lost)
		waits->lost = &never;
	il_list_init(&waits->ops);
	il_poller_init(&waits->poller, poll, arm);
	il_futex_init(&waits->word, changed);
	il_recheck_init(&waits->later, restart_later);
}

void il_wait_queue_fini(struct il_wait_queue *waits)
{
	il_poller_del(&waits->poller);
	il_futex_unwatch(&waits->word);
	il_recheck_stop(&waits->later);
	waits->late = waits->behind = waits->indexed = false;
	waits->fresh = 0;
	il_wait_index_fini(&waits->index);
	if (waits->type->unpark)
		waits->type->unpark(waits);
}

/* True: what is written down of what this process wants does not tell of it. */
static bool add_key(struct il_wait_queue *waits, const struct il_op *op)
{
	uint64_t before = waits->wants;
	waits->wants = il_wants_add(!il_list_empty(&waits->ops), before, waits->type->key(op));
	return waits->wants != before;
}

static int index_op(struct il_wait_queue *waits, struct il_op *op)
{
	bool wild = waits->type->wild && waits->type->wild(op);
	op->state = NULL;
	waits->wild += wild;
	return wild ? 0 : il_wait_index_add(&waits->index, op, waits->type->key(op));
}

/* Without memory for it, all look at each change. */
static void index_all(struct il_wait_queue *waits)
{
	int err = 0;
	waits->wild = 0;
	for (struct il_list *l = waits->ops.next; !err && l != &waits->ops; l = l->next)
		err = index_op(waits, op_at(l));
	waits->indexed = !err;
	if (err)
		il_wait_index_fini(&waits->index);
}

static void index_last(struct il_wait_queue *waits, struct il_op *op)
{
	if (!waits->indexed) {
		if (waits->count == FEW)
			index_all(waits);
	} else if (index_op(waits, op)) {
		waits->indexed = false;
		il_wait_index_fini(&waits->index);
	}
}

void il_wait_queue_start(struct il_wait_queue *waits, struct il_op *op)
{
	bool new = waits->type->key &&add_key(waits, op);
	il_list_add(&waits->ops, &op->link);
	waits->count++;
	waits->fresh++;
	if (waits->type->key)
		index_last(waits, op);
	if (new || !il_futex_watched(&waits->word))
		il_poller_add(&waits->poller);
}

/* Those behind the first may want less than it did, and be served now that it has left, though nothing has changed. */
static void first_left(struct il_wait_queue *waits)
{
	if (!waits->type->strict || il_list_empty(&waits->ops))
		return;
	waits->seen = il_get(waits->changes) - 1;
	il_poller_add(&waits->poller);
}

void il_wait_queue_cancel(struct il_wait_queue *waits, struct il_op *op)
{
	bool first = waits->ops.next == &op->link;
	if (il_list_empty(&op->link)) /* it is being served */
		return;
	take_out(waits, op);
	stop_if_none(waits);
	if (first)
		first_left(waits);
}

/* A queue that was late had neither a poller nor a futex, only the recheck that has ended now. */
bool il_wait_queue_retry(struct il_wait_queue *waits)
{
	if (il_list_empty(&waits->ops))
		return false;
	bool was_late = waits->late, any = serve(waits, false);
	if (was_late && !waits->late && !il_list_empty(&waits->ops))
		il_poller_add(&waits->poller);
	return any;
}

void il_wait_queue_close(struct il_wait_queue *waits, const void *source)
{
	struct il_list *next;
	for (struct il_list *l = waits->ops.next; l != &waits->ops; l = next) {
		next = l->next;
		if (op_at(l)->source != source)
			continue;
		take_out(waits, op_at(l));
		il_op_finish(op_at(l), ECANCELED);
		next = waits->ops.next; /* with it, others may have left */
	}
	stop_if_none(waits);
	first_left(waits);
}

int il_wait_queue_count(const struct il_wait_queue *waits)
{
	return waits->count;
}
