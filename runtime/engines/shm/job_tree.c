/* SPDX-License-Identifier: MIT
 *
 * Trees of records, see job_tree.h. Each node of the tree of those that are ready again knows the oldest of its
 * subtree. Floor 2.
 */
#include "engines/shm/job_tree.h"

#include <errno.h>

enum { DEEPEST = 200 };

struct tree {
	const struct il_blocks *c;
	enum il_record_kind kind;
	bool damaged;
};

static uint32_t *root_of(const struct tree *t)
{
	return t->kind == IL_RECORD_DEAD ? &t->c->jobs->dead : &t->c->jobs->again;
}

/* The record of a node; NULL: there is none, or the tree is damaged. */
static struct il_record *node(struct tree *t, uint32_t block)
{
	struct il_message m;
	if (block == IL_NO_BLOCK)
		return NULL;
	if (!t->damaged && block < t->c->count && il_is_record(t->c, block, &m) &&
		il_state_get(m.state, IL_STATE_KIND) == t->kind)
		return il_record_at(t->c, block);
	t->damaged = true;
	return NULL;
}

static uint32_t priority(uint32_t block)
{
	block ^= block >> 16;
	block *= 0x85ebca6b;
	block ^= block >> 13;
	block *= 0xc2b2ae35;
	return block ^ block >> 16;
}

/* The numbers of dead letters go around. */
static bool comes_before(const struct tree *t, const struct il_record *a, const struct il_record *b)
{
	if (t->kind == IL_RECORD_DEAD)
		return (int32_t)(a->index - b->index) < 0;
	return a->type != b->type ? a->type < b->type : a->place < b->place;
}

static uint32_t older(struct tree *t, uint32_t a, uint32_t subtree)
{
	const struct il_record *r = node(t, subtree);
	const struct il_record *b = r ? node(t, r->index) : NULL;
	return b && b->place < il_record_at(t->c, a)->place ? r->index : a;
}

/* The subtrees of a node have changed. */
static void update(struct tree *t, uint32_t block)
{
	struct il_record *r = il_record_at(t->c, block);
	if (t->kind == IL_RECORD_AGAIN)
		r->index = older(t, older(t, block, r->subtrees.lower), r->subtrees.higher);
}

/* Parts a subtree in what is before a record, and what is not. */
static void split(struct tree *t, uint32_t block, const struct il_record *by, uint32_t *lower, uint32_t *higher,
	int depth)
{
	struct il_record *r = node(t, block);
	*lower = *higher = IL_NO_BLOCK;
	t->damaged |= depth > DEEPEST;
	if (!r || t->damaged)
		return;
	if (comes_before(t, r, by)) {
		split(t, r->subtrees.higher, by, &r->subtrees.higher, higher, depth + 1);
		*lower = block;
	} else {
		split(t, r->subtrees.lower, by, lower, &r->subtrees.lower, depth + 1);
		*higher = block;
	}
	update(t, block);
}

static uint32_t merge(struct tree *t, uint32_t lower, uint32_t higher, int depth)
{
	struct il_record *a = node(t, lower), *b = node(t, higher);
	t->damaged |= depth > DEEPEST;
	if (!a || !b || t->damaged)
		return a ? lower : higher;
	if (priority(lower) > priority(higher)) {
		a->subtrees.higher = merge(t, a->subtrees.higher, higher, depth + 1);
		update(t, lower);
		return lower;
	}
	b->subtrees.lower = merge(t, lower, b->subtrees.lower, depth + 1);
	update(t, higher);
	return higher;
}

static uint32_t add(struct tree *t, uint32_t root, uint32_t block, int depth)
{
	struct il_record *r = node(t, root), *new = il_record_at(t->c, block);
	t->damaged |= depth > DEEPEST;
	if (t->damaged)
		return root;
	if (!r || priority(block) > priority(root)) {
		split(t, root, new, &new->subtrees.lower, &new->subtrees.higher, depth + 1);
		update(t, block);
		return block;
	}
	if (comes_before(t, new, r))
		r->subtrees.lower = add(t, r->subtrees.lower, block, depth + 1);
	else
		r->subtrees.higher = add(t, r->subtrees.higher, block, depth + 1);
	update(t, root);
	return root;
}

