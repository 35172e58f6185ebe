/* SPDX-License-Identifier: MIT
 *
 * A mutex is a set with one permit and a mark. The mark goes up with the permit and down with its release, but is not
 * undone: a process that finds it up after the permit came back knows that the holder died.
 * Floor 2.
 */
#include "engines/sysv/semset.h"
#include "engines/sysv/sysv.h"

#include <errno.h>

static struct il_sysv_semset *set_of(struct il_blocking_queue *waits)
{
	return il_container_of(waits, struct il_sysv_semset, waits);
}

static void hold(struct il_op *op, bool abandoned)
{
	il_sysv_lock(op->source)->held = 1;
	il_sysv_lock(op->source)->lock.unreported = abandoned;
	op->lock.abandoned = abandoned;
}

/* Puts the mark up, and finds it up. */
static int mark(struct il_sysv_semset *set, bool *abandoned)
{
	struct sembuf fresh[] = { { IL_HELD, 0, IPC_NOWAIT }, { IL_HELD, 1, 0 } };
	*abandoned = false;
	if (set->members < IL_MEMBERS)
		return 0;
	int err = il_sysv_semset_op(set, fresh, 2);
	*abandoned = err == EAGAIN;
	return err == EAGAIN ? 0 : err;
}

/* The permit and the mark are looked at in one step: between two, a holder may release. */
static int attempt(struct il_blocking_queue *waits, struct il_op *op)
{
	struct il_sysv_semset *set = set_of(waits);
	struct sembuf take[] = {
		{ IL_PERMITS, -1, SEM_UNDO | IPC_NOWAIT },
		{ IL_HELD, 0, IPC_NOWAIT },
		{ IL_HELD, 1, 0 },
	};
	struct sembuf inherit[] = {
		/* takes the mark down and up: fails if it is not up */
		{ IL_PERMITS, -1, SEM_UNDO | IPC_NOWAIT },
		{ IL_HELD, -1, IPC_NOWAIT },
		{ IL_HELD, 1, 0 },
	};
	bool marked = set->members >= IL_MEMBERS, abandoned = false;
	int err = il_sysv_semset_op(set, take, marked ? 3 : 1);
	if (err == EAGAIN && marked) {
		err = il_sysv_semset_op(set, inherit, 3);
		abandoned = true;
	}
	if (!err)
		hold(op, abandoned);
	return err;
}

static int give(struct il_sysv_semset *set, bool abandoned)
{
	struct sembuf back[] = { { IL_PERMITS, 1, SEM_UNDO }, { IL_HELD, -1, IPC_NOWAIT } };
	bool marked = set->members >= IL_MEMBERS && !abandoned;
	int err = il_sysv_semset_op(set, back, marked ? 2 : 1);
	return err == EAGAIN ? il_sysv_semset_op(set, back, 1) : err; /* a foreign holder puts up no mark */
}

/* The thread got the permit, the mark is for us. */
static int grant(struct il_blocking_queue *waits, struct il_op *op)
{
	bool abandoned;
	struct il_sysv_semset *set = set_of(waits);
	if (!op)
		return give(set, true);
	int err = mark(set, &abandoned);
	if (!err)
		hold(op, abandoned);
	return err;
}

/* The process that took the permit was the last to change it. */
static bool holder(struct il_op *op)
{
	int permits;
	op->err = il_sysv_semset_value(op->source, &permits);
	op->lock.pid = 0;
	if (op->err || permits > 0)
		return true;
	op->lock.pid = semctl(il_sysv_lock(op->source)->set->id, IL_PERMITS, GETPID);
	op->err = op->lock.pid < 0 ? errno : 0;
	return true;
}

static const struct il_blocking_queue_type waits_type = { .attempt = attempt,
	.block = il_sysv_semset_block,
	.grant = grant };

static const struct il_lock_ops ops = {
	.acquire = { "mutex acquire", il_sysv_semset_attempt, il_sysv_semset_start, il_sysv_semset_cancel },
	.release = { "mutex release", il_sysv_semset_release, NULL, NULL },
	.value = { "mutex value", il_sysv_semset_value_attempt, NULL, NULL },
	.holder = { "mutex holder", holder, NULL, NULL },
	.remove = { "mutex remove", il_sysv_semset_remove, NULL, NULL },
	.close = il_sysv_semset_close,
};

int il_sysv_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	o->max = 1;
	return il_sysv_semset_open(key, o, &waits_type, give, &ops, l);
}
