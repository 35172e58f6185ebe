/* SPDX-License-Identifier: MIT
 *
 * The index of delayed and taken jobs, see job_index.h. Floor 2.
 */
#include "engines/shm/job_index.h"

static struct il_record *delayed_at(const struct il_blocks *c, uint32_t at)
{
	struct il_message m;
	uint32_t block = c->index[at];
	return block < c->count && il_is_record(c, block, &m) &&
			il_state_get(m.state, IL_STATE_KIND) == IL_RECORD_DELAYED
		? il_record_at(c, block)
		: NULL;
}

static bool comes_before(const struct il_record *a, const struct il_record *b)
{
	return a->due != b->due ? a->due < b->due : a->place < b->place;
}

static void note_due(const struct il_blocks *c)
{
	const struct il_record *first = c->jobs->delayed ? delayed_at(c, 0) : NULL;
	il_put64((uint64_t *)&c->jobs->due, first ? (uint64_t)(first->due > 0 ? first->due : 1) : 0);
}

int il_job_index_add_delayed(const struct il_blocks *c, uint32_t block)
{
	uint32_t at = c->jobs->delayed;
	const struct il_record *parent, *r = il_record_at(c, block);
	if (!il_job_index_is_sound(c) || at == c->count - c->jobs->taken)
		return EUCLEAN;
	for (; at && (parent = delayed_at(c, (at - 1) / 2)) != NULL && comes_before(r, parent); at = (at - 1) / 2)
		il_job_index_put(c, at, c->index[(at - 1) / 2]);
	il_job_index_put(c, at, block);
	c->jobs->delayed++;
	note_due(c);
	return 0;
}

/* The last one takes the place of the first, and goes down. */
int il_job_index_del_first(const struct il_blocks *c)
{
	if (!il_job_index_is_sound(c) || !c->jobs->delayed)
		return EUCLEAN;
	uint32_t n = --c->jobs->delayed, block = c->index[n], at = 0, child;
	const struct il_record *r = delayed_at(c, n), *a, *b;
	if (!r)
		return EUCLEAN;
	for (; (child = 2 * at + 1) < n; at = child) {
		a = delayed_at(c, child);
		b = child + 1 < n ? delayed_at(c, child + 1) : NULL;
		if (!a || (child + 1 < n && !b))
			return EUCLEAN;
		if (b && comes_before(b, a)) {
			child++;
			a = b;
		}
		if (!comes_before(a, r))
			break;
		il_job_index_put(c, at, c->index[child]);
	}
	if (n)
		il_job_index_put(c, at, block);
	note_due(c);
	return 0;
}

bool il_job_index_first(const struct il_blocks *c, struct il_message *m)
{
	return il_job_index_is_sound(c) && c->jobs->delayed && c->index[0] < c->count &&
		il_is_kind(c, c->index[0], IL_RECORD_DELAYED, m);
}

/* Taken -------------------------------------------------------------------------------------------------- */

static bool is_taken(const struct il_message *m)
{
	uint32_t kind = il_state_get(m->state, IL_STATE_KIND);
	return kind == IL_RECORD_TAKEN || kind == IL_RECORD_ENDING;
}

/* The last one takes the place of any other. */
int il_job_index_move_taken(const struct il_blocks *c, uint32_t block)
{
	struct il_message m;
	if (!il_job_index_is_sound(c) || !c->jobs->taken)
		return EUCLEAN;
	uint32_t last = c->count - c->jobs->taken, at = il_record_at(c, block)->index;
	if (at < last || at >= c->count || c->index[at] != block || c->index[last] >= c->count ||
		!il_is_record(c, c->index[last], &m) || !is_taken(&m))
		return EUCLEAN;
	il_job_index_put(c, at, c->index[last]);
	c->jobs->taken--;
	return 0;
}

bool il_job_index_taken(const struct il_blocks *c, uint32_t n, struct il_message *m)
{
	if (!il_job_index_is_sound(c) || n >= c->jobs->taken)
		return false;
	uint32_t block = c->index[c->count - 1 - n];
	return block < c->count &&
		(il_is_kind(c, block, IL_RECORD_TAKEN, m) || il_is_kind(c, block, IL_RECORD_ENDING, m));
}