static uint32_t del(struct tree *t, uint32_t root, uint32_t block, int depth)
{
	struct il_record *r = node(t, root);
	t->damaged |= depth > DEEPEST || !r;
	if (t->damaged)
		return root;
	if (root == block)
		return merge(t, r->subtrees.lower, r->subtrees.higher, depth + 1);
	if (comes_before(t, il_record_at(t->c, block), r))
		r->subtrees.lower = del(t, r->subtrees.lower, block, depth + 1);
	else
		r->subtrees.higher = del(t, r->subtrees.higher, block, depth + 1);
	update(t, root);
	return root;
}

int il_job_tree_add(const struct il_blocks *c, enum il_record_kind kind, uint32_t block)
{
	struct tree t = { .c = c, .kind = kind };
	uint32_t *root = root_of(&t);
	*root = add(&t, *root, block, 0);
	return t.damaged ? EUCLEAN : 0;
}

int il_job_tree_del(const struct il_blocks *c, enum il_record_kind kind, uint32_t block)
{
	struct tree t = { .c = c, .kind = kind };
	uint32_t *root = root_of(&t);
	*root = del(&t, *root, block, 0);
	return t.damaged ? EUCLEAN : 0;
}

/* Finding ------------------------------------------------------------------------------------------------ */

static bool is_behind(const struct tree *t, const struct il_record *r, int64_t after)
{
	return t->kind == IL_RECORD_DEAD ? (int32_t)(r->index - (uint32_t)after) > 0 : r->type > after;
}

/* The first behind a type, or a number; IL_NO_BLOCK: there is none. */
static uint32_t find_behind(struct tree *t, int64_t after)
{
	uint32_t best = IL_NO_BLOCK, block = *root_of(t);
	const struct il_record *r;
	for (int depth = 0; (r = node(t, block)) != NULL; depth++) {
		if (depth > DEEPEST) {
			t->damaged = true;
			break;
		}
		bool behind = is_behind(t, r, after);
		best = behind ? block : best;
		block = behind ? r->subtrees.lower : r->subtrees.higher;
	}
	return best;
}

static int found(const struct tree *t, uint32_t block, struct il_message *m)
{
	if (t->damaged)
		return EUCLEAN;
	return block == IL_NO_BLOCK ? EAGAIN : il_is_kind(t->c, block, t->kind, m) ? 0 : EUCLEAN;
}

int il_job_tree_find(const struct il_blocks *c, int64_t wanted, struct il_message *m)
{
	struct tree t = { .c = c, .kind = IL_RECORD_AGAIN };
	const struct il_record *r;
	uint32_t block;
	if (wanted == 0)
		block = (r = node(&t, c->jobs->again)) ? r->index : IL_NO_BLOCK;
	else
		block = find_behind(&t, wanted > 0 ? wanted - 1 : 0);
	r = block < c->count ? il_record_at(c, block) : NULL;
	if (r && wanted && (wanted > 0 ? r->type != wanted : r->type > -wanted))
		block = IL_NO_BLOCK;
	return found(&t, block, m);
}

bool il_job_tree_next_type(const struct il_blocks *c, int64_t after, int64_t *type)
{
	struct tree t = { .c = c, .kind = IL_RECORD_AGAIN };
	uint32_t block = find_behind(&t, after);
	if (t.damaged || block == IL_NO_BLOCK)
		return false;
	*type = il_record_at(c, block)->type;
	return true;
}

int il_job_tree_next_dead(const struct il_blocks *c, uint32_t after, struct il_message *m)
{
	struct tree t = { .c = c, .kind = IL_RECORD_DEAD };
	return found(&t, find_behind(&t, after), m);
}
