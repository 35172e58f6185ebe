/* SPDX-License-Identifier: MIT
 *
 * Slots, see slots.h. A wait and a change must not miss each other, though a change takes no lock:
 *
 *   a wait       with the latch: sets the slot's bit of `parked`, notes `changes`; then looks at the slot, then sleeps
 *   a change     no bit: changes the slot, then looks for the bit once more: if it is set now, wakes
 *                the bit: with the latch, counts `changes` up, wakes, clears all bits, and then changes the slot
 *
 * In the first case one of the two sees what the other wrote, for all four accesses are sequentially consistent. In the
 * second, a process that is woken needs the latch before it can sleep again, so a process that is killed anywhere has
 * changed nothing, or woken those that wait. What remains is one that is killed right after its change, while another
 * one began to wait right before it: the next change of the slot wakes that one.
 * Floor 2.
 */
#include "engines/slots.h"
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

static const uint32_t none_parked;
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

/* Slots that are 32 apart have the same one. */
static uint32_t bit_of(size_t slot)
{
	return (uint32_t)1 << slot % 32;
}

/* A child may be in another pid namespace than its parent was. */
static int check(const struct il_slots *s)
{
	return *s->lost ? EUCLEAN : *s->space != il_identity_space() ? EXDEV : 0;
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

/* EAGAIN: the latch cannot be had now. */
static int mark(struct il_slots *s)
{
	uint32_t bits = 0;
	for (struct il_list *l = s->ops.next; l != &s->ops; l = l->next)
		bits |= bit_of(op_at(l)->memory.slot);
	int err = enter_soon(s);
	if (err)
		return err;
	il_recheck_stop(&s->later);
	atomic_store((_Atomic uint32_t *)s->parked, il_get(s->parked) | bits);
	s->seen = il_get(s->changes);
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
		il_futex_watch(&s->word, s->changes, s->seen);
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

void il_slots_change(struct il_slots *s)
{
	il_put(s->changes, il_get(s->changes) + 1);
	if (!il_get(s->parked))
		return;
	il_futex_wake(s->changes);
	il_put(s->parked, 0);
}

static bool is_waited_for(const struct il_slots *s, size_t slot)
{
	return atomic_load((_Atomic uint32_t *)s->parked) & bit_of(slot);
}

/* If the latch's owner stands still, only the first change waits for it, some milliseconds. */
static enum way announce(struct il_slots *s)
{
	if (s->still && s->still == il_get(s->latch))
		return LATELY;
	int err = enter_soon(s);
	s->still = err ? il_get(s->latch) : 0;
	if (err)
		return LATELY;
	il_slots_change(s);
	return LATCHED;
}

static enum way before(struct il_slots *s, size_t slot)
{
	return is_waited_for(s, slot) ? announce(s) : QUIETLY;
}

/* A process that was stopped inside does not keep others from writing. */
static void conclude(struct il_slots *s, enum way way)
{
	if (way == QUIETLY)
		way = announce(s);
	if (way == LATCHED) {
		il_slots_leave(s);
	} else {
		atomic_fetch_add((_Atomic uint32_t *)s->changes, 1);
		il_futex_wake(s->changes);
	}
	il_slots_poll(s);
}

static void after(struct il_slots *s, size_t slot, enum way way)
{
	if (way != QUIETLY || is_waited_for(s, slot))
		conclude(s, way);
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
	if (!s->parked)
		s->parked = (uint32_t *)&none_parked;
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
}

void il_slots_handle_init(struct il_slots_handle *h, struct il_slots *s, const struct il_memory_ops *ops)
{
	h->slots = s;
	h->memory = (struct il_memory){ .ops = ops, .slots = s->at, .count = s->count, .lost = s->lost };
}
