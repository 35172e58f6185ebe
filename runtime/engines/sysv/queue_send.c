/* SPDX-License-Identifier: MIT
 *
 * Sending to System V queues. A thread that waits for room sends the message itself, and its success is the send's.
 * Unless the send is one case of a select: then it only looks for room, see block_for_room.
 * Floor 2.
 */
#include "engines/sysv/queue_send.h"
#include "base/clock.h"
#include "engines/payloads.h"
#include "engines/sysv/queue.h"
#include "engines/sysv/queue_receive.h"
#include "engines/sysv/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SHORTEST_NAP = 1000000, LONGEST_NAP = 16000000, PAUSE = 8000 }; /* ns */
enum { SMALL = 512 }; /* a message of which a queue holds many */

size_t il_msg_setting(const char *path, size_t otherwise)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)strtoull(text, NULL, 10) : otherwise;
}

void il_msg_learn_limit(struct il_queue *q, const struct msqid_ds *ds)
{
	size_t msgmax = il_msg_setting("/proc/sys/kernel/msgmax", 8192);
	bool small = ds->msg_qbytes < msgmax;
	q->max_message = small ? ds->msg_qbytes : msgmax;
	q->max_reason = small ? "the queue's capacity" : "kernel.msgmax";
}

/* A message as it is to be sent. */
struct message {
	const void *data;
	size_t size;
	bool of_several;
};

/* The operation's message; the next one of several. */
static struct message next_of(const struct il_op *op)
{
	if (op->type->cancel != il_msg_send_many_cancel)
		return (struct message){ op->data, op->size, false };
	const struct il_payload *p = il_payload_at(op->data, op->message.sent);
	return (struct message){ il_payload_bytes(p), p->size, true };
}

/* It is sent. True: so is all that the operation has to send. */
static bool sent(struct il_op *op, const struct message *m)
{
	if (!m->of_several)
		return true;
	op->message.sent += il_payload_space(m->size);
	return op->message.sent == op->size;
}

/* EAGAIN and EINVAL can mean that room will never come, after a limit was changed. The kernel's is in a file:
 * it is read for EINVAL only, and not at each look at a full queue. */
static int why_not(struct il_queue *q, size_t size, int err)
{
	struct msqid_ds ds;
	if (msgctl(il_msg_object(q)->id, IPC_STAT, &ds))
		return il_msg_removed(errno);
	if (err == EAGAIN && size <= ds.msg_qbytes)
		return EAGAIN;
	il_msg_learn_limit(q, &ds);
	return size > q->max_message ? EMSGSIZE : err;
}

int il_msg_put(int id, struct il_msg *m, int flags)
{
	while (msgsnd(id, &m->type, m->size, flags))
		if (errno != EINTR || !(flags & IPC_NOWAIT))
			return errno;
	return 0;
}

static void fill(struct il_msg *m, const struct il_op *op, const struct message *from)
{
	m->type = (long)op->message.type;
	m->size = from->size;
	if (from->size)
		memcpy(m->text, from->data, from->size);
}

static int send_message(struct il_msg_object *o, struct il_op *op, const struct message *m)
{
	int err = il_msg_reserve(m->size);
	if (err)
		return err;
	fill(il_sysv_state()->buffer, op, m);
	err = il_msg_put(o->id, il_sysv_state()->buffer, IPC_NOWAIT);
	if (err == EAGAIN || err == EINVAL)
		return why_not(op->source, m->size, err);
	return err;
}

/* Of several messages as many as there is room for. */
static int send_now(struct il_msg_object *o, struct il_op *op)
{
	struct message m;
	int err;
	do {
		m = next_of(op);
		err = send_message(o, op, &m);
	} while (!err && !sent(op, &m));
	return err;
}

static int attempt_waiting(struct il_blocking_queue *waits, struct il_op *op)
{
	return send_now(il_container_of(waits, struct il_msg_waiters, waits)->object, op);
}

