/* SPDX-License-Identifier: MIT
 *
 * Slots, see slots.h. A wait and a change must not miss each other, though a change takes no lock:
 *
 *   a wait       with the latch: sets the slot's bit of `marks`, notes its word; then looks at the slot, then sleeps
 *   a change     no bit: changes the slot, then looks for the bit once more: if it is set now, wakes
 *                the bit: with the latch, wakes those that sleep for the slot, clears the bit, and then changes the
 * slot
 *
 * In the first case one of the two sees what the other wrote, for all four accesses are sequentially consistent. In the
 * second, a process that is woken needs the latch before it can sleep again, so a process that is killed anywhere has
 * changed nothing, or woken those that wait. What remains is one that is killed right after its change, while another
 * one began to wait right before it: the next change of the slot wakes that one.
 * Floor 2.
 */
#include "engines/slots.h"
#include "engines/waiters_call.h"
#include "base/shared_atomic.h"
#include "os/identity.h"
#include "os/latch.h"

#include <errno.h>
#include <stdatomic.h>

/* How a change is to be told. */
enum way {
	QUIETLY, /* no operation waits for this slot */
	LATCHED, /* it has been told, and we have the latch */
	LATELY /* the latch cannot be had: tell afterwards */
};

enum { ON_COUNT = 1, BITS = 32 };

static const uint32_t none_marked;
static const volatile bool never;

static struct il_slots *slots_of(const struct il_memory *m)
{
	return il_container_of(m, struct il_slots_handle, memory)->slots;
}

static struct il_slots *of_op(const struct il_op *op)
{
	return slots_of(op->source);
}

static _Atomic int64_t *slot_at(const struct il_slots *s, size_t slot)
{
	return (_Atomic int64_t *)&s->at[slot];
}

static uint32_t bit_of(size_t slot)
{
	return (uint32_t)1 << slot % BITS;
}

/* Slots that are mark_words * 32 apart have the same one. */
static uint32_t *mark_of(const struct il_slots *s, size_t slot)
{
	return &s->marks[slot / BITS & (s->mark_words - 1)];
}

/* A child may be in another pid namespace than its parent was. */
static int check(const struct il_slots *s)
{
	return *s->lost ? EUCLEAN : *s->space != il_identity_space() ? EXDEV : 0;
}

static bool is_waited_for(const struct il_slots *s, size_t slot)
{
	return atomic_load((_Atomic uint32_t *)mark_of(s, slot)) & bit_of(slot);
}

/* Waiting ------------------------------------------------------------------------------------------------ */

static struct il_op *op_at(struct il_list *l)
{
	return il_container_of(l, struct il_op, link);
}

static void stop_if_none(struct il_slots *s)
{
	if (!il_list_empty(&s->ops))
		return;
	il_poller_del(&s->poller);
	il_futex_unwatch(&s->word);
	il_recheck_stop(&s->later);
	il_waiters_quit(&s->waiters);
}

static bool fail_all(struct il_slots *s, int err)
{
	bool any = !il_list_empty(&s->ops);
	il_op_finish_all(&s->ops, err);
	stop_if_none(s);
	return any;
}

static int state_of(const struct il_slots *s)
{
	if (!s->removed)
		return ENOTSUP;
	uint32_t removed = il_get(s->removed);
	return *s->lost ? EUCLEAN : removed ? EIDRM : 0;
}

/* EAGAIN, or how the operation has ended. */
static int examine(const struct il_slots *s, struct il_op *op)
{
	int64_t value = atomic_load(slot_at(s, op->memory.slot));
	int err = state_of(s);
	if (err)
		return err;
	if (value == op->memory.value)
		return EAGAIN;
	op->memory.value = value;
	return 0;
}

bool il_slots_poll(struct il_slots *s)
{
	struct il_list *next;
	bool any = false;
	for (struct il_list *l = s->ops.next; l != &s->ops; l = next) {
		struct il_op *op = op_at(l);
		bool alone = op->wait->count == 1;
		int err = examine(s, op);
		next = l->next;
		if (err == EAGAIN)
			continue;
		il_list_del(l);
		il_op_finish(op, err);
		any = true;
		if (!alone)
			next = s->ops.next; /* with it, others may have left */
	}
	stop_if_none(s);
	return any;
}

