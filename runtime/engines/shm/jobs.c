/* SPDX-License-Identifier: MIT
 *
 * The states of jobs, see jobs.h. Floor 2.
 */
#include "engines/shm/jobs.h"
#include "base/fork.h"
#include "engines/shm/job_ids.h"
#include "engines/shm/job_index.h"
#include "engines/shm/job_tree.h"

#include <errno.h>
#include <string.h>

static enum il_record_kind kind_of(uint64_t state)
{
	return (enum il_record_kind)il_state_get(state, IL_STATE_KIND);
}

static inline void note_others(const struct il_blocks *c)
{
	const struct il_shm_jobs *j = c->jobs;
	il_put(&c->receiving->others, j->ready + j->delayed + j->taken);
}

/* It is not kept any more where its kind is. */
static int let_go_others(const struct il_blocks *c, const struct il_message *m)
{
	struct il_message first;
	int err = 0;
	switch (kind_of(m->state)) {
	case IL_RECORD_AGAIN:
		err = il_job_tree_del(c, IL_RECORD_AGAIN, m->block);
		c->jobs->ready--;
		break;
	case IL_RECORD_ENDING: err = il_job_index_del_taken(c, m->block); break;
	case IL_RECORD_DELAYED:
		err = il_job_index_first(c, &first) && first.block == m->block ? il_job_index_del_first(c) : EUCLEAN;
		break;
	case IL_RECORD_DEAD:
		err = il_job_tree_del(c, IL_RECORD_DEAD, m->block);
		c->jobs->letters--;
		break;
	default: err = EUCLEAN;
	}
	note_others(c);
	return err;
}

static inline int let_go(const struct il_blocks *c, const struct il_message *m)
{
	if (kind_of(m->state) != IL_RECORD_TAKEN)
		return let_go_others(c, m);
	int err = il_job_index_del_taken(c, m->block);
	note_others(c);
	return err;
}

/* Where the kind is known, the compiler leaves nothing of this but what that takes. */
static inline __attribute__((always_inline)) int keep(const struct il_blocks *c, uint32_t block,
	enum il_record_kind kind)
{
	int err = 0;
	switch (kind) {
	case IL_RECORD_AGAIN:
		err = il_job_tree_add(c, kind, block);
		c->jobs->ready++;
		break;
	case IL_RECORD_TAKEN:
	case IL_RECORD_ENDING: err = il_job_index_add_taken(c, block); break;
	case IL_RECORD_DELAYED: err = il_job_index_add_delayed(c, block); break;
	case IL_RECORD_DEAD:
		err = il_job_tree_add(c, kind, block);
		c->jobs->letters++;
		break;
	default: err = EUCLEAN;
	}
	note_others(c);
	return err;
}

/* What a record of that kind says beside its state. Each of these is where others were kept: so they are written when
 * it is kept nowhere, and before the state tells of them. */
static inline void set_value(const struct il_blocks *c, struct il_record *r, enum il_record_kind kind, uint64_t value)
{
	if (kind == IL_RECORD_DEAD)
		il_put(&r->index, ++c->jobs->deaths);
	else if (kind != IL_RECORD_AGAIN)
		il_put64(&r->token, value);
}

/* A message leaves the order behind the store: before it, what `first` has passed would be free. */
static inline __attribute__((always_inline)) int move(const struct il_blocks *c, struct il_message *m,
	enum il_record_kind kind, uint64_t state, uint64_t value)
{
	struct il_record *r = il_record_at(c, m->block);
	bool ordered = m->state == IL_RECORD_READY;
	int err = ordered ? 0 : let_go(c, m);
	if (err)
		return err;
	set_value(c, r, kind, value);
	il_put64(&r->state, state); /* here it becomes what it is */
	if (ordered)
		il_blocks_leave_order(c, m);
	m->state = state;
	return keep(c, m->block, kind);
}

int il_jobs_move(const struct il_blocks *c, struct il_message *m, uint64_t state, uint64_t value)
{
	return move(c, m, kind_of(state), state, value);
}

int il_jobs_end(const struct il_blocks *c, struct il_message *m)
{
	int err = let_go(c, m);
	if (err)
		return err;
	if (m->front)
		il_job_ids_del(c, m);
	il_blocks_free(c, m);
	return 0;
}

int il_jobs_take(const struct il_blocks *c, struct il_message *m, uint32_t slot, uint32_t tag, uint64_t *token)
{
	uint64_t state = il_state_with(m->state, IL_STATE_KIND, IL_RECORD_TAKEN);
	uint32_t attempts = il_state_get(state, IL_STATE_ATTEMPTS);
	*token = c->jobs->deliveries + 1;
	il_put64(&c->jobs->deliveries, *token);
	state = il_state_with(il_state_with(state, IL_STATE_SLOT, slot), IL_STATE_TAG, tag);
	state = il_state_with(state, IL_STATE_ATTEMPTS, attempts < UINT16_MAX ? attempts + 1 : attempts);
	c->receiving->last_receiver = (uint32_t)il_fork.pid;
	return move(c, m, IL_RECORD_TAKEN, state, *token);
}

int il_jobs_add(const struct il_blocks *c, uint32_t block, uint64_t state, uint64_t value)
{
	struct il_message m;
	struct il_record *r = il_record_at(c, block);
	set_value(c, r, kind_of(state), value);
	il_put64(&r->state, state);
	il_blocks_commit(c, block);
	if (!il_is_kind(c, block, kind_of(state), &m))
		return EUCLEAN;
	il_blocks_leave_order(c, &m);
	il_job_ids_add(c, &m);
	return keep(c, block, kind_of(state));
}

uint32_t il_jobs_limit(const struct il_blocks *c, const struct il_message *m, uint32_t limit)
{
	uint32_t own = m->front ? il_front_at(c, m->block)->attempts : 0;
	return own ? own : limit;
}

int il_jobs_oldest_dead(const struct il_blocks *c, struct il_message *m)
{
	return il_job_tree_next_dead(c, c->jobs->deaths - INT32_MAX, m);
}

void il_jobs_clear(const struct il_blocks *c)
{
	struct il_shm_jobs *j = c->jobs;
	j->again = j->dead = IL_NO_BLOCK;
	j->ready = j->delayed = j->taken = j->letters = 0;
	il_put64((uint64_t *)&j->due, 0);
	memset(c->ids, 0, c->id_slots * sizeof *c->ids);
	note_others(c);
}

int il_jobs_keep(const struct il_blocks *c, uint32_t block)
{
	struct il_message m;
	enum il_record_kind kind = kind_of(il_record_at(c, block)->state);
	if (!il_is_kind(c, block, kind, &m))
		return EUCLEAN;
	il_job_ids_add(c, &m);
	return keep(c, block, kind);
}
