/* SPDX-License-Identifier: MIT
 *
 * Queues in shared memory: messages in blocks (blocks.h), two lines of waiters. A message is copied in before it is
 * committed, and out before it is taken away: a process that dies in between has sent nothing, or received nothing.
 * Senders have the segment's latch, receivers a second one (second.h), and each side has cache lines of its own. Both
 * latches are taken by operations that wait, and by those for which others sleep.
 *
 * Processes that sleep are in two tables (engines/waiters.h): a message calls one that wants it, and room one that
 * waits for it. A process whose operations want different types is not in the table: any message wakes it. Here are the
 * segment and the handles; queue_send.h, queue_room.h and queue_receive.h have the two sides. Floor 2.
 */
#include "engines/shm/blocks_recover.h"
#include "engines/shm/queue_buffer.h"
#include "engines/shm/queue_finish.h"
#include "engines/shm/queue_later.h"
#include "engines/shm/queue_letters.h"
#include "engines/shm/queue_many.h"
#include "engines/shm/queue_receive.h"
#include "engines/shm/queue_room.h"
#include "engines/shm/queue_send.h"
#include "engines/shm/queue_take.h"
#include "engines/shm/queue_tend.h"
#include "engines/shm/shm.h"
#include "engines/shm/wait.h"
#include "engines/waiters_call.h"
#include "os/latch.h"

#include <errno.h>
#include <stdlib.h>

enum { DEFAULT_CAPACITY = 1 << 20 };

static const uint64_t LARGEST_CAPACITY = INT32_MAX; /* an extent's length has 29 bits, in blocks */

/* Segments ---------------------------------------------------------------------------------------------- */

/* The blocks of a queue come last; 0: so large is none. */
static uint32_t blocks_in(size_t capacity)
{
	return capacity && capacity <= LARGEST_CAPACITY ? il_blocks_for(capacity) : 0;
}

/* Where the parts of a segment begin, and where it ends. */
struct parts {
	size_t order, holders, index, ids, blocks, end;
};

static struct parts parts_of(uint32_t count)
{
	struct parts p = { .order = sizeof(struct il_shm_queue_shared) };
	p.holders = p.order + il_blocks_places(count) * sizeof(uint32_t);
	p.index = p.holders + il_blocks_slots(count) * sizeof(struct il_shm_holder);
	p.ids = p.index + count * sizeof(uint32_t);
	p.blocks = p.ids + il_blocks_id_slots(count) * sizeof(uint32_t);
	p.blocks = (p.blocks + IL_BLOCK - 1) / IL_BLOCK * IL_BLOCK;
	p.end = p.blocks + (size_t)count * IL_BLOCK;
	return p;
}

size_t il_shm_queue_size(size_t capacity)
{
	return parts_of(blocks_in(capacity)).end;
}

static struct il_blocks blocks_of(struct il_head *head, size_t capacity)
{
	struct il_shm_queue_shared *s = (struct il_shm_queue_shared *)(void *)head;
	uint32_t count = blocks_in(capacity);
	struct parts p = parts_of(count);
	char *start = (char *)head;
	return (struct il_blocks){
		.sending = &s->sending,
		.receiving = &s->receiving,
		.order = (uint32_t *)(void *)(start + p.order),
		.blocks = start + p.blocks,
		.places = il_blocks_places(count),
		.count = count,
		.jobs = &s->jobs,
		.holders = (struct il_shm_holder *)(void *)(start + p.holders),
		.index = (uint32_t *)(void *)(start + p.index),
		.ids = (uint32_t *)(void *)(start + p.ids),
		.slots = il_blocks_slots(count),
		.id_slots = il_blocks_id_slots(count),
	};
}

static void init(struct il_head *head, void *options)
{
	size_t capacity = ((struct il_queue_options *)options)->capacity;
	struct il_blocks blocks = blocks_of(head, capacity);
	((struct il_shm_queue_shared *)(void *)head)->capacity = capacity;
	il_blocks_init(&blocks);
}

