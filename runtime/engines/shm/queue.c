/* SPDX-License-Identifier: MIT
 *
 * Queues in shared memory: messages in blocks (blocks.h), two lines of waiters. A message is copied in before it is
 * committed, and out before it is taken away: a process that dies in between has sent nothing, or received nothing.
 * Floor 2.
 */
#include "base/fork.h"
#include "engines/shm/blocks.h"
#include "engines/shm/blocks_recover.h"
#include "engines/shm/wait.h"
#include "engines/shm/shm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RECEIVERS = 1, SENDERS = 2, DEFAULT_CAPACITY = 1 << 20, LINE = 64 };

static const uint64_t LARGEST_CAPACITY = INT32_MAX; /* an extent's length has 29 bits, in blocks */

/* What every message changes is one cache line: sender and receiver take it from each other each time. */
struct shared {
	struct il_head head;
	_Alignas(LINE) uint64_t capacity; /* bytes of messages */
	uint32_t last_sender, last_receiver;
	struct il_shm_blocks blocks;
};

_Static_assert(sizeof(struct shared) - offsetof(struct shared, capacity) == LINE, "one line");

enum { BLOCKS_AT = (sizeof(struct shared) + IL_BLOCK - 1) / IL_BLOCK * IL_BLOCK };

/* The process's own part. */
struct object {
	struct il_segment segment;
	struct il_wait_queue receivers, senders;
	struct il_blocks blocks;
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

static int send_attempt(struct il_wait_queue *line, struct il_op *op, bool waiting)
{
	struct object *o = object_of(line->object);
	uint32_t block;
	(void)waiting;
	uint64_t bytes = shared(o)->blocks.bytes;
	if (op->size > o->capacity)
		return EMSGSIZE;
	if (bytes > o->capacity)
		return EUCLEAN;
	if (op->size > o->capacity - bytes)
		return EAGAIN;
	int err = il_blocks_write(&o->blocks, op->message.type, op->data, op->size, &block);
	if (err)
		return err;
	il_segment_change(&o->segment, RECEIVERS);
	shared(o)->last_sender = (uint32_t)il_fork.pid;
	il_blocks_commit(&o->blocks, block);
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

static int receive_attempt(struct il_wait_queue *line, struct il_op *op, bool waiting)
{
	struct object *o = object_of(line->object);
	struct il_message m;
	int err = il_blocks_find(&o->blocks, op->message.type, &m);
	if (!err)
		err = copy_out(o, &m, op, waiting);
	if (err)
		return err;
	il_segment_change(&o->segment, SENDERS);
	shared(o)->last_receiver = (uint32_t)il_fork.pid;
	return il_blocks_take(&o->blocks, &m);
}

/* A message for a receive of this process, room for a send; and one may make the other possible again. */
static void served(struct il_wait_queue *line)
{
	struct object *o = object_of(line->object);
	if (o->serving || (il_list_empty(&o->receivers.ops) && il_list_empty(&o->senders.ops)))
		return;
	o->serving = true;
	while (il_wait_queue_look(&o->receivers) || il_wait_queue_look(&o->senders))
		;
	o->serving = false;
}

static const struct il_wait_queue_type receive_line = {
	.parked = RECEIVERS,
	.alike = true,
	.enter = il_shm_wait_enter,
	.leave = il_shm_wait_leave,
	.attempt = receive_attempt,
	.served = served,
};

static const struct il_wait_queue_type send_line = {
	.parked = SENDERS,
	.strict = true,
	.enter = il_shm_wait_enter,
	.leave = il_shm_wait_leave,
	.attempt = send_attempt,
	.served = served,
};

/* Segments ---------------------------------------------------------------------------------------------- */

static size_t size_of(size_t capacity)
{
	return BLOCKS_AT + (size_t)il_blocks_for(capacity) * IL_BLOCK;
}

static struct il_blocks blocks_of(struct il_head *head, size_t size)
{
	return (struct il_blocks){
		.shared = &((struct shared *)(void *)head)->blocks,
		.blocks = (char *)head + BLOCKS_AT,
		.count = (uint32_t)((size - BLOCKS_AT) / IL_BLOCK),
	};
}

static void init(struct il_head *head, void *options)
{
	struct il_blocks blocks = blocks_of(head, head->size);
	((struct shared *)(void *)head)->capacity = ((struct il_queue_options *)options)->capacity;
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

static void mapped(struct il_segment *s)
{
	struct object *o = object_of(s);
	uint64_t capacity = s->size < BLOCKS_AT ? 0 : shared(o)->capacity;
	o->capacity = capacity <= LARGEST_CAPACITY && size_of(capacity) == s->size ? capacity : 0;
	o->blocks = blocks_of(s->head, s->size);
	il_shm_wait_init(&o->receivers, &receive_line, s);
	il_shm_wait_init(&o->senders, &send_line, s);
}

static void unmapped(struct il_segment *s)
{
	il_wait_queue_fini(&object_of(s)->receivers);
	il_wait_queue_fini(&object_of(s)->senders);
}

static int recover(struct il_segment *s)
{
	return il_blocks_recover(&object_of(s)->blocks);
}

static const struct il_segment_type type = {
	.noun = "queue",
	.new = new,
	.init = init,
	.check = check,
	.mapped = mapped,
	.unmapped = unmapped,
	.recover = recover,
};

/* Operations -------------------------------------------------------------------------------------------- */

static bool receive_op_attempt(struct il_op *op)
{
	return il_shm_wait_attempt(&of_op(op)->receivers, op);
}

static int receive_op_start(struct il_op *op)
{
	il_wait_queue_start(&of_op(op)->receivers, op);
	return 0;
}

static bool receive_op_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&of_op(op)->receivers, op);
	return false;
}

static bool send_op_attempt(struct il_op *op)
{
	return il_shm_wait_attempt(&of_op(op)->senders, op);
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
	int err = il_segment_enter(&o->segment);
	if (err)
		return err;
	err = il_blocks_find(&o->blocks, op->message.type, &m);
	if (!err)
		err = copy_out(o, &m, op, false);
	il_segment_leave(&o->segment);
	return err == EAGAIN ? ENOMSG : err;
}

static bool peek_attempt(struct il_op *op)
{
	op->err = peek(of_op(op), op);
	return true;
}

static int stat_queue(struct object *o, struct il_queue_stat *stat)
{
	const struct shared *s = shared(o);
	int err = il_segment_enter(&o->segment);
	if (err)
		return err;
	*stat = (struct il_queue_stat){
		.messages = (int64_t)s->blocks.messages,
		.bytes = (int64_t)s->blocks.bytes,
		.capacity = (int64_t)o->capacity,
		.senders = il_wait_queue_count(&o->senders),
		.receivers = il_wait_queue_count(&o->receivers),
		.last_sender = (pid_t)s->last_sender,
		.last_receiver = (pid_t)s->last_receiver,
	};
	il_segment_leave(&o->segment);
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
	il_wait_queue_look(&o->receivers);
	il_wait_queue_look(&o->senders);
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
