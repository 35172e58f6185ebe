/* SPDX-License-Identifier: MIT
 *
 * Wait queues, see wait_queue.h. That a process sleeps is written down with the lock, together with its last look, and
 * changes are announced with the lock: so no change falls between look and sleep. Floor 2.
 */
#include "engines/wait_queue.h"
#include "base/shared_atomic.h"
#include "engines/waiters.h"

#include <errno.h>

enum { VAIN = 8, ROUNDS = 100, FEW = 16 };

static const volatile bool never;

static struct il_op *op_at(struct il_list *l)
{
	return il_container_of(l, struct il_op, link);
}

static void settle(struct il_wait_queue *line)
{
	if (il_list_empty(&line->ops))
		il_wait_queue_fini(line);
}

/* What has been asked for in vain in this round, so that hundreds that ask the same cost one attempt. */
struct vain {
	int64_t args[VAIN];
	int count;
};

static bool is_vain(const struct vain *vain, int64_t arg)
{
	for (int i = 0; i < vain->count && i < VAIN; i++)
		if (vain->args[i] == arg)
			return true;
	return false;
}

/* It waits no more. */
static void take_out(struct il_wait_queue *line, struct il_op *op)
{
	il_list_del(&op->link);
	line->count--;
	if (!line->indexed)
		return;
	if (op->state)
		il_wait_index_del(&line->index, op);
	else
		line->wild--;
}

enum outcome { NOT_NOW, SERVED, SERVED_ALL };

/* With the lock: an operation that is served comes into `served`. One that also waits for other things ends the round:
 * with it, others may leave the line. */
static enum outcome serve_one(struct il_wait_queue *line, struct il_op *op, struct il_list *served)
{
	int err = line->type->attempt(line, op, true);
	if (*line->lost) /* what was done with zeros of our own has not been done */
		err = EUCLEAN;
	if (err == EAGAIN)
		return NOT_NOW;
	op->err = err;
	take_out(line, op);
	il_list_add(served, &op->link);
	return op->wait->count > 1 ? SERVED_ALL : SERVED;
}

/* True: the round is to be gone on with. */
static bool serve_round(struct il_wait_queue *line, struct il_list *served)
{
	struct il_list *next;
	struct vain vain;
	vain.count = 0;
	for (struct il_list *l = line->ops.next; l != &line->ops; l = next) {
		struct il_op *op = op_at(l);
		next = l->next;
		if (line->type->alike && is_vain(&vain, op->message.type))
			continue;
		enum outcome outcome = serve_one(line, op, served);
		if (outcome == SERVED_ALL)
			return true;
		if (outcome == SERVED)
			continue;
		if (line->type->strict || (line->type->alike && il_wants_one(line->wants)))
			return false;
		vain.args[vain.count++ % VAIN] = op->message.type;
	}
	return false;
}

/* The same of the operations that wait for a key. */
static bool serve_key(struct il_wait_queue *line, uint64_t key, struct il_list *served)
{
	enum outcome outcome = SERVED;
	struct il_list *ops;
	while (outcome == SERVED && (ops = il_wait_index_find(&line->index, key)) != NULL)
		outcome = serve_one(line, il_container_of(ops->next, struct il_op, alike), served);
	return outcome == SERVED_ALL;
}

/* The last ones, in the order they came. */
static bool serve_fresh(struct il_wait_queue *line, struct il_list *served)
{
	struct il_list *l = &line->ops, *next;
	for (int i = 0; i < line->fresh && l->prev != &line->ops; i++)
		l = l->prev;
	for (; l != &line->ops; l = next) {
		next = l->next;
		if (serve_one(line, op_at(l), served) == SERVED_ALL)
			return true;
	}
	return false;
}

/* With the lock: is it known which keys have changed since the last look? These are the changes `from` on. */
static bool know_changes(const struct il_wait_queue *line, uint32_t *from, uint32_t *to)
{
	*from = line->seen + 1;
	*to = il_get(line->changes) + 1;
	if (line->behind || !line->indexed || line->wild || *line->lost)
		return false;
	return line->recent ? *to - *from <= IL_RECENT
			    : *to == *from || (*to - *from == 1 && line->own_change == *from);
}

