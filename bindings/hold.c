/* SPDX-License-Identifier: MIT
 *
 * What tasks hold of a lock, see hold.h. Floor 4.
 */
#include "hold.h"
#include "lock.h"
#include "sched/park.h"
#include "sched/state.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST_HANDLES = 64 }; /* that are looked at for what the main chunk holds */

static struct il_list handles = IL_LIST_INIT(handles); /* of struct il_lock_handle, the latest first */

/* Calls f for what the main chunk holds of the latest handles; false: there are more. */
static bool each_of_main(void (*f)(const struct il_hold *h, void *arg), void *arg)
{
	int seen = 0;
	il_list_each(const struct il_lock_handle, handle, &handles, open) {
		if (++seen > MOST_HANDLES)
			return false;
		il_list_each(const struct il_lock_hold, h, &handle->holds, node)
			if (!h->task && !h->left)
				f(&h->of_task, arg);
	}
	return true;
}

void il_hold_forget(struct il_lock_hold *h)
{
	if (h->guard)
		*h->guard = NULL;
	il_list_del(&h->of_task.node);
	il_list_del(&h->node);
	if (h->task != il_sched()->current && !h->left)
		il_park_again(h->task);
	if (!il_list_empty(&h->handle->losses))
		il_op_finish_of(&h->handle->losses, h);
	if (h->handle->unused)
		free(h);
	else
		h->handle->unused = h;
}

static void forget_all(struct il_lock_handle *handle)
{
	il_list_drain(struct il_lock_hold, h, &handle->holds, node)
		il_hold_forget(h);
}

void il_holds_forget(struct il_lock_handle *handle)
{
	forget_all(handle);
	handle->generation = il_fork.generation;
}

void il_holds_init(struct il_lock_handle *handle)
{
	handle->generation = il_fork.generation;
	handle->unused = NULL;
	il_list_init(&handle->holds);
	il_list_init(&handle->losses);
	il_list_add(handles.next, &handle->open);
	il_park_main_holds(each_of_main);
}

void il_holds_fini(struct il_lock_handle *handle)
{
	il_op_finish_all(&handle->losses, ECANCELED);
	forget_all(handle);
	il_list_del(&handle->open);
	free(handle->unused);
	handle->unused = NULL;
}

bool il_hold_give_back(struct il_lock_hold *h, struct il_op *op, bool abandoned)
{
	op->lock.grant = h->grant;
	op->lock.abandoned = abandoned;
	if (!h->handle->lock->ops->release.attempt(op))
		return false;
	if (!op->err || op->err == EIDRM || op->err == EUCLEAN || op->err == ESTALE)
		il_hold_forget(h);
	return true;
}

int il_hold_drop(struct il_lock_hold *h, bool abandoned)
{
	struct il_lock *l = h->handle->lock;
	struct il_op op;
	il_lock_op(&op, l, &l->ops->release, NULL);
	op.last = true;
	il_hold_give_back(h, &op, abandoned);
	return op.err;
}

/* The task that held it has ended. What is owned is abandoned, whatever it is; a permit may be meant for others to
 * release, if the task ended well. */
static void task_ended(struct il_hold *of_task, bool failed)
{
	struct il_lock_hold *h = il_container_of(of_task, struct il_lock_hold, of_task);
	h->task = NULL;
	h->left = true;
	if (failed || h->handle->class->owned)
		il_hold_drop(h, !h->given);
}

static const char *describe(const struct il_hold *of_task, struct il_described *d)
{
	const struct il_lock_handle *handle = il_container_of(of_task, struct il_lock_hold, of_task)->handle;
	if (!il_fork_is_own(handle->generation))
		return NULL;
	il_lock_describe(handle, d);
	return handle->class->noun;
}

static const struct il_hold_type hold_type = { task_ended, describe };

/* There is no memory to record the grant. */
static void give_up(struct il_lock *l, int64_t grant)
{
	struct il_op op;
	il_lock_op(&op, l, &l->ops->release, NULL);
	op.last = true;
	op.lock.grant = grant;
	op.lock.abandoned = l->unreported;
	op.type->attempt(&op);
}

int il_hold_add(struct il_lock_handle *handle, int64_t grant, struct il_lock_hold **result)
{
	if (!handle->lock)
		return ECANCELED;
	struct il_lock_hold *h = handle->unused ? handle->unused : malloc(sizeof *h);
	if (!h) {
		give_up(handle->lock, grant);
		return ENOMEM;
	}
	handle->lock->unreported = false;
	handle->unused = NULL;
	*h = (struct il_lock_hold){ .of_task.type = &hold_type,
		.handle = handle,
		.task = il_sched()->current,
		.grant = grant };
	il_list_init(&h->of_task.node);
	il_list_add(&handle->holds, &h->node);
	if (h->task)
		il_list_add(&h->task->holds, &h->of_task.node);
	*result = h;
	return 0;
}

void il_hold_keep(struct il_lock_handle *handle, int64_t grant)
{
	struct il_lock_hold *h;
	bool before = handle->lock->unreported;
	if (il_hold_add(handle, grant, &h))
		return;
	handle->lock->unreported = before;
	h->given = true;
}

static bool is_own(const struct il_lock_hold *h)
{
	return !h->left && h->task == il_sched()->current;
}

struct il_lock_hold *il_hold_own(const struct il_lock_handle *handle)
{
	struct il_lock_hold *latest = NULL;
	il_list_each(struct il_lock_hold, h, &handle->holds, node)
		if (is_own(h))
			latest = h;
	return latest;
}

struct il_lock_hold *il_hold_to_release(const struct il_lock_handle *handle)
{
	struct il_lock_hold *guarded = NULL, *other = NULL;
	il_list_each(struct il_lock_hold, h, &handle->holds, node) {
		if (is_own(h) && !h->guard)
			return h;
		if (is_own(h))
			guarded = h;
		else if (!h->guard && !handle->class->owned)
			other = h;
	}
	return other ? other : guarded;
}

bool il_hold_is_over(struct il_op *op)
{
	const struct il_lock_handle *handle = op->handle;
	il_list_each(const struct il_lock_hold, h, &handle->holds, node)
		if (h == op->state)
			return false;
	return true;
}

bool il_hold_is_lost(const struct il_lock_hold *h)
{
	struct il_lock *l = h->handle->lock;
	struct il_op op;
	if (!l->ops->lost.attempt)
		return false;
	il_lock_op(&op, l, &l->ops->lost, NULL);
	op.lock.grant = h->grant;
	return l->ops->lost.attempt(&op) && !op.err;
}
