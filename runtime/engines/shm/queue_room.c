/* SPDX-License-Identifier: MIT
 *
 * Waiting for room, see queue_room.h. The table is changed with the segment's latch; that one of it is to be called
 * is said beside the second latch, to those that make room. Floor 2.
 */
#include "engines/shm/queue_room.h"
#include "engines/waiters_call.h"
#include "os/latch.h"

static bool fits(uint64_t wants, uint64_t offer)
{
	return wants <= offer;
}

static uint64_t room_left(const struct il_shm_queue *o)
{
	uint64_t used = o->blocks.sending->bytes - o->blocks.receiving->bytes;
	return used < o->capacity ? o->capacity - used : 0;
}

/* With the segment's latch. Is there a process in the table that room has to call? */
static void set_listed(struct il_shm_queue *o, bool listed)
{
	uint32_t *parked = &o->second.shared->parked;
	il_put(parked, (il_get(parked) & ~(uint32_t)IL_LISTED) | (listed ? IL_LISTED : 0));
}

/* Before there is room, or where there is some. A process that was called sees all room that is made until it comes,
 * and passes on what it leaves. So there is none to call until then, unless another one comes to wait: those that make
 * room need the second latch alone. */
static void call(struct il_shm_queue *o, uint64_t offer)
{
	il_waiters_call(&o->room, offer, 1);
	if (o->room.called)
		set_listed(o, false);
	if (il_get(&o->room.head->used) > 1)
		il_shm_calls_note(&o->room_calls);
	o->room.called = false;
}

/* With both latches, before room is made for which others sleep: see il_segment_change. Those that are not in the table
 * sleep on a word of the second part, and are moved to the segment's latch: of that the kernel tells if this process
 * dies. */
static void wake_unlisted(struct il_shm_queue *o)
{
	struct il_head *head = o->segment.head;
	struct il_shm_second *second = o->second.shared;
	il_put(&head->parked, il_get(&head->parked) | IL_SHM_SENDERS);
	il_segment_change(&o->segment, IL_SHM_SENDERS);
	il_latch_gather(&head->latch, &second->changes);
	il_put(&second->parked, il_get(&second->parked) & IL_LISTED);
}

void il_shm_queue_make_room(struct il_shm_queue *o)
{
	struct il_shm_second *second = o->second.shared;
	il_put(&second->changes, second->changes + 1);
	uint32_t parked = il_get(&second->parked);
	if (parked & IL_SHM_SENDERS)
		wake_unlisted(o);
	if (parked & IL_LISTED)
		call(o, UINT64_MAX);
}

int il_shm_queue_room_enter(struct il_wait_queue *waits)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	int err = il_shm_queue_enter_waits(waits);
	if (err)
		return err;
	if (o->room_doubt)
		il_shm_calls_remove_dead(&o->room_calls);
	o->room_doubt = false;
	return 0;
}

/* This process was called, and has come: others may have what is left. Where it could not send itself, only those may
 * that need less, so that no two call each other for ever. */
static void pass_on(struct il_shm_queue *o, uint64_t needed, bool unserved)
{
	uint64_t left = room_left(o);
	if (unserved && !needed)
		return;
	call(o, unserved && left >= needed ? needed - 1 : left);
}

uint32_t *il_shm_queue_room_note(struct il_shm_queue *o, uint64_t needed, bool served, bool park, uint32_t *expected)
{
	uint32_t *word = NULL;
	bool joined = il_waiters_joined(&o->room), any = !il_list_empty(&o->senders.ops);
	o->room_calls.leaves = false;
	if (any && (park || joined))
		word = il_waiters_join(&o->room, needed, served, expected);
	else if (joined)
		il_waiters_leave(&o->room, served);
	set_listed(o, il_get(&o->room.head->used) != 0);
	if (joined)
		pass_on(o, needed, any && !served);
	il_shm_calls_note(&o->room_calls);
	return word;
}

int il_shm_queue_room_park(struct il_wait_queue *waits)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	bool ended = false;
	il_shm_watches_begin(&o->room_watches);
	if (o->room.joined)
		ended = il_shm_watches_add_waiters(&o->room_watches, &o->room);
	int err = il_shm_watches_end(&o->room_watches);
	o->room_doubt |= ended;
	return err ? err : ended ? EAGAIN : 0;
}

void il_shm_queue_room_unpark(struct il_wait_queue *waits)
{
	struct il_shm_queue *o = il_shm_queue_of(waits->object);
	il_shm_watches_idle(&o->room_watches);
	il_shm_calls_leave(&o->room_calls);
}

static void retry(struct il_shm_watches *w)
{
	struct il_shm_queue *o = il_container_of(w, struct il_shm_queue, room_watches);
	o->room_doubt = true;
	il_wait_queue_restart(&o->senders);
}

static void retry_after_call(struct il_shm_calls *c)
{
	il_wait_queue_restart(&il_container_of(c, struct il_shm_queue, room_calls)->senders);
}

void il_shm_queue_room_init(struct il_shm_queue *o)
{
	struct il_shm_queue_shared *s = il_shm_queue_shared(o);
	o->room = (struct il_waiters){
		.head = &s->room_head,
		.at = s->room,
		.count = o->capacity ? IL_SHM_MOST_WAITERS : 0,
		.latch = &s->head.latch,
		.parked = &s->second.parked,
		.bit = IL_LISTED,
		.fits = fits,
		.ordered = true,
		.passes_to_any = true,
		.lookouts = &s->room_lookouts,
	};
	il_shm_calls_init(&o->room_calls, &o->segment, &o->room, retry_after_call);
	il_shm_watches_init(&o->room_watches, retry);
}

void il_shm_queue_room_fini(struct il_shm_queue *o)
{
	il_shm_watches_fini(&o->room_watches);
	il_shm_calls_fini(&o->room_calls);
}
