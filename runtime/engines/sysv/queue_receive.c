/* SPDX-License-Identifier: MIT
 *
 * Receiving from System V queues. A thread that waits for a message does not take it: it offers no room, so the kernel
 * says E2BIG when one comes, and leaves it. The loop's thread takes the message for the operation that is first by
 * then, so a wait that ends early has nothing in its hands. Only an empty message needs no room: the thread takes it,
 * and it is sent again if the wait is over by then. Floor 2.
 */
#include "engines/sysv/queue_receive.h"
#include "base/fork.h"
#include "engines/payloads.h"
#include "engines/sysv/queue.h"
#include "engines/sysv/queue_crowd.h"
#include "engines/sysv/queue_send.h"
#include "engines/sysv/queue_types.h"
#include "engines/sysv/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUFFER = 8192 };

static const size_t LARGEST = 1 << 28; /* a message that a foreign program can have sent */

int il_msg_removed(int err)
{
	return err == EINVAL ? EIDRM : err;
}

struct il_msg *il_msg_new(size_t room)
{
	struct il_msg *m = malloc(sizeof *m + room);
	if (m) {
		il_list_init(&m->node);
		m->room = room;
		m->size = 0;
	}
	return m;
}

int il_msg_enlarge(size_t room)
{
	struct il_msg *m = il_msg_new(room);
	if (!m)
		return ENOMEM;
	free(il_sysv_state()->buffer);
	il_sysv_state()->buffer = m;
	return 0;
}

void il_msg_forget_kept(struct il_msg_object *o)
{
	il_list_drain(struct il_msg, m, &o->kept, node)
		free(m);
	o->generation = il_fork.generation;
}

/* A message that no operation here has got goes back at once, so that another process can have it: behind those that
 * came meanwhile. It is kept only if the queue has become full. */
void il_msg_send_back(struct il_msg_object *o, struct il_msg *m)
{
	if (il_msg_put(o->id, m, IPC_NOWAIT) == EAGAIN)
		il_list_add(&o->kept, &m->node);
	else
		free(m);
}

/* A message that was kept comes into the buffer. */
static bool take_kept(struct il_msg_object *o, int64_t wanted)
{
	il_list_each(struct il_msg, m, &o->kept, node) {
		if (il_msg_asks_for(wanted, m->type)) {
			il_list_del(&m->node);
			free(il_sysv_state()->buffer);
			il_sysv_state()->buffer = m;
			return true;
		}
	}
	return false;
}

/* 0 with the message in the buffer; EAGAIN: there is none; EINTR: a signal came while it waited, which it does without
 * IPC_NOWAIT. A message that does not fit stays, so the buffer grows. */
static int take(struct il_msg_object *o, int64_t wanted, int flags)
{
	int err = 0;
	if (!il_fork_is_own(o->generation))
		il_msg_forget_kept(o);
	if (!il_list_empty(&o->kept) && take_kept(o, wanted))
		return 0;
	for (size_t room = FIRST_BUFFER; !err && !(err = il_msg_reserve(room));
		room = il_sysv_state()->buffer->room * 4) {
		ssize_t n;
		do
			n = msgrcv(o->id, &il_sysv_state()->buffer->type, il_sysv_state()->buffer->room, (long)wanted,
				flags);
		while (n < 0 && errno == EINTR && flags);
		if (n >= 0) {
			il_sysv_state()->buffer->size = (size_t)n;
			return 0;
		}
		if (errno != E2BIG || il_sysv_state()->buffer->room > LARGEST)
			err = errno == ENOMSG ? EAGAIN : il_msg_removed(errno);
	}
	return err;
}

static int take_for(struct il_msg_object *o, struct il_op *op, int flags)
{
	int err = take(o, op->message.type, flags);
	if (!err) {
		op->message.type = il_sysv_state()->buffer->type;
		op->data = il_sysv_state()->buffer->text;
		op->size = il_sysv_state()->buffer->size;
	}
	return err;
}

static bool is_many(const struct il_op *op)
{
	return op->type->attempt == il_msg_receive_many_attempt;
}

