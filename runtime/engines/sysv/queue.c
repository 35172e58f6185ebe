/* SPDX-License-Identifier: MIT
 *
 * System V message queues. A thread that waits for a message does not take it: it offers no room, so the kernel says
 * E2BIG when one comes, and leaves it. The message is taken by the loop's thread for whoever is in line by then, so a
 * wait that ends early has nothing in its hands. Only an empty message needs no room; it is kept for the next.
 * Sending has no such way: a thread sends the message itself, unless it waits for other things too (see block_send).
 * Floor 2.
 */
#include "engines/sysv/line.h"
#include "engines/sysv/sysv.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_BUFFER = 8192, TRIES = 16, SHORTEST_NAP = 1000000, LONGEST_NAP = 16000000 };

static const size_t LARGEST = 1 << 28; /* a message that a foreign program can have sent */

/* A message as the kernel wants it, from `type` on. */
struct message {
	struct il_list node; /* in an object's `kept` */
	size_t room, size;   /* of text */
	long type;
	char text[];
};

/* Those who wait for messages of one type; or to send, in the order they came. */
struct waiters {
	struct il_list node; /* in the object's receivers */
	struct il_line line;
	struct object *object;
	long type;
	struct message *message; /* for the thread: what it sends, or room for an empty one */
	bool taken;              /* it has taken an empty message */
	bool only_look;          /* it must not send, but tell when there is room */
};

/* A queue of the kernel: one per process, however many handles there are. */
struct object {
	struct il_list node;
	struct il_list receivers; /* of struct waiters */
	struct il_list kept;      /* messages that were taken and that nobody has got */
	struct waiters senders;
	int id, refs;
	pid_t pid;                /* whose kept messages these are */
};

struct queue {
	struct il_queue queue;
	struct object *object;
};

static struct il_list objects = IL_LIST_INIT(objects);
static struct message *buffer; /* of the loop's thread */

static int removed(int err)
{
	return err == EINVAL ? EIDRM : err;
}

static struct object *object_of(const struct il_op *op)
{
	struct il_queue *q = op->source;
	return il_container_of(q, struct queue, queue)->object;
}

static struct message *message_new(size_t room)
{
	struct message *m = malloc(sizeof *m + room);
	if (m) {
		il_list_init(&m->node);
		m->room = room;
		m->size = 0;
	}
	return m;
}

/* The buffer is never smaller than asked for; what was in it may be gone. */
static int reserve(size_t room)
{
	if (buffer && buffer->room >= room)
		return 0;
	struct message *m = message_new(room);
	if (!m)
		return ENOMEM;
	free(buffer);
	buffer = m;
	return 0;
}

/* Receiving ------------------------------------------------------------------------------------------- */

static bool asks_for(int64_t wanted, long type)
{
	return wanted == 0 || wanted == type || (wanted < 0 && type <= -wanted);
}

/* In a forked child they are the parent's. */
static void forget_kept(struct object *o)
{
	while (!il_list_empty(&o->kept)) {
		struct message *m = il_container_of(o->kept.next, struct message, node);
		il_list_del(&m->node);
		free(m);
	}
	o->pid = il_loop.pid;
}

/* A message that was kept comes into the buffer. */
static bool take_kept(struct object *o, int64_t wanted)
{
	for (struct il_list *l = o->kept.next; l != &o->kept; l = l->next) {
		struct message *m = il_container_of(l, struct message, node);
		if (asks_for(wanted, m->type)) {
			il_list_del(&m->node);
			free(buffer);
			buffer = m;
			return true;
		}
	}
	return false;
}

