/* SPDX-License-Identifier: MIT
 *
 * Queues in shared memory: messages in blocks (blocks.h), two lines of waiters. A message is copied in before it is
 * committed, and out before it is taken away: a process that dies in between has sent nothing, or received nothing.
 * Senders have the segment's latch, receivers a second one (second.h), and each side has cache lines of its own. Both
 * latches are taken by operations that wait, and by those for which others sleep.
 *
 * Receiving processes that sleep are in a table (engines/waiters.h), and a message calls one that wants it. A process
 * whose operations want different types is not in the table, nor are senders: any change of theirs wakes them. Floor 2.
 */
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/shm/blocks.h"
#include "engines/shm/blocks_recover.h"
#include "engines/shm/calls.h"
#include "engines/shm/order.h"
#include "engines/shm/second.h"
#include "engines/shm/wait.h"
#include "engines/waiters.h"
#include "engines/shm/shm.h"
#include "engines/shm/watches.h"
#include "engines/waiters.h"
#include "os/latch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RECEIVERS = 1, SENDERS = 2, MOST_WAITERS = 64, MOST_LOOKED_AT = 64, DEFAULT_CAPACITY = 1 << 20, LINE = 64 };

static const uint64_t LARGEST_CAPACITY = INT32_MAX; /* an extent's length has 29 bits, in blocks */

/* The capacity keeps the other two apart: some processors fetch lines in pairs. Then come the order and the blocks. */
struct shared {
	struct il_head head;
	_Alignas(LINE) struct il_shm_sending sending;
	_Alignas(LINE) uint64_t capacity; /* bytes of messages */
	_Alignas(LINE) struct il_shm_second second;
	struct il_shm_receiving receiving;
	_Alignas(LINE) struct il_waiters_head waiting; /* changed with the segment's latch */
	struct il_waiter waiters[MOST_WAITERS];
};

_Static_assert(offsetof(struct shared, waiting) - offsetof(struct shared, second) == LINE, "one line");
_Static_assert(offsetof(struct shared, capacity) - offsetof(struct shared, sending) == LINE, "one line");

/* The process's own part. */
struct object {
	struct il_segment segment;
	struct il_wait_queue receivers, senders;
	struct il_second second; /* the receivers' latch */
	struct il_waiters waiters; /* receivers */
	struct il_shm_calls calls;
	struct il_shm_watches watches; /* of the process before this one, while an operation waits here */
	int64_t wanted; /* by all operations that receive, as it was written down last */
	bool doubt; /* a process that is watched has ended, or may have */
	struct il_blocks blocks;
	struct il_order_seen seen;
	uint64_t capacity; /* as it was when it was mapped; 0: not sound */
	bool serving;
};

struct queue {
	struct il_queue queue;
	struct object *object;
};

/* Where the bytes of a message begin in a block, and those of a string in Lua, counted from a multiple of 16: copying
 * is half as fast again if both begin alike. */
enum { ALIKE = 8 };

/* The message that was received last without a wait, from ALIKE on. */
static struct {
	char *text;
	size_t room;
	int users; /* handles */
} buffer;

static struct shared *shared(const struct object *o)
{
	return (struct shared *)(void *)o->segment.head;
}

static struct object *object_of(struct il_segment *s)
{
	return il_container_of(s, struct object, segment);
}

static struct object *of_op(const struct il_op *op)
{
	return il_container_of((struct il_queue *)op->source, struct queue, queue)->object;
}

static int reserve(size_t size)
{
	if (buffer.text && buffer.room >= size)
		return 0;
	char *text = realloc(buffer.text, ALIKE + size);
	if (!text)
		return ENOMEM;
	buffer.text = text;
	buffer.room = size;
	return 0;
}

/* Lines ------------------------------------------------------------------------------------------------- */

/* Bytes that there is room for; what receivers have taken meanwhile is looked up if these are too few. */
static int check_room(struct object *o, size_t size)
{
	struct il_shm_sending *s = &shared(o)->sending;
	if (size > o->capacity)
		return EMSGSIZE;
	if (s->bytes - s->bytes_seen > o->capacity - size)
		s->bytes_seen = il_get64(&shared(o)->receiving.bytes);
	uint64_t bytes = s->bytes - s->bytes_seen;
	return bytes <= o->capacity - size ? 0 : bytes <= o->capacity ? EAGAIN : EUCLEAN;
}

