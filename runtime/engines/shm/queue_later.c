/* SPDX-License-Identifier: MIT
 *
 * What is done later, see queue_later.h. The segment stays mapped until it is. Floor 2.
 */
#include "engines/shm/queue_later.h"
#include "engines/shm/queue_finish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A copy of what was said. */
struct word {
	struct il_list node;
	struct il_queue queue; /* the limits of its handle */
	struct il_job job;
	struct il_op op; /* of the copy */
	struct il_op *waits; /* the operation, if it does; else NULL */
	char data[];
};

static struct word *first(const struct il_shm_queue_later *l)
{
	return il_list_first(struct word, &l->words, node);
}

static struct word *word_of(const struct il_shm_queue_later *l, const struct il_op *op)
{
	il_list_each(struct word, w, &l->words, node)
		if (w->waits == op)
			return w;
	return NULL;
}

static void end(struct word *w, int err)
{
	struct il_op *op = w->waits;
	il_list_del(&w->node);
	if (op) {
		op->message.job->dead = w->job.dead;
		il_op_finish(op, err);
	}
	free(w);
}

/* EAGAIN: not yet. */
static int say_all(struct il_shm_queue *o)
{
	struct il_shm_queue_later *l = &o->later;
	struct word *w;
	while ((w = first(l))) {
		int err = il_shm_queue_finish(o, &w->op, true);
		if (err == EAGAIN)
			return err;
		end(w, err);
	}
	for (uint32_t tag = 0; tag < IL_TAGS; tag++) {
		if (!(l->closed[tag / 64] >> tag % 64 & 1))
			continue;
		if (il_shm_queue_release_all(o, tag, false) == EAGAIN)
			return EAGAIN;
		l->closed[tag / 64] &= ~((uint64_t)1 << tag % 64);
		o->tags[tag / 64] &= ~((uint64_t)1 << tag % 64);
	}
	return 0;
}

/* In a forked child these are its parent's. */
static bool is_active(const struct il_shm_queue_later *l)
{
	return l->generation && il_fork_is_own(l->generation);
}

static void check(struct il_recheck *again)
{
	struct il_shm_queue *o = il_container_of(again, struct il_shm_queue, later.again);
	struct word *w;
	if (say_all(o) == EAGAIN && il_recheck_start(again) == 0)
		return;
	while ((w = first(&o->later)))
		end(w, ENOMEM);
	il_recheck_stop(again);
	o->later.generation = 0;
	il_shm_queue_serve(o);
	il_segment_drop(&o->segment); /* it may take all this with it */
}

void il_shm_queue_later_init(struct il_shm_queue_later *l)
{
	*l = (struct il_shm_queue_later){ 0 };
	il_list_init(&l->words);
	il_recheck_init(&l->again, check);
}

static void drop_words(struct il_shm_queue_later *l)
{
	struct word *w;
	while ((w = first(l))) {
		il_list_del(&w->node);
		free(w);
	}
}

void il_shm_queue_later_fini(struct il_shm_queue_later *l)
{
	il_recheck_stop(&l->again);
	drop_words(l);
}

static int begin(struct il_shm_queue *o)
{
	struct il_shm_queue_later *l = &o->later;
	if (is_active(l))
		return 0;
	il_shm_queue_later_fini(l);
	memset(l->closed, 0, sizeof l->closed);
	if (il_recheck_start(&l->again))
		return ENOMEM;
	l->generation = il_fork.generation;
	o->segment.refs++;
	return 0;
}

int il_shm_queue_later_add(struct il_shm_queue *o, struct il_op *op, bool waits)
{
	struct word *w = malloc(sizeof *w + op->size);
	if (!w || begin(o)) {
		free(w);
		return ENOMEM;
	}
	w->queue = *(const struct il_queue *)op->source;
	w->job = *op->message.job;
	w->waits = waits ? op : NULL;
	il_op_make(&w->op, op->type, &w->queue);
	w->op.message.type = op->message.type;
	w->op.message.job = &w->job;
	w->op.size = op->size;
	w->op.data = w->data;
	if (op->size)
		memcpy(w->data, op->data, op->size);
	il_list_add(&o->later.words, &w->node);
	return 0;
}

void il_shm_queue_later_forget(struct il_op *op)
{
	struct word *w = word_of(&il_shm_queue_of_op(op)->later, op);
	if (w)
		w->waits = NULL;
}

void il_shm_queue_later_close(struct il_shm_queue_handle *handle, bool release)
{
	struct il_shm_queue *o = handle->object;
	struct il_op *op;
	if (is_active(&o->later))
		il_list_each(struct word, w, &o->later.words, node)
			if ((op = w->waits) && op->source == &handle->queue) {
				w->waits = NULL;
				il_op_finish(op, ECANCELED);
			}
	if (release && begin(o) == 0)
		o->later.closed[handle->tag / 64] |= (uint64_t)1 << handle->tag % 64;
}