/* Puts the message in the buffer behind those that were taken before. 0; ENOMEM: it is sent back. */
static int add(struct il_msg_object *o, struct il_payloads **all, size_t expected)
{
	struct il_msg *m = il_sysv_state()->buffer;
	void *text = il_payloads_add(all, m->type, m->size, expected);
	if (text) {
		memcpy(text, m->text, m->size);
		return 0;
	}
	il_msg_send_back(o, m);
	il_sysv_state()->buffer = NULL;
	return ENOMEM;
}

/* The first one is in the buffer, if there is no error; those behind it are not waited for. */
static int add_many(struct il_msg_object *o, struct il_op *op, int err)
{
	struct il_payloads *all = NULL;
	size_t left = op->message.count;
	for (; !err && !(err = add(o, &all, left)) && --left;)
		err = take(o, op->message.type, IPC_NOWAIT);
	if (!all)
		return err;
	op->data = all;
	op->size = all->size;
	op->owned = true;
	return 0;
}

static int take_many(struct il_msg_object *o, struct il_op *op, int flags)
{
	return add_many(o, op, take(o, op->message.type, flags));
}

/* A task that waits looks at its message later, so it gets a copy. */
static int take_copy(struct il_blocking_queue *waits, struct il_op *op, int flags)
{
	struct il_msg_object *o = il_container_of(waits, struct il_msg_waiters, waits)->object;
	int64_t wanted = op->message.type;
	if (is_many(op))
		return take_many(o, op, flags);
	int err = take_for(o, op, flags);
	if (err || !op->size)
		return err;
	void *copy = malloc(op->size);
	op->data = copy ? memcpy(copy, op->data, op->size) : NULL;
	op->owned = copy != NULL;
	if (copy)
		return 0;
	op->message.type = wanted;
	op->size = 0;
	il_msg_send_back(o, il_sysv_state()->buffer);
	il_sysv_state()->buffer = NULL;
	return ENOMEM;
}

static int attempt_waiting(struct il_blocking_queue *waits, struct il_op *op)
{
	return take_copy(waits, op, IPC_NOWAIT);
}

static int attempt_blocking(struct il_blocking_queue *waits, struct il_op *op)
{
	return take_copy(waits, op, 0);
}

/* Room for an empty message, which the thread cannot help taking. */
static int prepare(struct il_blocking_queue *waits, struct il_op *op)
{
	struct il_msg_waiters *w = il_container_of(waits, struct il_msg_waiters, waits);
	(void)op;
	if (il_msg_crowd_wanted(w)) {
		int err = il_msg_crowd_join(w);
		return err ? err : EAGAIN;
	}
	w->taken = false; /* in a forked child it may be what a thread of the parent's has taken */
	if (!w->message)
		w->message = il_msg_new(0);
	return w->message ? 0 : ENOMEM;
}

static int block(struct il_blocking_queue *waits)
{
	struct il_msg_waiters *w = il_container_of(waits, struct il_msg_waiters, waits);
	if (msgrcv(w->object->id, &w->message->type, 0, w->type, 0) == 0) {
		w->message->size = 0;
		w->taken = true;
		return 0;
	}
	return errno == E2BIG ? 0 : il_msg_removed(errno);
}

static bool retry(struct il_msg_waiters *w)
{
	return !il_list_empty(&w->waits.ops) && il_blocking_queue_retry(&w->waits);
}

bool il_msg_retry(struct il_msg_object *o, long type, const struct il_msg_waiters *but)
{
	struct il_msg_waiters *exact = il_msg_of_type(o, type);
	bool served = exact && exact != but && retry(exact);
	il_list_each(struct il_msg_waiters, w, &o->wide, wide)
		if (w != but && il_msg_asks_for(w->type, type))
			served |= retry(w);
	return served;
}

/* The thread has taken an empty message, which comes first of many. */
static int add_empty(struct il_msg_waiters *w, struct il_op *op)
{
	free(il_sysv_state()->buffer);
	il_sysv_state()->buffer = w->message;
	w->message = NULL;
	return add_many(w->object, op, 0);
}