static int check(struct il_segment *s, void *options)
{
	struct il_queue_options *o = options;
	o->found = il_shm_queue_of(s)->capacity;
	return !o->found ? EUCLEAN : o->given && o->found != o->capacity ? EEXIST : 0;
}

static struct il_segment *new (void)
{
	struct il_shm_queue *o = calloc(1, sizeof *o);
	return o ? &o->segment : NULL;
}

static int recover(struct il_segment *s)
{
	return il_second_recover(&il_shm_queue_of(s)->second);
}

/* With both latches. */
static int repair(struct il_segment *s)
{
	il_waiters_recover(&il_shm_queue_of(s)->waiters);
	il_waiters_recover(&il_shm_queue_of(s)->room);
	return il_blocks_recover(&il_shm_queue_of(s)->blocks);
}

/* Senders that sleep on the count wake with the others, see queue_room.c. */
static void wake_all(struct il_segment *s)
{
	struct il_shm_second *second = il_shm_queue_of(s)->second.shared;
	il_put(&second->changes, il_get(&second->changes) + 1);
	il_latch_gather(&s->head->latch, &second->changes);
	il_waiters_wake_all(&il_shm_queue_of(s)->waiters);
	il_waiters_wake_all(&il_shm_queue_of(s)->room);
	il_put(&second->removed, 1);
}

static void mapped(struct il_segment *s)
{
	struct il_shm_queue *o = il_shm_queue_of(s);
	uint64_t capacity = s->size < sizeof(struct il_shm_queue_shared) ? 0 : il_shm_queue_shared(o)->capacity;
	o->capacity = capacity <= LARGEST_CAPACITY && il_shm_queue_size(capacity) == s->size ? capacity : 0;
	o->blocks = blocks_of(s->head, o->capacity);
	o->second = (struct il_second){ .segment = s, .shared = &il_shm_queue_shared(o)->second, .repair = repair };
	o->waiters = (struct il_waiters){
		.head = &il_shm_queue_shared(o)->waiting,
		.at = il_shm_queue_shared(o)->waiters,
		.count = o->capacity ? IL_SHM_MOST_WAITERS : 0,
		.latch = &s->head->latch,
		.parked = &s->head->parked,
		.bit = IL_LISTED,
		.fits = il_shm_queue_is_wanted,
		.ordered = true,
		.last_first = true,
		.lookouts = &il_shm_queue_shared(o)->lookouts,
	};
	il_shm_calls_init(&o->calls, s, &o->waiters, il_shm_queue_retry_after_call);
	il_shm_watches_init(&o->watches, il_shm_queue_retry);
	o->watches.kept = IL_SHM_WATCHED;
	il_shm_queue_room_init(o);
	o->due.expired = il_shm_queue_due;
	il_shm_queue_later_init(&o->later);
	il_shm_wait_init(&o->receivers, &il_shm_queue_receivers, s);
	il_shm_wait_init(&o->senders, &il_shm_queue_senders, s);
	o->senders.changes = &o->second.shared->changes;
	o->senders.parked = &o->second.shared->parked;
}

static void unmapped(struct il_segment *s)
{
	struct il_shm_queue *o = il_shm_queue_of(s);
	o->waiters.joined = o->room.joined = false;
	il_timer_disarm(&o->due);
	il_shm_queue_later_fini(&o->later);
	il_wait_queue_fini(&o->receivers);
	il_wait_queue_fini(&o->senders);
	il_shm_queue_room_fini(o);
	il_shm_watches_fini(&o->watches);
	il_shm_calls_fini(&o->calls);
}

static const struct il_segment_type type = {
	.noun = "queue",
	.new = new,
	.init = init,
	.check = check,
	.mapped = mapped,
	.unmapped = unmapped,
	.recover = recover,
	.wake_all = wake_all,
};

/* Operations -------------------------------------------------------------------------------------------- */