static int write_message(struct object *o, struct il_op *op, uint32_t *block)
{
	int err = check_room(o, op->size);
	return err ? err : il_blocks_write(&o->blocks, op->message.type, op->data, op->size, block);
}

/* There is no room, but that may be for what only both latches can mend. True: try again. */
static bool mend(struct object *o, int err, bool both)
{
	if (err != ENOBUFS && !(err == EAGAIN && il_second_is_orphaned(&o->second)))
		return false;
	if (!both && il_second_join(&o->second, true))
		return false;
	bool mended = err == EAGAIN || !il_order_pack(&o->blocks);
	if (!both)
		il_second_part(&o->second);
	return mended;
}

/* Before a message of a type is there, or where there is one: a process is to be on its way. When that has taken one
 * message it calls the next process for the others (pass_on): so a burst that one process takes does not wake all.
 * Where there are more than it would look at, as many are called as there are messages. */
static void call_receivers(struct object *o, int64_t type)
{
	uint64_t messages = shared(o)->sending.sent - il_get64(&shared(o)->receiving.received) + 1;
	uint32_t most = messages < MOST_WAITERS ? (uint32_t)messages : MOST_WAITERS;
	il_waiters_call(&o->waiters, (uint64_t)type, messages <= MOST_LOOKED_AT ? 1 : most);
	if (il_get(&shared(o)->waiting.used) > 1) /* else there is no other one to call, should that one not come */
		il_shm_calls_note(&o->calls);
	o->waiters.called = false;
}

/* With the segment's latch, or both. */
static int send_message(struct object *o, struct il_op *op, bool both)
{
	uint32_t block;
	int err = write_message(o, op, &block);
	if (err && mend(o, err, both))
		err = write_message(o, op, &block);
	if (err)
		return err == ENOBUFS ? EUCLEAN : err;
	il_segment_change(&o->segment, RECEIVERS);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		call_receivers(o, op->message.type);
	il_blocks_commit(&o->blocks, block);
	il_wait_queue_note_change(&o->receivers, (uint64_t)op->message.type);
	return 0;
}

/* An operation that waits is looked at later, and gets bytes of its own; others find them in the buffer. */
static int copy_out(struct object *o, const struct il_message *m, struct il_op *op, bool own)
{
	own = own && m->size;
	if (!own && reserve(m->size))
		return ENOMEM;
	char *text = own ? malloc(m->size) : buffer.text + ALIKE;
	int err = text ? il_blocks_read(&o->blocks, m, text) : ENOMEM;
	if (err) {
		if (own)
			free(text);
		return err;
	}
	op->message.type = m->type;
	op->data = text;
	op->size = m->size;
	op->owned = own;
	return 0;
}

/* With both latches, before room is made for which others sleep: see il_segment_change. They sleep on a word of the
 * second part, and are moved to the segment's latch: of that the kernel tells if this process dies. */
static void tell_senders(struct object *o)
{
	struct il_head *head = o->segment.head;
	struct il_shm_second *second = o->second.shared;
	il_put(&head->parked, il_get(&head->parked) | SENDERS);
	il_segment_change(&o->segment, SENDERS);
	il_latch_gather(&head->latch, &second->changes);
	il_put(&second->parked, 0);
}

/* With the receivers' latch; with both, if senders sleep. */
static int receive_message(struct object *o, struct il_op *op, bool own)
{
	struct il_shm_second *second = o->second.shared;
	struct il_message m;
	int err = il_order_find(&o->blocks, &o->seen, op->message.type, &m);
	if (!err)
		err = copy_out(o, &m, op, own);
	if (err)
		return err;
	il_put(&second->changes, second->changes + 1);
	if (il_get(&second->parked))
		tell_senders(o);
	il_blocks_take(&o->blocks, &m);
	return 0;
}

static int enter_both(struct object *o, bool soon)
{
	int err = soon ? il_segment_enter_soon(&o->segment) : il_segment_enter(&o->segment);
	if (err)
		return err;
	err = il_second_join(&o->second, soon);
	if (err)
		il_segment_leave(&o->segment);
	return err;
}

static void leave_both(struct object *o)
{
	il_second_part(&o->second);
	il_segment_leave(&o->segment);
}

static int line_enter(struct il_wait_queue *waits)
{
	return enter_both(object_of(waits->object), true);
}

static void line_leave(struct il_wait_queue *waits)
{
	leave_both(object_of(waits->object));
}

static int send_attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	(void)waiting;
	return send_message(object_of(waits->object), op, true);
}