static bool serve_known(struct il_wait_queue *line, struct il_list *served)
{
	uint32_t from, to;
	if (!know_changes(line, &from, &to))
		return serve_round(line, served);
	bool again = false;
	for (; from != to && !again; from++)
		again = serve_key(line, line->recent ? line->recent[from % IL_RECENT] : line->own, served);
	return again || serve_fresh(line, served);
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

static void fail(struct il_wait_queue *line, int err)
{
	while (!il_list_empty(&line->ops)) {
		struct il_op *op = op_at(line->ops.next);
		take_out(line, op);
		il_op_finish(op, err);
	}
	settle(line);
}

/* 0; EAGAIN: it is tried again later; or errno. */
static int enter(struct il_wait_queue *line)
{
	int err = line->type->enter(line);
	bool was_late = line->late;
	line->late = err == EAGAIN;
	if (line->late)
		return il_recheck_start(&line->later) ? ENOMEM : EAGAIN;
	if (was_late)
		il_recheck_stop(&line->later);
	return err;
}

/* With the lock, after a look at all. */
static void note(struct il_wait_queue *line, bool served, bool park)
{
	uint32_t expected = line->seen = il_get(line->changes);
	uint32_t *word = line->type->note ? line->type->note(line, served, park, &expected) : NULL;
	if (!park || il_list_empty(&line->ops))
		return;
	if (!word)
		il_put(line->parked, il_get(line->parked) | line->type->parked);
	line->sleeps_on = word ? word : line->changes;
	line->expected = expected;
}

static bool serve(struct il_wait_queue *line, bool park)
{
	bool again = true, any = false;
	while (again && !il_list_empty(&line->ops)) {
		struct il_list served = IL_LIST_INIT(served);
		int err = enter(line);
		if (err == EAGAIN)
			return any;
		if (err) {
			fail(line, err);
			return true;
		}
		again = serve_known(line, &served);
		line->behind = again;
		line->fresh = again ? line->fresh : 0;
		note(line, !il_list_empty(&served), park);
		line->type->leave(line);
		any |= finish(&served);
	}
	settle(line);
	if (any && line->type->served)
		line->type->served(line);
	return any;
}

static bool poll(struct il_poller *p)
{
	struct il_wait_queue *line = il_container_of(p, struct il_wait_queue, poller);
	return !line->late && (il_get(line->changes) != line->seen || *line->lost) && serve(line, false);
}

/* What has ended is taken out by the look that follows, and then there may be other things to watch. True: a wait has
 * ended. */
static bool park(struct il_wait_queue *line)
{
	bool any = false;
	int err = EAGAIN;
	for (int i = 0; i < ROUNDS && err == EAGAIN && !il_list_empty(&line->ops) && !line->late; i++) {
		err = line->type->park(line);
		if (err == EAGAIN)
			any |= serve(line, true);
	}
	if (err == EAGAIN && !il_list_empty(&line->ops) && !line->late)
		err = il_recheck_start(&line->later);
	if (!err || err == EAGAIN)
		return any;
	fail(line, err);
	return true;
}

static bool arm(struct il_poller *p)
{
	struct il_wait_queue *line = il_container_of(p, struct il_wait_queue, poller);
	bool any = false;
	while (serve(line, true) || (line->type->park && park(line)))
		any = true; /* and served() may have looked without parking */
	if (il_list_empty(&line->ops) || line->late)
		return any;
	if (line->word.address != line->sleeps_on)
		il_futex_unwatch(&line->word);
	if (!il_futex_watched(&line->word))
		il_futex_watch(&line->word, line->sleeps_on, line->expected);
	return any;
}

void il_wait_queue_look_again(struct il_wait_queue *line)
{
	serve(line, false);
	if (!il_list_empty(&line->ops) && !line->late)
		il_poller_add(&line->poller);
}

static void changed(struct il_futex *word)
{
	il_wait_queue_look_again(il_container_of(word, struct il_wait_queue, word));
}

static void look_later(struct il_recheck *later)
{
	il_wait_queue_look_again(il_container_of(later, struct il_wait_queue, later));
}

void il_wait_queue_init(struct il_wait_queue *line)
{
	if (!line->lost)
		line->lost = &never;
	il_list_init(&line->ops);
	il_poller_init(&line->poller, poll, arm);
	il_futex_init(&line->word, changed);
	il_recheck_init(&line->later, look_later);
}

void il_wait_queue_fini(struct il_wait_queue *line)
{
	il_poller_del(&line->poller);
	il_futex_unwatch(&line->word);
	il_recheck_stop(&line->later);
	line->late = line->behind = line->indexed = false;
	line->fresh = 0;
	il_wait_index_fini(&line->index);
	if (line->type->unpark)
		line->type->unpark(line);
}

/* True: what is written down of what this process wants does not tell of it. */
static bool add_key(struct il_wait_queue *line, const struct il_op *op)
{
	uint64_t before = line->wants;
	line->wants = il_wants_add(!il_list_empty(&line->ops), before, line->type->key(op));
	return line->wants != before;
}

static int index_op(struct il_wait_queue *line, struct il_op *op)
{
	bool wild = line->type->wild && line->type->wild(op);
	op->state = NULL;
	line->wild += wild;
	return wild ? 0 : il_wait_index_add(&line->index, op, line->type->key(op));
}

/* Without memory for it, all look at each change. */
static void index_all(struct il_wait_queue *line)
{
	int err = 0;
	line->wild = 0;
	for (struct il_list *l = line->ops.next; !err && l != &line->ops; l = l->next)
		err = index_op(line, op_at(l));
	line->indexed = !err;
	if (err)
		il_wait_index_fini(&line->index);
}

static void index_last(struct il_wait_queue *line, struct il_op *op)
{
	if (!line->indexed) {
		if (line->count == FEW)
			index_all(line);
	} else if (index_op(line, op)) {
		line->indexed = false;
		il_wait_index_fini(&line->index);
	}
}

void il_wait_queue_start(struct il_wait_queue *line, struct il_op *op)
{
	bool new = line->type->key &&add_key(line, op);
	il_list_add(&line->ops, &op->link);
	line->count++;
	line->fresh++;
	if (line->type->key)
		index_last(line, op);
	if (new || !il_futex_watched(&line->word))
		il_poller_add(&line->poller);
}

/* Those behind the first may want less than it did, and be served now that it has left, though nothing has changed. */
static void first_left(struct il_wait_queue *line)
{
	if (!line->type->strict || il_list_empty(&line->ops))
		return;
	line->seen = il_get(line->changes) - 1;
	il_poller_add(&line->poller);
}

void il_wait_queue_cancel(struct il_wait_queue *line, struct il_op *op)
{
	bool first = line->ops.next == &op->link;
	if (il_list_empty(&op->link)) /* it is being served */
		return;
	take_out(line, op);
	settle(line);
	if (first)
		first_left(line);
}

/* A queue that was late had neither a poller nor a futex, only the recheck that has ended now. */
bool il_wait_queue_look(struct il_wait_queue *line)
{
	if (il_list_empty(&line->ops))
		return false;
	bool was_late = line->late, any = serve(line, false);
	if (was_late && !line->late && !il_list_empty(&line->ops))
		il_poller_add(&line->poller);
	return any;
}

void il_wait_queue_close(struct il_wait_queue *line, const void *source)
{
	struct il_list *next;
	for (struct il_list *l = line->ops.next; l != &line->ops; l = next) {
		next = l->next;
		if (op_at(l)->source != source)
			continue;
		take_out(line, op_at(l));
		il_op_finish(op_at(l), ECANCELED);
		next = line->ops.next; /* with it, others may have left */
	}
	settle(line);
	first_left(line);
}

int il_wait_queue_count(const struct il_wait_queue *line)
{
	return line->count;
}