/* 0 with the message in the buffer; EAGAIN: there is none. One that does not fit stays, so the buffer grows. */
static int take(struct object *o, int64_t wanted)
{
	int err = 0;
	if (o->pid != il_loop.pid)
		forget_kept(o);
	if (!il_list_empty(&o->kept) && take_kept(o, wanted))
		return 0;
	for (size_t room = FIRST_BUFFER; !err && !(err = reserve(room)); room = buffer->room * 4) {
		ssize_t n;
		do
			n = msgrcv(o->id, &buffer->type, buffer->room, (long)wanted, IPC_NOWAIT);
		while (n < 0 && errno == EINTR);
		if (n >= 0) {
			buffer->size = (size_t)n;
			return 0;
		}
		if (errno != E2BIG || buffer->room > LARGEST)
			err = errno == ENOMSG ? EAGAIN : removed(errno);
	}
	return err;
}

static int receive_attempt_now(struct object *o, struct il_op *op)
{
	int err = take(o, op->arg);
	if (!err) {
		op->arg = buffer->type;
		op->data = buffer->text;
		op->size = buffer->size;
	}
	return err;
}

/* A task that waits looks at its message later, so it gets a copy; without memory for it the message is kept. */
static int receive_attempt_line(struct il_line *line, struct il_op *op)
{
	struct object *o = il_container_of(line, struct waiters, line)->object;
	int64_t wanted = op->arg;
	int err = receive_attempt_now(o, op);
	if (err || !op->size)
		return err;
	void *copy = malloc(op->size);
	op->data = copy ? memcpy(copy, op->data, op->size) : NULL;
	op->owned = copy != NULL;
	if (copy)
		return 0;
	op->arg = wanted;
	op->size = 0;
	il_list_add(&o->kept, &buffer->node);
	buffer = NULL;
	return ENOMEM;
}

/* Room for an empty message, which the thread cannot help taking. */
static int receive_prepare(struct il_line *line, struct il_op *op)
{
	struct waiters *w = il_container_of(line, struct waiters, line);
	(void)op;
	if (!w->message)
		w->message = message_new(0);
	return w->message ? 0 : ENOMEM;
}

static int receive_block(struct il_line *line)
{
	struct waiters *w = il_container_of(line, struct waiters, line);
	if (msgrcv(w->object->id, &w->message->type, 0, w->type, 0) == 0) {
		w->message->size = 0;
		w->taken = true;
		return 0;
	}
	return errno == E2BIG ? 0 : removed(errno);
}

/* This process has put something there: whoever waits for it here need not be woken by a thread. */
static void look_at_receivers(struct object *o, const struct waiters *but)
{
	for (struct il_list *l = o->receivers.next; l != &o->receivers; l = l->next) {
		struct waiters *w = il_container_of(l, struct waiters, node);
		if (w != but && !il_list_empty(&w->line.ops))
			il_line_look(&w->line);
	}
}

static int receive_grant(struct il_line *line, struct il_op *op)
{
	struct waiters *w = il_container_of(line, struct waiters, line);
	if (w->taken) {
		il_list_add(&w->object->kept, &w->message->node);
		w->message = NULL;
		w->taken = false;
		if (!op)
			look_at_receivers(w->object, w);
	}
	return op ? receive_attempt_line(line, op) : 0;
}

static const struct il_line_type receive_line = {
	.attempt = receive_attempt_line, .prepare = receive_prepare, .block = receive_block, .grant = receive_grant,
	.harmless = true,
};

static struct waiters *receivers_of(struct object *o, long type)
{
	for (struct il_list *l = o->receivers.next; l != &o->receivers; l = l->next)
		if (il_container_of(l, struct waiters, node)->type == type)
			return il_container_of(l, struct waiters, node);
	return NULL;
}

/* The line stays as it is while nobody waits in it: the next one is likely to ask for the same type. */
static struct waiters *make_receivers(struct object *o, long type)
{
	struct waiters *w = receivers_of(o, type);
	if (w)
		return w;
	w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->object = o;
	w->type = type;
	il_line_init(&w->line, &receive_line);
	il_list_add(&o->receivers, &w->node);
	return w;
}