static int stat_queue(struct il_shm_queue *o, struct il_queue *q)
{
	const struct il_shm_sending *s = &il_shm_queue_shared(o)->sending;
	const struct il_shm_receiving *r = &il_shm_queue_shared(o)->receiving;
	const struct il_shm_jobs *j = o->blocks.jobs;
	struct il_message m;
	int err = il_shm_queue_enter_tended(o, q, true, false);
	if (err)
		return err;
	bool any = il_order_find(&o->blocks, &o->seen, 0, &m) == 0;
	q->stat = (struct il_queue_stat){
		.messages = (int64_t)(s->sent - r->received + j->ready),
		.delayed = j->delayed,
		.taken = j->taken,
		.dead = j->letters,
		.oldest = any ? il_record_at(&o->blocks, m.block)->time : 0,
		.bytes = (int64_t)(s->bytes - r->bytes),
		.capacity = (int64_t)o->capacity,
		.senders = il_wait_queue_count(&o->senders),
		.receivers = il_wait_queue_count(&o->receivers),
		.last_sender = (pid_t)s->last_sender,
		.last_receiver = (pid_t)r->last_receiver,
	};
	il_shm_queue_leave(o);
	return 0;
}

static bool stat_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	op->err = stat_queue(o, op->source);
	il_shm_queue_serve(o);
	return true;
}

static bool remove_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	op->err = il_segment_remove(&o->segment);
	il_wait_queue_retry(&o->receivers);
	il_wait_queue_retry(&o->senders);
	return true;
}

static void close_queue(struct il_queue *q)
{
	struct il_shm_queue_handle *handle = il_container_of(q, struct il_shm_queue_handle, queue);
	il_wait_queue_close(&handle->object->receivers, q);
	il_wait_queue_close(&handle->object->senders, q);
	il_shm_queue_close_jobs(handle);
	il_segment_drop(&handle->object->segment);
	free(handle);
	il_shm_queue_buffer_close();
}

static const struct il_queue_ops ops = {
	.send = { "queue send", il_shm_queue_send_attempt, il_shm_queue_send_start, il_shm_queue_send_cancel },
	.receive = { "queue receive", il_shm_queue_receive_attempt, il_shm_queue_receive_start,
		il_shm_queue_receive_cancel },
	.send_many = { "queue send_many", il_shm_queue_send_many_attempt, il_shm_queue_send_start,
		il_shm_queue_send_many_cancel },
	.receive_many = { "queue receive_many", il_shm_queue_receive_many_attempt, il_shm_queue_receive_start,
		il_shm_queue_receive_cancel },
	.peek = { "queue peek", il_shm_queue_peek_attempt, NULL, NULL },
	.take = { "queue take", il_shm_queue_take_attempt, il_shm_queue_take_start, il_shm_queue_receive_cancel },
	.finish = { "queue finish", il_shm_queue_finish_attempt, il_shm_queue_finish_start,
		il_shm_queue_finish_cancel },
	.dead = { "queue dead", il_shm_queue_dead_attempt, NULL, NULL },
	.revive = { "queue revive", il_shm_queue_revive_attempt, NULL, NULL },
	.drop = { "queue drop", il_shm_queue_drop_attempt, NULL, NULL },
	.stat = { "queue stat", stat_attempt, NULL, NULL },
	.remove = { "queue remove", remove_attempt, NULL, NULL },
	.close = close_queue,
};

int il_shm_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q)
{
	struct il_shm_queue_handle *handle = calloc(1, sizeof *handle);
	struct il_segment *s;
	if (!handle)
		return ENOMEM;
	o->given = o->capacity != 0;
	if (!o->given)
		o->capacity = DEFAULT_CAPACITY;
	int err = il_segment_open(key, &type, il_shm_queue_size(o->capacity), o->mode, o, &s);
	if (err) {
		free(handle);
		return err;
	}
	il_shm_queue_buffer_open();
	handle->queue.ops = &ops;
	handle->queue.max_message = il_shm_queue_of(s)->capacity;
	handle->queue.max_reason = "the queue's capacity";
	handle->object = il_shm_queue_of(s);
	*q = &handle->queue;
	return 0;
}