static bool poll(struct il_poller *p)
{
	return il_slots_poll(il_container_of(p, struct il_slots, poller));
}

/* An owner of the latch that dies has nothing half done. */
static int enter_soon(struct il_slots *s)
{
	int err = check(s);
	if (!err)
		err = il_latch_soon(s->latch, &s->patience);
	return err == EOWNERDEAD ? 0 : err;
}

/* With the latch. */
static void mark_all(struct il_slots *s)
{
	for (struct il_list *l = s->ops.next; l != &s->ops; l = l->next) {
		size_t slot = op_at(l)->memory.slot;
		if (!(il_get(mark_of(s, slot)) & bit_of(slot)))
			atomic_fetch_or((_Atomic uint32_t *)mark_of(s, slot), bit_of(slot));
	}
	s->sleeps_on = s->parked ? il_waiters_join(&s->waiters, s->wants, false, &s->expected) : NULL;
	if (s->sleeps_on)
		return;
	s->sleeps_on = s->changes;
	s->expected = il_get(s->changes);
	if (s->parked)
		il_put(s->parked, il_get(s->parked) | ON_COUNT);
}

/* EAGAIN: the latch cannot be had now. */
static int mark(struct il_slots *s)
{
	int err = enter_soon(s);
	if (err)
		return err;
	il_recheck_stop(&s->later);
	mark_all(s);
	il_slots_leave(s);
	return s->gone && s->gone(s) ? EIDRM : 0;
}

/* A word that is still watched has been slept on for another count, and is about to say so, or for the same. */
static bool arm(struct il_poller *p)
{
	struct il_slots *s = il_container_of(p, struct il_slots, poller);
	int err = mark(s);
	bool late = err == EAGAIN;
	if (late)
		err = il_recheck_start(&s->later);
	if (err)
		return fail_all(s, err);
	bool any = il_slots_poll(s);
	if (!late && !il_list_empty(&s->ops) && !il_futex_watched(&s->word))
		il_futex_watch(&s->word, s->sleeps_on, s->expected);
	return any;
}

static void poll_again(struct il_slots *s)
{
	il_slots_poll(s);
	if (!il_list_empty(&s->ops))
		il_poller_add(&s->poller);
}

static void changed(struct il_futex *word)
{
	poll_again(il_container_of(word, struct il_slots, word));
}

static void poll_later(struct il_recheck *later)
{
	poll_again(il_container_of(later, struct il_slots, later));
}

bool il_slots_wait_attempt(struct il_op *op)
{
	op->err = examine(of_op(op), op);
	return op->err != EAGAIN;
}

int il_slots_wait_start(struct il_op *op)
{
	struct il_slots *s = of_op(op);
	s->wants = il_wants_add(!il_list_empty(&s->ops), s->wants, op->memory.slot);
	il_list_add(&s->ops, &op->link);
	il_poller_add(&s->poller); /* though the word is watched: the new one is to be marked, too */
	return 0;
}

bool il_slots_wait_cancel(struct il_op *op)
{
	il_list_del(&op->link);
	stop_if_none(of_op(op));
	return false;
}

void il_slots_close(struct il_slots *s, const struct il_memory *m)
{
	struct il_list *next;
	for (struct il_list *l = s->ops.next; l != &s->ops; l = next) {
		next = l->next;
		if (op_at(l)->source != m)
			continue;
		il_list_del(l);
		il_op_finish(op_at(l), ECANCELED);
		next = s->ops.next; /* with it, others may have left */
	}
	stop_if_none(s);
}

/* Changing ------------------------------------------------------------------------------------------------ */

int il_slots_enter(struct il_slots *s)
{
	int err = check(s);
	if (!err)
		err = il_latch(s->latch, &s->patience);
	return err == EOWNERDEAD ? 0 : err;
}

void il_slots_leave(struct il_slots *s)
{
	il_unlatch(s->latch, false);
}

static void clear_marks(struct il_slots *s)
{
	for (uint32_t i = 0; i < s->mark_words; i++)
		il_put(&s->marks[i], 0);
}

void il_slots_change(struct il_slots *s)
{
	il_put(s->changes, il_get(s->changes) + 1);
	il_futex_wake(s->changes);
	clear_marks(s);
}