static bool receive_attempt(struct il_op *op)
{
	struct object *o = object_of(op);
	struct waiters *w = receivers_of(o, (long)op->arg);
	if (w && !il_list_empty(&w->line.ops))
		return false;
	op->err = receive_attempt_now(o, op);
	return op->err != EAGAIN;
}

static int receive_start(struct il_op *op)
{
	struct waiters *w = make_receivers(object_of(op), (long)op->arg);
	if (!w)
		return ENOMEM;
	il_line_start(&w->line, op);
	return 0;
}

static bool receive_cancel(struct il_op *op)
{
	return il_line_cancel(&receivers_of(object_of(op), (long)op->arg)->line, op);
}

/* Sending --------------------------------------------------------------------------------------------- */

static size_t kernel_limit(const char *path, size_t otherwise)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)strtoull(text, NULL, 10) : otherwise;
}

static void learn_limit(struct il_queue *q, const struct msqid_ds *ds)
{
	size_t msgmax = kernel_limit("/proc/sys/kernel/msgmax", 8192);
	bool small = ds->msg_qbytes < msgmax;
	q->max_message = small ? ds->msg_qbytes : msgmax;
	q->max_reason = small ? "the queue's capacity" : "kernel.msgmax";
}

/* Room for it will never come. */
static int too_large(struct il_queue *q, const struct il_op *op)
{
	struct msqid_ds ds;
	if (msgctl(il_container_of(q, struct queue, queue)->object->id, IPC_STAT, &ds))
		return removed(errno);
	learn_limit(q, &ds);
	return op->size > q->max_message ? EMSGSIZE : 0;
}

static int send_message(int id, struct message *m, int flags)
{
	while (msgsnd(id, &m->type, m->size, flags))
		if (errno != EINTR || !(flags & IPC_NOWAIT))
			return errno;
	return 0;
}

static void fill(struct message *m, const struct il_op *op)
{
	m->type = (long)op->arg;
	m->size = op->size;
	if (op->size)
		memcpy(m->text, op->data, op->size);
}

static int send_now(struct object *o, struct il_op *op)
{
	int err = reserve(op->size);
	if (err)
		return err;
	fill(buffer, op);
	err = send_message(o->id, buffer, IPC_NOWAIT);
	if (err == EAGAIN || err == EINVAL) {
		int why = too_large(op->source, op);
		return why ? why : err;
	}
	if (!err)
		look_at_receivers(o, NULL);
	return err;
}

static int send_attempt_line(struct il_line *line, struct il_op *op)
{
	return send_now(il_container_of(line, struct waiters, line)->object, op);
}

/* A select may be won by another case, and a message cannot be taken back: then the thread must not send. */
static int send_prepare(struct il_line *line, struct il_op *op)
{
	struct waiters *w = il_container_of(line, struct waiters, line);
	free(w->message);
	w->only_look = op->wait->count > 1;
	w->message = message_new(op->size);
	if (!w->message)
		return ENOMEM;
	fill(w->message, op);
	return 0;
}

/* Nothing in System V tells that there is room but a message that gets in: so this looks again, at growing intervals. */
static int block_look(struct waiters *w)
{
	struct timespec nap = { .tv_nsec = SHORTEST_NAP };
	struct msqid_ds ds;
	for (;;) {
		if (msgctl(w->object->id, IPC_STAT, &ds))
			return removed(errno);
		if (ds.__msg_cbytes + w->message->size <= ds.msg_qbytes && ds.msg_qnum < ds.msg_qbytes)
			return 0;
		if (nanosleep(&nap, NULL))
			return EINTR;
		if (nap.tv_nsec < LONGEST_NAP)
			nap.tv_nsec *= 2;
	}
}

static int send_block(struct il_line *line)
{
	struct waiters *w = il_container_of(line, struct waiters, line);
	return w->only_look ? block_look(w) : removed(send_message(w->object->id, w->message, 0));
}

