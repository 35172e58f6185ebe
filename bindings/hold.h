/* SPDX-License-Identifier: MIT
 *
 * What the tasks of this process hold of a lock. The engine counts what a handle holds; here is which task holds it. A
 * task that dies gives back what it holds, as a process does.
 * Floor 4.
 */
#ifndef IL_HOLD_H
#define IL_HOLD_H

#include "base/fork.h"
#include "base/list.h"
#include "engines/engine.h"
#include "sched/object.h"
#include "sched/task.h"

#include <stdbool.h>
#include <stdint.h>

struct il_lock_class;

/* What the userdata of a lock is. */
struct il_lock_handle {
	struct il_object object;
	struct il_lock *lock; /* NULL: closed */
	const struct il_lock_class *class;
	struct il_list holds; /* of struct il_lock_hold, the latest last */
	struct il_list open; /* its place among all handles that are open */
	struct il_lock_hold *unused; /* one that is free */
	struct il_list losses; /* operations that wait for the loss of a hold, which never comes: see il_lock_lost */
	uint32_t generation; /* that holds them */
	uint64_t identity; /* as on a board */
	char what[];
};

struct il_lock_hold {
	struct il_hold of_task;
	struct il_list node;
	struct il_lock_handle *handle;
	struct il_task *task; /* NULL: the main chunk */
	bool left; /* by a task that has ended well: any other may release it */
	bool given; /* it was to be released, and the engine could not: nothing is abandoned */
	int64_t grant; /* which of the lock's */
	struct il_lock_hold **guard; /* where a guard knows it from, which is told when it is gone; NULL */
};

/* In a forked child nothing is held: to be called before anything is asked of the holds. */
void il_holds_forget(struct il_lock_handle *handle);

static inline void il_holds_notice_fork(struct il_lock_handle *handle)
{
	if (!il_fork_is_own(handle->generation))
		il_holds_forget(handle);
}

/* The handle is new. */
void il_holds_init(struct il_lock_handle *handle);

/* The handle closes, and its lock gives back what it has. */
void il_holds_fini(struct il_lock_handle *handle);

/* Records that the running task holds the grant: 0; ENOMEM and it has been given back; ECANCELED: the handle has been
 * closed since, and its lock freed with all that it had. */
int il_hold_add(struct il_lock_handle *handle, int64_t grant, struct il_lock_hold **result);

/* It is not held any more. */
void il_hold_forget(struct il_lock_hold *h);

/* The operation gives back what is held, told apart by its grant. What could not be given back is still held. False: it
 * has to be started. */
bool il_hold_give_back(struct il_lock_hold *h, struct il_op *op, bool abandoned);

/* Gives it back without waiting for an answer from another machine. 0 or errno. */
int il_hold_drop(struct il_lock_hold *h, bool abandoned);

/* The engine could not give the grant back: it is held as before. */
void il_hold_keep(struct il_lock_handle *handle, int64_t grant);

/* The running task's; the latest, for one whose lease has ended stays until it is released. NULL without. */
struct il_lock_hold *il_hold_own(const struct il_lock_handle *handle);

/* What release() gives back: the task's own, or what any may release; what a guard stands for only if there is nothing
 * else, and only if the guard is the task's. NULL without. */
struct il_lock_hold *il_hold_to_release(const struct il_lock_handle *handle);

/* `attempt` of a wait for the loss of a hold, op->state: it ends with the hold. */
bool il_hold_is_over(struct il_op *op);

/* Is its lease over? As far as is known here. */
bool il_hold_is_lost(const struct il_lock_hold *h);

#endif
