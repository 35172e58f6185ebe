/* SPDX-License-Identifier: MIT
 *
 * Operations, see op.h. Floor 1a.
 */
#include "loop/op.h"
#include "loop/state.h"

#include <stdlib.h>
#include <unistd.h>

void il_op_free(struct il_op *op)
{
	if (op->name_owned)
		free((void *)op->name);
	if (op->owned)
		free(op->data);
	if (op->owned && op->fd >= 0)
		close(op->fd);
}

void il_op_finish(struct il_op *op, int err)
{
	struct il_wait *w = op->wait;
	op->err = err;
	il_wait_finalize(w, (int)(op - w->ops));
	w->wake(w);
}

void il_op_not_ready(struct il_op *op)
{
	struct il_wait *w = op->wait;
	op->not_ready = true;
	for (uint32_t i = 0; i < w->count; i++)
		if (w->ops[i].remote && !w->ops[i].not_ready)
			return;
	il_wait_end(w, IL_TIMEOUT);
}

void il_op_commit(struct il_op *op)
{
	struct il_wait *w = op->wait;
	il_heap_del(&il_loop->deadlines, &w->deadline);
	for (uint32_t i = 0; i < w->count; i++)
		if (&w->ops[i] != op && !w->ops[i].not_ready)
			w->ops[i].type->cancel(&w->ops[i]);
	w->ops = op;
	w->count = 1;
	w->cases = 0;
}

void il_op_unbusy(struct il_op *op)
{
	op->busy = false;
	if (op->wait->late && !il_wait_is_busy(op->wait))
		il_wait_end(op->wait, op->wait->late);
}

int il_op_join(struct il_op *op)
{
	il_list_add(op->source, &op->link);
	return 0;
}

bool il_op_leave(struct il_op *op)
{
	il_list_del(&op->link);
	return false;
}

void il_op_finish_all(struct il_list *queue, int err)
{
	il_list_drain(struct il_op, op, queue, link)
		il_op_finish(op, err);
}

void il_op_finish_of(struct il_list *queue, const void *state)
{
	il_list_each_safe(struct il_op, op, queue, link) {
		if (op->state != state)
			continue;
		il_list_del(&op->link);
		il_op_finish(op, 0);
	}
}