/* A select may be won by another case, and a message cannot be taken back: then the thread must not send. */
static int prepare(struct il_blocking_queue *waits, struct il_op *op)
{
	struct il_msg_waiters *w = il_container_of(waits, struct il_msg_waiters, waits);
	free(w->message);
	struct message m = next_of(op);
	w->only_room = op->wait->count > 1;
	w->message = il_msg_new(m.size);
	if (!w->message)
		return ENOMEM;
	fill(w->message, op, &m);
	return 0;
}

/* Nothing in System V tells of room but a message that gets in: so this looks again, at growing intervals. */
static int block_for_room(struct il_msg_waiters *w)
{
	struct timespec nap = { .tv_nsec = SHORTEST_NAP };
	struct msqid_ds ds;
	for (;;) {
		if (msgctl(w->object->id, IPC_STAT, &ds))
			return il_msg_removed(errno);
		if (ds.__msg_cbytes + w->message->size <= ds.msg_qbytes && ds.msg_qnum < ds.msg_qbytes)
			return 0;
		if (nanosleep(&nap, NULL))
			return EINTR;
		if (nap.tv_nsec < LONGEST_NAP)
			nap.tv_nsec *= 2;
	}
}

static int block(struct il_blocking_queue *waits)
{
	struct il_msg_waiters *w = il_container_of(waits, struct il_msg_waiters, waits);
	return w->only_room ? block_for_room(w) : il_msg_removed(il_msg_put(w->object->id, w->message, 0));
}

/* Of several messages the thread has sent one, and those behind it follow; unless the operation is at its end. */
static int grant(struct il_blocking_queue *waits, struct il_op *op)
{
	struct il_msg_waiters *w = il_container_of(waits, struct il_msg_waiters, waits);
	if (!op)
		return 0;
	if (w->only_room)
		return attempt_waiting(waits, op);
	struct message m = next_of(op);
	if (sent(op, &m))
		return 0;
	return waits->leaving == op ? EAGAIN : attempt_waiting(waits, op);
}

static void served(struct il_blocking_queue *waits, const struct il_op *op)
{
	il_msg_retry(il_container_of(waits, struct il_msg_waiters, waits)->object, (long)op->message.type, NULL);
}

static const struct il_blocking_queue_type waits_type = {
	.attempt = attempt_waiting,
	.prepare = prepare,
	.block = block,
	.grant = grant,
	.served = served,
	.specific = true,
};

bool il_msg_send_attempt(struct il_op *op)
{
	struct il_msg_object *o = il_msg_object(op->source);
	if (!il_list_empty(&o->senders.waits.ops))
		return false;
	op->err = send_now(o, op);
	if (!op->err)
		il_msg_retry(o, (long)op->message.type, NULL);
	return op->err != EAGAIN;
}

/* Receivers of this process make room. */
bool il_msg_send_many_attempt(struct il_op *op)
{
	bool done;
	size_t before;
	do {
		before = op->message.sent;
		done = il_msg_send_attempt(op);
	} while (!done && op->message.sent > before &&
		il_msg_retry(il_msg_object(op->source), (long)op->message.type, NULL));
	if (!done && op->once)
		op->err = 0;
	return done || op->once;
}

/* There is soon room for more than one message, unless the processes that wait for it keep taking the queue's lock
 * from those that receive. */
int il_msg_send_start(struct il_op *op)
{
	struct il_blocking_queue *waits = &il_msg_object(op->source)->senders.waits;
	if (il_list_empty(&waits->ops))
		waits->not_before = il_now() + (next_of(op).size <= SMALL ? PAUSE : 0);
	il_blocking_queue_start(waits, op);
	return 0;
}

bool il_msg_send_cancel(struct il_op *op)
{
	return il_blocking_queue_cancel(&il_msg_object(op->source)->senders.waits, op);
}

bool il_msg_send_many_cancel(struct il_op *op)
{
	bool all = il_msg_send_cancel(op);
	op->err = 0;
	return all || op->wait->winner == IL_TIMEOUT;
}

void il_msg_init_senders(struct il_msg_object *o)
{
	o->senders.object = o;
	il_blocking_queue_init(&o->senders.waits, &waits_type);
}