/* Does one of the processes that go on sleeping need this slot's bit? */
static bool needs_mark(uint64_t wants, uint64_t slot, const void *arg)
{
	const struct il_slots *s = arg;
	return wants >> IL_WANTS_BITS || (wants ^ slot) % ((uint64_t)s->mark_words * BITS) == 0;
}

/* With the latch. */
static void change_slot(struct il_slots *s, size_t slot)
{
	if (!s->parked) {
		il_slots_change(s);
		return;
	}
	il_put(s->changes, il_get(s->changes) + 1);
	if (il_get(s->parked) & ON_COUNT) {
		il_futex_wake(s->changes);
		il_put(s->parked, il_get(s->parked) & ~(uint32_t)ON_COUNT);
	}
	il_waiters_call_all(&s->waiters, slot);
	if (!il_waiters_any(&s->waiters, needs_mark, slot, s))
		il_put(mark_of(s, slot), il_get(mark_of(s, slot)) & ~bit_of(slot));
}

/* If the latch's owner stands still, only the first change waits for it, some milliseconds. */
static enum way announce(struct il_slots *s, size_t slot)
{
	if (s->still && s->still == il_get(s->latch))
		return LATELY;
	int err = enter_soon(s);
	s->still = err ? il_get(s->latch) : 0;
	if (err)
		return LATELY;
	change_slot(s, slot);
	return LATCHED;
}

static enum way before(struct il_slots *s, size_t slot)
{
	return is_waited_for(s, slot) ? announce(s, slot) : QUIETLY;
}

/* A process that was stopped inside does not keep others from writing. */
static void conclude(struct il_slots *s, size_t slot, enum way way)
{
	if (way == QUIETLY)
		way = announce(s, slot);
	if (way == LATCHED) {
		il_slots_leave(s);
	} else {
		atomic_fetch_add((_Atomic uint32_t *)s->changes, 1);
		il_futex_wake(s->changes);
		il_waiters_wake(&s->waiters, slot);
	}
	il_slots_poll(s);
}

static void after(struct il_slots *s, size_t slot, enum way way)
{
	if (way != QUIETLY || is_waited_for(s, slot))
		conclude(s, slot, way);
}

void il_slots_write(struct il_memory *m, size_t slot, int64_t value)
{
	struct il_slots *s = slots_of(m);
	enum way way = before(s, slot);
	atomic_store(slot_at(s, slot), value);
	after(s, slot, way);
}

int64_t il_slots_add(struct il_memory *m, size_t slot, int64_t n)
{
	struct il_slots *s = slots_of(m);
	enum way way = before(s, slot);
	uint64_t was = (uint64_t)atomic_fetch_add(slot_at(s, slot), n);
	after(s, slot, way);
	return (int64_t)(was + (uint64_t)n);
}

/* One that is sure to fail wakes no process. */
bool il_slots_swap(struct il_memory *m, size_t slot, int64_t *expected, int64_t value)
{
	struct il_slots *s = slots_of(m);
	int64_t current = atomic_load(slot_at(s, slot));
	bool swapped = current == *expected;
	if (swapped) {
		enum way way = before(s, slot);
		swapped = atomic_compare_exchange_strong(slot_at(s, slot), &current, value);
		after(s, slot, way);
	}
	*expected = current;
	return swapped;
}

/* Beginning and end ------------------------------------------------------------------------------------- */

void il_slots_init(struct il_slots *s)
{
	if (!s->lost)
		s->lost = &never;
	if (!s->marks)
		s->marks = (uint32_t *)&none_marked;
	if (!s->mark_words)
		s->mark_words = 1;
	s->waiters.fits = il_wants_fit;
	il_list_init(&s->ops);
	il_poller_init(&s->poller, poll, arm);
	il_futex_init(&s->word, changed);
	il_recheck_init(&s->later, poll_later);
}

void il_slots_fini(struct il_slots *s)
{
	il_poller_del(&s->poller);
	il_futex_unwatch(&s->word);
	il_recheck_stop(&s->later);
	il_waiters_quit(&s->waiters);
}

void il_slots_handle_init(struct il_slots_handle *h, struct il_slots *s, const struct il_memory_ops *ops)
{
	h->slots = s;
	h->memory = (struct il_memory){ .ops = ops, .slots = s->at, .count = s->count, .lost = s->lost };
}
