/* SPDX-License-Identifier: MIT
 *
 * System V semaphore sets as PHP's sem_get lays them out: 0 the permits, 1 the processes that use it, 2 held while it
 * is set up. Then ours: 3 how many permits there are, 4 one while a mutex is held, left there by a holder that dies;
 * two in a semaphore, which is no mutex. A set is opened once per process, however many handles there are. Floor 2: no
 * lua.h.
 */
#ifndef IL_SYSV_SEMSET_H
#define IL_SYSV_SEMSET_H

#include "base/table.h"
#include "engines/engine.h"
#include "engines/sysv/blocking_queue.h"

#include <sys/sem.h>

enum { IL_PERMITS, IL_USERS, IL_SETUP, IL_MAXIMUM, IL_HELD, IL_MEMBERS };
enum { IL_NO_MUTEX = 2 }; /* of IL_HELD */

struct il_sysv_semset {
	struct il_table_item item; /* among those of this process */
	struct il_blocking_queue waits; /* operations that wait for a permit */
	int id, refs, members;
	bool mutex;
	int32_t key;
	uint32_t generation; /* of the process that is counted among the users */
};

/* Gives a permit back. abandoned: as if its holder had died. 0 or errno. */
typedef int il_sysv_give(struct il_sysv_semset *set, bool abandoned);

/* A handle: what it holds it gives back. */
struct il_sysv_lock {
	struct il_lock lock;
	struct il_sysv_semset *set;
	il_sysv_give *give;
	int held;
	uint32_t generation; /* that holds */
};

/* Opens or makes the set and counts this process among its users. EEXIST: o->found is its max. EINVAL: the set is
 * no lock, or that of the other noun. */
int il_sysv_semset_open(const struct il_key *key, struct il_lock_options *o, const struct il_blocking_queue_type *type,
	il_sysv_give *give, const struct il_lock_ops *ops, struct il_lock **l);

/* semop(2) of this process, counted among the users first if it has been forked meanwhile. EIDRM: it was removed. */
int il_sysv_semset_op(struct il_sysv_semset *set, struct sembuf *ops, size_t count);

/* The handle as this process sees it: in a forked child it holds nothing. */
struct il_sysv_lock *il_sysv_lock(struct il_lock *l);

/* What both kinds have in common. */
bool il_sysv_semset_attempt(struct il_op *op);
int il_sysv_semset_start(struct il_op *op);
bool il_sysv_semset_cancel(struct il_op *op);
int il_sysv_semset_block(struct il_blocking_queue *waits);
int il_sysv_semset_value(struct il_lock *l, int *permits);
bool il_sysv_semset_release(struct il_op *op);
bool il_sysv_semset_value_attempt(struct il_op *op);
bool il_sysv_semset_remove(struct il_op *op);

/* Gives back what the handle holds. */
void il_sysv_semset_close(struct il_lock *l);

#endif