static int receive_attempt(struct il_wait_queue *waits, struct il_op *op, bool waiting)
{
	struct object *o = object_of(waits->object);
	if (o->doubt)
		il_waiters_remove_dead(&o->waiters);
	o->doubt = false;
	return receive_message(o, op, waiting);
}

/* For il_waiters.fits: whether a message of a type is for a process that wants this. Not more than 0 is no type, but
 * what a process wants that was called and does not come: there may be such a message. */
static bool is_wanted(uint64_t wants, uint64_t type)
{
	int64_t wanted = (int64_t)wants;
	return wanted == 0 || (int64_t)type <= 0 || (wanted > 0 ? wants == type : type <= -wants);
}

/* This process was called, and has come: what it has not taken, or cannot take, is for others. */
static void pass_on(struct object *o)
{
	const struct il_shm_receiving *r = &shared(o)->receiving;
	int64_t type, last = 0;
	for (uint32_t i = 0; i < MOST_LOOKED_AT && r->first + i < r->sent_seen; i++) {
		if (!il_order_type(&o->blocks, r->first + i, &type) || type == last)
			continue;
		call_receivers(o, type);
		last = type;
	}
}

/* True: all operations want the same. A process that was called for a message must be able to take it. */
static bool want_the_same(const struct il_wait_queue *waits)
{
	const struct il_op *first = il_container_of(waits->ops.next, struct il_op, link);
	int n = 0;
	for (const struct il_list *l = waits->ops.next; l != &waits->ops; l = l->next)
		if (il_container_of(l, struct il_op, link)->message.type != first->message.type || ++n > MOST_LOOKED_AT)
			return false;
	return true;
}

static uint32_t *receive_note(struct il_wait_queue *waits, bool was_served, bool park, uint32_t *expected)
{
	struct object *o = object_of(waits->object);
	uint32_t *word = NULL;
	bool joined = il_waiters_joined(&o->waiters), any = !il_list_empty(&waits->ops);
	o->calls.leaves = false;
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
	struct object *o = object_of(waits->object);
	const struct il_waiters *w = &o->waiters;
	il_shm_watches_begin(&o->watches);
	bool ended = w->joined && w->before && il_shm_watches_add(&o->watches, w->before, w->before_start);
	int err = il_shm_watches_end(&o->watches);
	o->doubt |= ended;
	return err ? err : ended ? EAGAIN : 0;
}

static void receive_unpark(struct il_wait_queue *waits)
{
	struct object *o = object_of(waits->object);
	il_shm_watches_idle(&o->watches);
	il_shm_calls_leave(&o->calls);
}

static void look_again(struct il_shm_watches *w)
{
	struct object *o = il_container_of(w, struct object, watches);
	o->doubt = true;
	il_wait_queue_restart(&o->receivers);
}

static void look_after_call(struct il_shm_calls *c)
{
	il_wait_queue_restart(&il_container_of(c, struct object, calls)->receivers);
}

