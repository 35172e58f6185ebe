/* SPDX-License-Identifier: MIT
 *
 * Messages that no call has returned yet, see queue_remainder.h. Floor 4.
 */
#include "queue_remainder.h"
#include "base/fork.h"

#include <stdlib.h>

static void free_all(struct il_queue_handle *q)
{
	struct il_payloads *next;
	for (struct il_payloads *all = q->remainder.first; all; all = next) {
		next = all->next;
		free(all);
	}
	q->remainder.first = NULL;
	q->remainder.taken++;
}

/* What the parent has taken is not the child's. */
static void forget_parents(struct il_queue_handle *q)
{
	if (q->remainder.first && !il_fork_is_own(q->remainder.generation))
		free_all(q);
}

void il_queue_remainder_add(struct il_queue_handle *q, struct il_payloads *all)
{
	forget_parents(q);
	struct il_payloads **last = &q->remainder.first;
	while (*last)
		last = &(*last)->next;
	*last = all;
	all->next = NULL;
	q->remainder.generation = il_fork.generation;
}

void il_queue_remainder_tidy(struct il_queue_handle *q)
{
	for (struct il_payloads *all; (all = q->remainder.first);) {
		while (all->at < all->size && il_payloads_at(all, all->at)->type == IL_QUEUE_REMAINDER_TAKEN)
			all->at += il_payload_space(il_payloads_at(all, all->at)->size);
		if (all->at < all->size)
			return;
		q->remainder.first = all->next;
		free(all);
	}
}

static bool is_better(const struct il_payload *p, int64_t wanted, const struct il_payload *best)
{
	if (p->type == IL_QUEUE_REMAINDER_TAKEN)
		return false;
	if (wanted >= 0)
		return !best && (wanted == 0 || p->type == wanted);
	return p->type <= -wanted && (!best || p->type < best->type);
}

struct il_payload *il_queue_remainder_find(struct il_queue_handle *q, int64_t wanted)
{
	struct il_payload *best = NULL;
	forget_parents(q);
	il_queue_remainder_tidy(q);
	for (struct il_payloads *all = q->remainder.first; all; all = all->next)
		for (size_t at = all->at; at < all->size;) {
			struct il_payload *p = il_payloads_at(all, at);
			if (is_better(p, wanted, best))
				best = p;
			if (best && wanted >= 0)
				return best;
			at += il_payload_space(p->size);
		}
	return best;
}

/* As many as there is room for. */
static void give_back(const struct il_queue_handle *q)
{
	struct il_op op;
	for (struct il_payloads *all = q->remainder.first; all; all = all->next)
		for (size_t at = all->at; at < all->size; at += il_payload_space(il_payloads_at(all, at)->size)) {
			struct il_payload *p = il_payloads_at(all, at);
			if (p->type == IL_QUEUE_REMAINDER_TAKEN)
				continue;
			il_op_make(&op, &q->queue->ops->send, q->queue);
			op.message.type = p->type;
			op.message.job = NULL;
			op.data = il_payload_bytes(p);
			op.size = p->size;
			op.once = op.last = true;
			op.type->attempt(&op);
		}
}

void il_queue_remainder_close(struct il_queue_handle *q)
{
	forget_parents(q);
	if (q->queue)
		give_back(q);
	free_all(q);
}

/* Operations --------------------------------------------------------------------------------------------- */

/* In a select it may be gone since the case was collected. */
static struct il_payload *found(struct il_op *op, const struct il_op_type *engines)
{
	struct il_payload *p = il_queue_remainder_find(op->handle, op->message.type);
	if (!p)
		op->type = engines;
	return p;
}

static void answer(struct il_op *op, const struct il_payload *p)
{
	op->message.type = p->type;
	op->data = il_payload_bytes(p);
	op->size = p->size;
}

static const struct il_queue_ops *ops_of(const struct il_op *op)
{
	return ((const struct il_queue *)op->source)->ops;
}

static bool receive_attempt(struct il_op *op)
{
	struct il_payload *p = found(op, &ops_of(op)->receive);
	if (!p)
		return op->type->attempt(op);
	answer(op, p);
	il_queue_remainder_take(op->handle, p);
	return true;
}

static bool peek_attempt(struct il_op *op)
{
	const struct il_payload *p = found(op, &ops_of(op)->peek);
	if (!p)
		return op->type->attempt(op);
	answer(op, p);
	return true;
}

static bool receive_many_attempt(struct il_op *op)
{
	return found(op, &ops_of(op)->receive_many) || op->type->attempt(op);
}

const struct il_op_type il_queue_remainder_receive = { "queue receive", receive_attempt, NULL, NULL };
const struct il_op_type il_queue_remainder_peek = { "queue peek", peek_attempt, NULL, NULL };
const struct il_op_type il_queue_remainder_receive_many = { "queue receive_many", receive_many_attempt, NULL, NULL };