static int send_grant(struct il_line *line, struct il_op *op)
{
	struct waiters *w = il_container_of(line, struct waiters, line);
	if (w->only_look)
		return op ? send_attempt_line(line, op) : 0;
	look_at_receivers(w->object, NULL);
	return 0;
}

static const struct il_line_type send_line = {
	.attempt = send_attempt_line, .prepare = send_prepare, .block = send_block, .grant = send_grant, .specific = true,
};

static bool send_attempt(struct il_op *op)
{
	struct object *o = object_of(op);
	if (!il_list_empty(&o->senders.line.ops))
		return false;
	op->err = send_now(o, op);
	return op->err != EAGAIN;
}

static int send_start(struct il_op *op)
{
	il_line_start(&object_of(op)->senders.line, op);
	return 0;
}

static bool send_cancel(struct il_op *op)
{
	return il_line_cancel(&object_of(op)->senders.line, op);
}

/* The rest -------------------------------------------------------------------------------------------- */

/* Copies the message at a place into the buffer. EAGAIN: there are not that many. */
static int copy_at(struct object *o, long place)
{
	int err = 0;
	for (size_t room = FIRST_BUFFER; !err && !(err = reserve(room)); room = buffer->room * 4) {
		ssize_t n = msgrcv(o->id, &buffer->type, buffer->room, place, IPC_NOWAIT | MSG_COPY);
		if (n >= 0) {
			buffer->size = (size_t)n;
			return 0;
		}
		if (errno != E2BIG || buffer->room > LARGEST)
			err = errno == ENOMSG ? EAGAIN : errno == ENOSYS ? ENOSYS : removed(errno);
	}
	return err;
}

/* The place of the message that receive would take. */
static int find_place(struct object *o, int64_t wanted, long *place)
{
	long lowest = 0;
	int err;
	*place = -1;
	for (long i = 0; !(err = copy_at(o, i)); i++)
		if (asks_for(wanted, buffer->type) && (*place < 0 || buffer->type < lowest)) {
			*place = i;
			lowest = buffer->type;
			if (wanted >= 0)
				return 0;
		}
	return err == EAGAIN && *place >= 0 ? 0 : err;
}

static int peek(struct il_queue *q, int64_t wanted, struct il_op *op)
{
	struct object *o = il_container_of(q, struct queue, queue)->object;
	long place;
	int err = find_place(o, wanted, &place);
	if (!err)
		err = copy_at(o, place);
	if (!err) {
		op->arg = buffer->type;
		op->data = buffer->text;
		op->size = buffer->size;
	}
	return err;
}

static int count_ops(const struct il_line *line)
{
	int n = 0;
	for (const struct il_list *l = line->ops.next; l != &line->ops; l = l->next)
		n++;
	return n;
}

static int stat_queue(struct il_queue *q, struct il_queue_stat *stat)
{
	struct object *o = il_container_of(q, struct queue, queue)->object;
	struct msqid_ds ds;
	if (msgctl(o->id, IPC_STAT, &ds))
		return removed(errno);
	*stat = (struct il_queue_stat){
		.messages = (int64_t)ds.msg_qnum, .bytes = (int64_t)ds.__msg_cbytes,
		.capacity = (int64_t)ds.msg_qbytes, .senders = count_ops(&o->senders.line),
		.last_sender = ds.msg_lspid, .last_receiver = ds.msg_lrpid,
	};
	for (struct il_list *l = o->kept.next; l != &o->kept; l = l->next)
		stat->messages++;
	for (struct il_list *l = o->receivers.next; l != &o->receivers; l = l->next)
		stat->receivers += count_ops(&il_container_of(l, struct waiters, node)->line);
	return 0;
}

static int remove_queue(struct il_queue *q)
{
	return msgctl(il_container_of(q, struct queue, queue)->object->id, IPC_RMID, NULL) ? removed(errno) : 0;
}

