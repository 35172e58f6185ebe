/* SPDX-License-Identifier: MIT
 *
 * System V semaphores. The kernel hands a permit to the thread that waits longest on this machine.
 * Floor 2.
 */
#include "engines/sysv/semset.h"
#include "engines/sysv/sysv.h"

#include <errno.h>
#include <stddef.h>

static int attempt(struct il_blocking_queue *waits, struct il_op *op)
{
	struct sembuf take = { IL_PERMITS, -1, SEM_UNDO | IPC_NOWAIT };
	int err = il_sysv_semset_op(il_container_of(waits, struct il_sysv_semset, waits), &take, 1);
	if (!err)
		il_sysv_lock(op->source)->held++;
	op->lock.abandoned = false;
	return err;
}

/* A permit of a holder that died is given back by the kernel; of one that only failed, by us. */
static int give(struct il_sysv_semset *set, bool abandoned)
{
	(void)abandoned;
	struct sembuf back = { IL_PERMITS, 1, SEM_UNDO };
	return il_sysv_semset_op(set, &back, 1);
}

static int grant(struct il_blocking_queue *waits, struct il_op *op)
{
	if (!op)
		return give(il_container_of(waits, struct il_sysv_semset, waits), false);
	il_sysv_lock(op->source)->held++;
	op->lock.abandoned = false;
	return 0;
}

static const struct il_blocking_queue_type waits_type = { .attempt = attempt,
	.block = il_sysv_semset_block,
	.grant = grant };

static const struct il_lock_ops ops = {
	.acquire = { "semaphore acquire", il_sysv_semset_attempt, il_sysv_semset_start, il_sysv_semset_cancel },
	.release = { "semaphore release", il_sysv_semset_release, NULL, NULL },
	.value = { "semaphore value", il_sysv_semset_value_attempt, NULL, NULL },
	.remove = { "semaphore remove", il_sysv_semset_remove, NULL, NULL },
	.close = il_sysv_semset_close,
};

int il_sysv_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	return il_sysv_semset_open(key, o, &waits_type, give, &ops, l);
}
