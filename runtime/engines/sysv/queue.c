/* SPDX-License-Identifier: MIT
 *
 * System V message queues, opened, looked at and closed, see queue.h. All handles of a process for one queue share an
 * object, which has the queues of operations that wait.
 * Floor 2.
 */
#include "engines/sysv/queue.h"
#include "base/fork.h"
#include "base/reason.h"
#include "engines/sysv/queue_crowd.h"
#include "engines/sysv/queue_receive.h"
#include "engines/sysv/queue_send.h"
#include "engines/sysv/queue_types.h"
#include "engines/sysv/state.h"
#include "engines/sysv/sysv.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { TRIES = 16 };

static bool stat_attempt(struct il_op *op)
{
	struct il_queue *q = op->source;
	struct il_msg_object *o = il_msg_object(q);
	struct msqid_ds ds;
	op->err = msgctl(o->id, IPC_STAT, &ds) ? il_msg_removed(errno) : 0;
	if (op->err)
		return true;
	q->stat = (struct il_queue_stat){
		.messages = (int64_t)ds.msg_qnum,
		.bytes = (int64_t)ds.__msg_cbytes,
		.capacity = (int64_t)ds.msg_qbytes,
		.senders = il_list_count(&o->senders.waits.ops),
		.last_sender = ds.msg_lspid,
		.last_receiver = ds.msg_lrpid,
	};
	q->stat.messages += il_list_count(&o->kept);
	il_list_each(struct il_msg_waiters, w, &o->receivers, node)
		q->stat.receivers += il_list_count(&w->waits.ops);
	return true;
}

static bool remove_attempt(struct il_op *op)
{
	op->err = msgctl(il_msg_object(op->source)->id, IPC_RMID, NULL) ? il_msg_removed(errno) : 0;
	return true;
}

static void object_free(struct il_msg_object *o)
{
	il_msg_crowd_fini(o);
	il_msg_types_fini(o);
	il_msg_forget_kept(o);
	free(o->senders.message);
	il_table_del(&il_sysv_state()->queues, &o->item);
	free(o);
}

/* What no operation here has got goes back. */
static void object_drop(struct il_msg_object *o)
{
	if (--o->refs)
		return;
	if (il_fork_is_own(o->generation))
		il_list_each(struct il_msg, m, &o->kept, node)
			il_msg_put(o->id, m, IPC_NOWAIT);
	object_free(o);
}

static void close_queue(struct il_queue *q)
{
	struct il_msg_handle *handle = il_container_of(q, struct il_msg_handle, queue);
	struct il_msg_object *o = handle->object;
	il_list_each(struct il_msg_waiters, w, &o->receivers, node)
		il_blocking_queue_close(&w->waits, q);
	il_blocking_queue_close(&o->senders.waits, q);
	object_drop(o);
	free(handle);
	if (!il_sysv_state()->queues.count) {
		free(il_sysv_state()->buffer);
		il_sysv_state()->buffer = NULL;
	}
}

/* A new queue gets its capacity; one that is there has it, or its maker is about to give it. */
static int make(const struct il_key *key, struct il_queue_options *options, int *id, struct msqid_ds *ds)
{
	bool existing = options->mode == IL_MODE_EXISTING;
	*id = existing ? -1 : msgget(key->id, IPC_CREAT | IPC_EXCL | (int)options->mode);
	bool made = *id >= 0;
	if (!made && (existing || errno == EEXIST))
		*id = msgget(key->id, existing ? 0 : (int)options->mode);
	if (*id < 0 && errno == ENOSPC)
		return il_because(ENOSPC, "there are %zu queues already (kernel.msgmni)",
			il_msg_setting("/proc/sys/kernel/msgmni", 32000));
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
	options->found = il_msg_setting("/proc/sys/kernel/msgmnb", 16384);
	return err;
}

static struct il_msg_object *object_open(int id)
{
	struct il_table_item *item = il_table_find(&il_sysv_state()->queues, (uint64_t)id);
	struct il_msg_object *o = item ? il_container_of(item, struct il_msg_object, item) : NULL;
	if (o) {
		o->refs++;
		return o;
	}
	o = calloc(1, sizeof *o);
	if (!o)
		return NULL;
	o->id = id;
	o->refs = 1;
	o->generation = il_fork.generation;
	il_msg_init_senders(o);
	il_msg_types_init(o);
	il_msg_crowd_init(o);
	il_list_init(&o->kept);
	il_table_add(&il_sysv_state()->queues, &o->item, (uint64_t)id);
	return o;
}

static const struct il_queue_ops ops = {
	.send = { "queue send", il_msg_send_attempt, il_msg_send_start, il_msg_send_cancel },
	.receive = { "queue receive", il_msg_receive_attempt, il_msg_receive_start, il_msg_receive_cancel },
	.send_many = { "queue send_many", il_msg_send_many_attempt, il_msg_send_start, il_msg_send_many_cancel },
	.receive_many = { "queue receive_many", il_msg_receive_many_attempt, il_msg_receive_start,
		il_msg_receive_cancel },
	.peek = { "queue peek", il_msg_peek, NULL, NULL },
	.stat = { "queue stat", stat_attempt, NULL, NULL },
	.remove = { "queue remove", remove_attempt, NULL, NULL },
	.close = close_queue,
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
	struct il_msg_handle *handle = calloc(1, sizeof *handle);
	if (handle)
		handle->object = object_open(id);
	if (!handle || !handle->object) {
		free(handle);
		return ENOMEM;
	}
	handle->queue.ops = &ops;
	il_msg_learn_limit(&handle->queue, &ds);
	*q = &handle->queue;
	return 0;
}