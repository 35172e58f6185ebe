/* SPDX-License-Identifier: MIT
 *
 * What is read on the loop's thread, see queue_read.h. Floor 2.
 */
#include "engines/disk/queue_read.h"
#include "base/clock.h"
#include "base/fork.h"
#include "engines/disk/queue_kinds.h"
#include "engines/disk/queue_wait.h"
#include "os/identity.h"

#include <errno.h>
#include <stdlib.h>

/* From one start of the machine to the next, and in one pid namespace. */
static uint64_t world(void)
{
	static uint32_t generation;
	static uint64_t number;
	char text[64];
	if (il_fork_is_own(generation))
		return number;
	number = il_disk_key_of(il_identity_space(), text, il_disk_boot_id(text));
	generation = il_fork.generation;
	return number;
}

struct il_disk_holder il_dq_holder(const struct il_dq *q)
{
	return (struct il_disk_holder){ .world = world(),
		.start = il_identity_start(),
		.pid = (uint32_t)il_fork.pid,
		.handle = q->number };
}

int il_dq_read_begin(struct il_dq *q, struct il_disk_txn *t, struct il_disk_records *r)
{
	int err = il_disk_read(q->object.disk, t);
	if (err)
		return err;
	err = il_disk_object_use(&q->object, t);
	if (!err)
		err = il_disk_records_begin(r, t, q->object.table);
	if (err)
		il_disk_read_end(q->object.disk, t);
	return il_disk_errno(err);
}

void il_dq_read_end(struct il_dq *q, struct il_disk_txn *t)
{
	il_disk_read_end(q->object.disk, t);
}

/* Has nothing to be put right before it is read? */
static bool is_tidy(struct il_dq_call *c, struct il_disk_records *r)
{
	int64_t due;
	if (!c->kind->tidies)
		return true;
	il_dq_find_dead(r, c);
	return !c->deaths && il_disk_records_due(r, &due) == 0 && due > il_wall_now();
}

bool il_dq_read_now(struct il_dq *q, struct il_op *op, const struct il_dq_kind *kind)
{
	struct il_dq_call c = { .change.object = &q->object, .kind = kind, .type = op->message.type };
	struct il_disk_records r;
	struct il_disk_txn t;
	il_dq_waits_renew(q->waits);
	if (kind == &il_dq_dead)
		c.job.place = op->message.job->place;
	int err = q->waits->orphans ? EAGAIN : il_dq_read_begin(q, &t, &r);
	q->queue.shared.removed |= err == EIDRM;
	op->err = err;
	if (err)
		return err != EAGAIN && err != EUCLEAN;
	bool tidy = is_tidy(&c, &r);
	if (tidy)
		err = il_disk_errno(kind->apply(&c, &r));
	il_dq_read_end(q, &t);
	if (tidy && !err)
		kind->answer(&c, op);
	free(c.change.data);
	op->err = err;
	return tidy && err != EUCLEAN;
}