/* A message for a receive of this process, room for a send; and one may make the other possible again. */
static void served(struct il_wait_queue *waits)
{
	struct object *o = object_of(waits->object);
	if (o->serving || (il_list_empty(&o->receivers.ops) && il_list_empty(&o->senders.ops)))
		return;
	o->serving = true;
	while (il_wait_queue_retry(&o->receivers) || il_wait_queue_retry(&o->senders))
		;
	o->serving = false;
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

static const struct il_wait_queue_type receive_waits = {
	.parked = RECEIVERS,
	.key = receive_key,
	.wild = receives_several,
	.alike = true,
	.enter = line_enter,
	.leave = line_leave,
	.attempt = receive_attempt,
	.note = receive_note,
	.park = receive_park,
	.unpark = receive_unpark,
	.served = served,
};

static const struct il_wait_queue_type send_waits = {
	.parked = SENDERS,
	.strict = true,
	.enter = line_enter,
	.leave = line_leave,
	.attempt = send_attempt,
	.served = served,
};

/* Segments ---------------------------------------------------------------------------------------------- */

/* The blocks of a queue come last; 0: so large is none. */
static uint32_t blocks_in(size_t capacity)
{
	return capacity && capacity <= LARGEST_CAPACITY ? il_blocks_for(capacity) : 0;
}

static size_t size_of(size_t capacity)
{
	uint32_t count = blocks_in(capacity);
	return sizeof(struct shared) + il_blocks_places(count) * sizeof(uint32_t) + (size_t)count * IL_BLOCK;
}

static struct il_blocks blocks_of(struct il_head *head, size_t capacity)
{
	struct shared *s = (struct shared *)(void *)head;
	uint32_t count = blocks_in(capacity), places = il_blocks_places(count);
	return (struct il_blocks){
		.sending = &s->sending,
		.receiving = &s->receiving,
		.order = (uint32_t *)(void *)(s + 1),
		.blocks = (char *)(s + 1) + places * sizeof(uint32_t),
		.places = places,
		.count = count,
	};
}

static void init(struct il_head *head, void *options)
{
	size_t capacity = ((struct il_queue_options *)options)->capacity;
	struct il_blocks blocks = blocks_of(head, capacity);
	((struct shared *)(void *)head)->capacity = capacity;
	il_blocks_init(&blocks);
}

static int check(struct il_segment *s, void *options)
{
	struct il_queue_options *o = options;
	o->found = object_of(s)->capacity;
	return !o->found ? EUCLEAN : o->given && o->found != o->capacity ? EEXIST : 0;
}

static struct il_segment *new (void)
{
	struct object *o = calloc(1, sizeof *o);
	return o ? &o->segment : NULL;
}

static int recover(struct il_segment *s)
{
	return il_second_recover(&object_of(s)->second);
}

/* With both latches. */
static int repair(struct il_segment *s)
{
	il_waiters_recover(&object_of(s)->waiters);
	return il_blocks_recover(&object_of(s)->blocks);
}

/* The senders that sleep wake with the others, see tell_senders. */
static void wake_all(struct il_segment *s)
{
	struct il_shm_second *second = object_of(s)->second.shared;
	il_put(&second->changes, il_get(&second->changes) + 1);
	il_latch_gather(&s->head->latch, &second->changes);
	il_waiters_wake_all(&object_of(s)->waiters);
	il_put(&second->removed, 1);
}

static void mapped(struct il_segment *s)
{
	struct object *o = object_of(s);
	uint64_t capacity = s->size < sizeof(struct shared) ? 0 : shared(o)->capacity;
	o->capacity = capacity <= LARGEST_CAPACITY && size_of(capacity) == s->size ? capacity : 0;
	o->blocks = blocks_of(s->head, o->capacity);
	o->second = (struct il_second){ .segment = s, .shared = &shared(o)->second, .repair = repair };
	o->waiters = (struct il_waiters){
		.head = &shared(o)->waiting,
		.at = shared(o)->waiters,
		.count = o->capacity ? MOST_WAITERS : 0,
		.latch = &s->head->latch,
		.parked = &s->head->parked,
		.bit = IL_LISTED,
		.fits = is_wanted,
		.ordered = true,
	};
	il_shm_calls_init(&o->calls, s, &o->waiters, look_after_call);
	il_shm_watches_init(&o->watches, look_again);
	il_shm_wait_init(&o->receivers, &receive_waits, s);
	il_shm_wait_init(&o->senders, &send_waits, s);
	o->senders.changes = &o->second.shared->changes;
	o->senders.parked = &o->second.shared->parked;
}

static void unmapped(struct il_segment *s)
{
	struct object *o = object_of(s);
	o->waiters.joined = false;
	il_wait_queue_fini(&o->receivers);
	il_wait_queue_fini(&o->senders);
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

/* An attempt that was in vain is made again by the first poll: what has changed since is not known. */
static bool attempted(struct il_wait_queue *waits, struct il_op *op, int err)
{
	op->err = err;
	if (err == EAGAIN && il_list_empty(&waits->ops))
		waits->seen = il_get(waits->changes) - 1;
	if (err == 0)
		served(waits);
	return err != EAGAIN;
}

/* Senders sleep: they are told with both latches. */
static int __attribute__((noinline)) receive_with_both(struct object *o, struct il_op *op)
{
	int err = enter_both(o, !op->once);
	if (err)
		return err;
	err = receive_message(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	leave_both(o);
	return err;
}

static int receive_alone(struct object *o, struct il_op *op)
{
	int err = op->once ? il_second_enter(&o->second) : il_second_enter_soon(&o->second);
	if (err)
		return err;
	bool alone = !il_get(&o->second.shared->parked);
	if (alone)
		err = receive_message(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	il_second_leave(&o->second);
	return alone ? err : receive_with_both(o, op);
}

static bool receive_op_attempt(struct il_op *op)
{
	struct object *o = of_op(op);
	struct il_wait_queue *waits = &o->receivers;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	return attempted(waits, op, receive_alone(o, op));
}

static int receive_op_start(struct il_op *op)
{
	struct object *o = of_op(op);
	il_wait_queue_start(&o->receivers, op);
	if (op->message.type != o->wanted) /* what is written down of this process is wrong */
		il_poller_add(&o->receivers.poller);
	return 0;
}

static bool receive_op_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&of_op(op)->receivers, op);
	return false;
}

static int send_alone(struct object *o, struct il_op *op)
{
	int err = op->once ? il_segment_enter(&o->segment) : il_segment_enter_soon(&o->segment);
	if (err)
		return err;
	err = send_message(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	il_segment_leave(&o->segment);
	return err;
}

static bool send_op_attempt(struct il_op *op)
{
	struct object *o = of_op(op);
	struct il_wait_queue *waits = &o->senders;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	if (!il_list_empty(&waits->ops)) /* none is served before the first */
		return false;
	return attempted(waits, op, send_alone(o, op));
}

static int send_op_start(struct il_op *op)
{
	il_wait_queue_start(&of_op(op)->senders, op);
	return 0;
}

static bool send_op_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&of_op(op)->senders, op);
	return false;
}

static int peek(struct object *o, struct il_op *op)
{
	struct il_message m;
	int err = il_second_enter(&o->second);
	if (err)
		return err;
	err = il_order_find(&o->blocks, &o->seen, op->message.type, &m);
	if (!err)
		err = copy_out(o, &m, op, false);
	il_second_leave(&o->second);
	return err == EAGAIN ? ENOMSG : err;
}

static bool peek_attempt(struct il_op *op)
{
	op->err = peek(of_op(op), op);
	return true;
}

static int stat_queue(struct object *o, struct il_queue_stat *stat)
{
	const struct il_shm_sending *s = &shared(o)->sending;
	const struct il_shm_receiving *r = &shared(o)->receiving;
	int err = enter_both(o, false);
	if (err)
		return err;
	*stat = (struct il_queue_stat){
		.messages = (int64_t)(s->sent - r->received),
		.bytes = (int64_t)(s->bytes - r->bytes),
		.capacity = (int64_t)o->capacity,
		.senders = il_wait_queue_count(&o->senders),
		.receivers = il_wait_queue_count(&o->receivers),
		.last_sender = (pid_t)s->last_sender,
		.last_receiver = (pid_t)r->last_receiver,
	};
	leave_both(o);
	return 0;
}

static bool stat_attempt(struct il_op *op)
{
	op->err = stat_queue(of_op(op), &((struct il_queue *)op->source)->stat);
	return true;
}

static bool remove_attempt(struct il_op *op)
{
	struct object *o = of_op(op);
	op->err = il_segment_remove(&o->segment);
	il_wait_queue_retry(&o->receivers);
	il_wait_queue_retry(&o->senders);
	return true;
}

static void close_queue(struct il_queue *q)
{
	struct queue *handle = il_container_of(q, struct queue, queue);
	il_wait_queue_close(&handle->object->receivers, q);
	il_wait_queue_close(&handle->object->senders, q);
	il_segment_drop(&handle->object->segment);
	free(handle);
	if (--buffer.users)
		return;
	free(buffer.text);
	buffer.text = NULL;
	buffer.room = 0;
}

static const struct il_queue_ops ops = {
	.send = { "queue send", send_op_attempt, send_op_start, send_op_cancel },
	.receive = { "queue receive", receive_op_attempt, receive_op_start, receive_op_cancel },
	.peek = { "queue peek", peek_attempt, NULL, NULL },
	.stat = { "queue stat", stat_attempt, NULL, NULL },
	.remove = { "queue remove", remove_attempt, NULL, NULL },
	.close = close_queue,
};

int il_shm_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q)
{
	struct queue *handle = calloc(1, sizeof *handle);
	struct il_segment *s;
	if (!handle)
		return ENOMEM;
	o->given = o->capacity != 0;
	if (!o->given)
		o->capacity = DEFAULT_CAPACITY;
	int err = il_segment_open(key, &type, size_of(o->capacity), o->mode, o, &s);
	if (err) {
		free(handle);
		return err;
	}
	buffer.users++;
	handle->queue.ops = &ops;
	handle->queue.max_message = object_of(s)->capacity;
	handle->queue.max_reason = "the queue's capacity";
	handle->object = object_of(s);
	*q = &handle->queue;
	return 0;
}