static int grant(struct il_blocking_queue *waits, struct il_op *op)
{
	struct il_msg_waiters *w = il_container_of(waits, struct il_msg_waiters, waits);
	if (!w->taken)
		return op ? attempt_waiting(waits, op) : 0;
	w->taken = false;
	if (op && is_many(op))
		return add_empty(w, op);
	if (op) {
		op->message.type = w->message->type;
		op->size = 0;
		return 0;
	}
	long type = w->message->type;
	il_msg_send_back(w->object, w->message);
	w->message = NULL;
	il_msg_retry(w->object, type, w);
	return 0;
}

static void emptied(struct il_blocking_queue *waits)
{
	il_msg_crowd_leave(il_container_of(waits, struct il_msg_waiters, waits));
}

static const struct il_blocking_queue_type waits_type = {
	.attempt = attempt_waiting,
	.prepare = prepare,
	.block = block,
	.grant = grant,
	.attempt_blocking = attempt_blocking,
	.emptied = emptied,
	.harmless = true,
};

static bool attempt(struct il_op *op, int (*take_some)(struct il_msg_object *o, struct il_op *op, int flags))
{
	struct il_msg_object *o = il_msg_object(op->source);
	struct il_msg_waiters *w = il_msg_of_type(o, (long)op->message.type);
	if (w && !il_list_empty(&w->waits.ops))
		return false;
	op->err = take_some(o, op, IPC_NOWAIT);
	return op->err != EAGAIN;
}

bool il_msg_receive_attempt(struct il_op *op)
{
	return attempt(op, take_for);
}

bool il_msg_receive_many_attempt(struct il_op *op)
{
	return attempt(op, take_many);
}

int il_msg_receive_start(struct il_op *op)
{
	struct il_msg_waiters *w = il_msg_make_type(il_msg_object(op->source), (long)op->message.type, &waits_type);
	if (!w)
		return ENOMEM;
	il_blocking_queue_start(&w->waits, op);
	return 0;
}

bool il_msg_receive_cancel(struct il_op *op)
{
	return il_blocking_queue_cancel(&il_msg_of_type(il_msg_object(op->source), (long)op->message.type)->waits, op);
}

int il_msg_copy_at(struct il_msg_object *o, long place)
{
	int err = 0;
	for (size_t room = FIRST_BUFFER; !err && !(err = il_msg_reserve(room));
		room = il_sysv_state()->buffer->room * 4) {
		ssize_t n = msgrcv(o->id, &il_sysv_state()->buffer->type, il_sysv_state()->buffer->room, place,
			IPC_NOWAIT | MSG_COPY);
		if (n >= 0) {
			il_sysv_state()->buffer->size = (size_t)n;
			return 0;
		}
		if (errno != E2BIG || il_sysv_state()->buffer->room > LARGEST)
			err = errno == ENOMSG ? EAGAIN : errno == ENOSYS ? ENOSYS : il_msg_removed(errno);
	}
	return err;
}

/* The place of the message that receive would take. */
static int find_place(struct il_msg_object *o, int64_t wanted, long *place)
{
	long lowest = 0;
	int err;
	*place = -1;
	for (long i = 0; !(err = il_msg_copy_at(o, i)); i++)
		if (il_msg_asks_for(wanted, il_sysv_state()->buffer->type) &&
			(*place < 0 || il_sysv_state()->buffer->type < lowest)) {
			*place = i;
			lowest = il_sysv_state()->buffer->type;
			if (wanted >= 0)
				return 0;
		}
	return err == EAGAIN && *place >= 0 ? 0 : err;
}

bool il_msg_peek(struct il_op *op)
{
	struct il_msg_object *o = il_msg_object(op->source);
	long place;
	int err = find_place(o, op->message.type, &place);
	if (!err)
		err = il_msg_copy_at(o, place);
	if (!err) {
		op->message.type = il_sysv_state()->buffer->type;
		op->data = il_sysv_state()->buffer->text;
		op->size = il_sysv_state()->buffer->size;
	}
	op->err = err == EAGAIN ? ENOMSG : err;
	return true;
}
