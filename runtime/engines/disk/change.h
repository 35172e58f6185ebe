/* SPDX-License-Identifier: MIT
 *
 * Changes of objects. They are queued by the loop's thread; a helper thread makes all that are there in one transaction
 * and brings it to disk, while the loop goes on. What is queued meanwhile is the next batch. Floor 2: no lua.h.
 */
#ifndef IL_DISK_CHANGE_H
#define IL_DISK_CHANGE_H

#include "engines/disk/object.h"
#include "loop/op.h"
#include "loop/timer.h"

/* What becomes of a change that has ended. */
enum il_disk_then {
	IL_DISK_FREED,
	IL_DISK_KEPT, /* its operation waits; it is started again, or cancelled, by what keeps it */
	IL_DISK_AGAIN, /* it is queued again, before all others */
};

/* Whether a change happens: the helper says that it has begun, or the loop that it is withdrawn, whichever is first. It
 * is undecided again when its batch has ended. */
enum il_disk_phase { IL_DISK_UNDECIDED, IL_DISK_BEGUN, IL_DISK_WITHDRAWN };

/* What a change's own struct begins with. It has copies of all that apply() needs: the operation may be over before it
 * is. It is one block of memory, freed after ended(), or by a cancel. */
struct il_disk_change {
	struct il_list node, mine; /* `mine`: in the object's list */
	struct il_disk_object *object;
	/* On the helper's thread: changes the tables, and its own struct; what it reads of the object must not change
	 * on the loop's. 0; EAGAIN: not now, and what it has changed stays; or LMDB's or an errno, and then it has
	 * changed nothing, whatever it did before. Another change of the batch may fail after it, and then it is called
	 * again, in another transaction, as if it had not been called. Must not block. */
	int (*apply)(struct il_disk_change *c, struct il_disk_txn *t);
	/* On the loop's thread, when it is on disk, or c->err says why not. Finishes the operation, if there is one
	 * still (il_disk_op_end), or sets c->then. */
	void (*ended)(struct il_disk_change *c);
	struct il_op *op; /* that waits for it; NULL: it is over, or there is none */
	uint64_t key; /* of what it waits for, with `waits` */
	void *data; /* malloc'ed, or NULL: freed with it */
	bool waits; /* after EAGAIN it is tried again when its key is announced, as long as the operation waits, */
	int64_t due; /* and at this time, ns of the wall clock, if it is not 0 */
	int err; /* errno */
	enum il_disk_then then; /* what ended() wants: */
	bool late; /* the wait of its operation is over, and il_disk_op_await() waits for its end */
	/* For change.c and batch.c: */
	bool running; /* in a batch: it may happen */
	_Atomic int phase; /* enum il_disk_phase */
	bool failed; /* after it had changed something, so the batch is made without it */
	bool waiting; /* for its word to change */
	uint32_t seen; /* that word, when it was tried last */
	struct il_timer timer; /* for `due` */
};

static inline uint32_t il_disk_change_word(const struct il_disk_change *c)
{
	return (uint32_t)(c->key % IL_DISK_WORDS);
}

/* It may be in a batch. */
static inline bool il_disk_change_runs(const struct il_disk_change *c)
{
	return __atomic_load_n(&c->running, __ATOMIC_RELAXED);
}

static inline bool il_disk_change_has_begun(const struct il_disk_change *c)
{
	return c->phase == IL_DISK_BEGUN;
}

/* The changes that wait for a word; the process sleeps on it once. */
struct il_disk_watch {
	struct il_futex futex;
	struct il_list waiting;
	struct il_disk *disk;
};

/* A block of `size` bytes, the rest of which is zero, and `more` behind them. NULL: no memory. */
void *il_disk_change_new(size_t size, size_t more, struct il_disk_object *o);

/* Queues it; it is not the caller's any more. 0; or errno, and it is freed. If there is an op, op->state becomes the
 * change, and op->busy is set until it ends or waits. An operation with `last`, which has no wait, is over when this
 * returns, and op->err its result. */
int il_disk_change_start(struct il_disk_change *c);

/* For ended(): finishes the operation of a change. EAGAIN: it has timeout 0, and could not be done. */
void il_disk_op_end(struct il_disk_change *c, int err);

/* For a cancel of an operation type: its change is not wanted any more. True: it may happen, or has, since it is in a
 * batch; ended() will be called, without an op. */
bool il_disk_op_cancel(struct il_op *op);

/* For a cancel of an operation type whose change is not to be undone: the task has to be told what happens. True: the
 * change had begun, so this has waited until it was on disk; ended() was called, with `late`, and op->err is the
 * result. False: it will not happen, or no task is told; the operation is still to be cancelled. */
bool il_disk_op_await(struct il_op *op);

/* The handle is closed. Those of an object's changes that have operations and have not begun will not happen; those
 * that have begun are waited for, and their operations get their results. */
void il_disk_ops_stop(struct il_disk_object *o);

/* The same, and then ends the other operations with ECANCELED. */
void il_disk_ops_close(struct il_disk_object *o);

/* Until all that were queued have ended, or wait: at the end of the program. Blocks for as long as the disk takes. */
void il_disk_changes_finish(struct il_disk *d);

/* No object is open any more: if there is something that is to be on the disk before (soon.h), a last batch is begun,
 * which drops the folder. False: there is nothing. */
bool il_disk_changes_end(struct il_disk *d);

/* In a forked child: those of the parent end here with ECANCELED. */
void il_disk_changes_leave(struct il_disk *d);

#endif