static void object_free(struct object *o)
{
	while (!il_list_empty(&o->receivers)) {
		struct waiters *w = il_container_of(o->receivers.next, struct waiters, node);
		il_list_del(&w->node);
		free(w->message);
		free(w);
	}
	forget_kept(o);
	free(o->senders.message);
	il_list_del(&o->node);
	free(o);
}

/* What nobody here has got goes back. */
static void object_drop(struct object *o)
{
	if (--o->refs)
		return;
	if (o->pid == il_loop.pid)
		for (struct il_list *l = o->kept.next; l != &o->kept; l = l->next)
			send_message(o->id, il_container_of(l, struct message, node), IPC_NOWAIT);
	object_free(o);
}

static void close_queue(struct il_queue *q)
{
	struct queue *handle = il_container_of(q, struct queue, queue);
	struct object *o = handle->object;
	for (struct il_list *l = o->receivers.next; l != &o->receivers; l = l->next)
		il_line_close(&il_container_of(l, struct waiters, node)->line, q);
	il_line_close(&o->senders.line, q);
	object_drop(o);
	free(handle);
	if (il_list_empty(&objects)) {
		free(buffer);
		buffer = NULL;
	}
}

/* A new queue gets its capacity; one that is there has it, or somebody is about to give it. */
static int make(const struct il_key *key, struct il_queue_options *options, int *id, struct msqid_ds *ds)
{
	*id = msgget(key->id, IPC_CREAT | IPC_EXCL | (int)options->mode);
	bool made = *id >= 0;
	if (!made && errno == EEXIST)
		*id = msgget(key->id, (int)options->mode);
	if (*id < 0 || msgctl(*id, IPC_STAT, ds))
		return errno == EINVAL ? EIDRM : errno;
	if (!options->capacity || ds->msg_qbytes == options->capacity)
		return 0;
	options->found = ds->msg_qbytes;
	if (!made)
		return EEXIST;
	ds->msg_qbytes = options->capacity;
	if (msgctl(*id, IPC_SET, ds) == 0)
		return 0;
	int err = errno;
	msgctl(*id, IPC_RMID, NULL);
	options->found = kernel_limit("/proc/sys/kernel/msgmnb", 16384);
	return err;
}

static struct object *object_open(int id)
{
	for (struct il_list *l = objects.next; l != &objects; l = l->next) {
		struct object *o = il_container_of(l, struct object, node);
		if (o->id == id) {
			o->refs++;
			return o;
		}
	}
	struct object *o = calloc(1, sizeof *o);
	if (!o)
		return NULL;
	o->id = id;
	o->refs = 1;
	o->pid = il_loop.pid;
	o->senders.object = o;
	il_line_init(&o->senders.line, &send_line);
	il_list_init(&o->receivers);
	il_list_init(&o->kept);
	il_list_add(&objects, &o->node);
	return o;
}

static const struct il_queue_ops ops = {
	{ "queue send", send_attempt, send_start, send_cancel },
	{ "queue receive", receive_attempt, receive_start, receive_cancel },
	peek, stat_queue, remove_queue, close_queue,
};

/* It may be removed between any two steps, and then there is a new one to be had. */
int il_sysv_queue(const struct il_key *key, struct il_queue_options *options, struct il_queue **q)
{
	struct msqid_ds ds;
	int id, err = EIDRM;
	for (int i = 0; i < TRIES && (err == EIDRM || err == ENOENT || err == EEXIST); i++) {
		if (i)
			sched_yield();
		err = make(key, options, &id, &ds);
	}
	if (err)
		return err;
	struct queue *handle = calloc(1, sizeof *handle);
	if (handle)
		handle->object = object_open(id);
	if (!handle || !handle->object) {
		free(handle);
		return ENOMEM;
	}
	handle->queue.ops = &ops;
	learn_limit(&handle->queue, &ds);
	*q = &handle->queue;
	return 0;
}
