/* SPDX-License-Identifier: MIT
 *
 * Dead letters, see queue_letters.h. Floor 2.
 */
#include "engines/shm/queue_letters.h"
#include "engines/shm/job_ids.h"
#include "engines/shm/job_tree.h"
#include "engines/shm/jobs.h"
#include "engines/shm/queue_buffer.h"
#include "engines/shm/queue_take.h"
#include "engines/shm/queue_tend.h"

#include <errno.h>
#include <string.h>

enum { MOST = 1000 }; /* letters, until others may have the latches */

/* The cursor is the number of the letter that was found last; there may be 0. */
static const uint64_t FOUND = (uint64_t)1 << 32;

static int next_dead(const struct il_shm_queue *o, uint64_t *cursor, struct il_message *m)
{
	uint32_t after = *cursor & FOUND ? (uint32_t)*cursor : o->blocks.jobs->deaths - INT32_MAX;
	int err = il_job_tree_next_dead(&o->blocks, after, m);
	if (!err)
		*cursor = FOUND | il_record_at(&o->blocks, m->block)->index;
	return err == EAGAIN ? ENOMSG : err;
}

static int find_dead(struct il_shm_queue *o, struct il_op *op)
{
	struct il_job *job = op->message.job;
	struct il_message m;
	int err = il_second_enter(&o->second);
	if (err)
		return err;
	err = next_dead(o, &job->place, &m);
	if (!err)
		err = il_shm_queue_copy_out(o, &m, op, false);
	if (!err)
		il_shm_queue_describe(o, &m, job);
	if (o->segment.lost)
		err = EUCLEAN;
	il_second_leave(&o->second);
	return err;
}

bool il_shm_queue_dead_attempt(struct il_op *op)
{
	op->err = find_dead(il_shm_queue_of_op(op), op);
	return true;
}

/* As if it had just been sent, but in its place. One whose id another message has now stays dead. True: it is ready. */
static int revive(struct il_shm_queue *o, struct il_message *m, bool *done)
{
	char id[IL_JOB_NAME];
	struct il_message other;
	uint8_t size = il_job_ids_get(&o->blocks, m, id);
	*done = !il_job_ids_find(&o->blocks, id, size, false, &other);
	uint64_t state = il_state_with(il_jobs_ready_again(m->state), IL_STATE_ATTEMPTS, 0);
	state = il_state_with(il_state_with(state, IL_STATE_DEATHS, 0), IL_STATE_DIED, 0);
	return *done ? il_shm_queue_make_ready(o, m, il_state_with(state, IL_STATE_REASON, 0)) : 0;
}

/* Is it the letter that is meant? */
static bool is_meant(const struct il_shm_queue *o, const struct il_op *op, const struct il_message *m)
{
	char id[IL_JOB_NAME];
	return !op->name ||
		(il_job_ids_get(&o->blocks, m, id) == op->name_size && memcmp(id, op->name, op->name_size) == 0);
}

/* One with an id of its sender's. Of several, all are dropped, and one can be revived: the first that died. */
static bool find_by_id(const struct il_shm_queue *o, const struct il_op *op, bool revives, struct il_message *m)
{
	const struct il_blocks *c = &o->blocks;
	return revives ? il_job_ids_find_first_dead(c, op->name, op->name_size, m)
		       : il_job_ids_find(c, op->name, op->name_size, true, m);
}

/* The next letter, and whether it is meant. One that has its id from its place is looked for among all. */
static int next_letter(const struct il_shm_queue *o, const struct il_op *op, bool revives, uint64_t *cursor,
	struct il_message *m, bool *meant)
{
	*meant = true;
	if (op->name && op->name_size && op->name[0] != '#')
		return find_by_id(o, op, revives, m) ? 0 : ENOMSG;
	int err = next_dead(o, cursor, m);
	*meant = !err && is_meant(o, op, m);
	return err;
}

/* So many letters at once that the latches are not had for long. True: there are more. */
static bool change_some(struct il_shm_queue *o, struct il_op *op, uint64_t *cursor, bool revives, int64_t *count)
{
	struct il_message m;
	for (int i = 0; i < MOST; i++) {
		bool meant, done = true;
		op->err = next_letter(o, op, revives, cursor, &m, &meant);
		if (!op->err && !meant)
			continue;
		if (!op->err)
			op->err = revives ? revive(o, &m, &done) : il_shm_queue_drop(o, &m);
		if (!op->err && !done && op->name)
			op->err = ENOMSG; /* nor can another one with that id be ready */
		if (op->err)
			return false;
		*count += done;
	}
	return true;
}

static bool change_dead(struct il_op *op, bool revives)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	uint64_t cursor = 0;
	int64_t count = 0;
	bool more = true;
	while (more) {
		op->err = il_shm_queue_enter(o, false);
		if (op->err)
			return true;
		more = change_some(o, op, &cursor, revives, &count);
		if (o->segment.lost)
			op->err = EUCLEAN;
		il_shm_queue_leave(o);
	}
	op->err = op->err == ENOMSG ? 0 : op->err;
	op->arg = count;
	il_shm_queue_serve(o);
	return true;
}

bool il_shm_queue_revive_attempt(struct il_op *op)
{
	return change_dead(op, true);
}

bool il_shm_queue_drop_attempt(struct il_op *op)
{
	return change_dead(op, false);
}
