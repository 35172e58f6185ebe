/* SPDX-License-Identifier: MIT
 *
 * Semaphore sets, see semset.h. Every change is made with SEM_UNDO, so the kernel takes it back when the process dies,
 * the setting up included: a creator that is killed leaves nothing half-made behind. The first user of a set gives it
 * its permits, as PHP does.
 * Floor 2.
 */
#include "engines/sysv/semset.h"
#include "base/fork.h"
#include "base/reason.h"
#include "engines/sysv/state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PHP_MEMBERS = 3, SETUP_SECONDS = 2, TRIES = 16 };

union semun { /* of semctl(2), for its callers to declare */
	int val;
	struct semid_ds *buf;
	struct seminfo *info;
};

static int removed(int err)
{
	return err == EINVAL ? EIDRM : err; /* the id is gone for good */
}

static int operate(int id, struct sembuf *ops, size_t count)
{
	while (semop(id, ops, count))
		if (errno != EINTR)
			return removed(errno);
	return 0;
}

static int get(int id, int member, int *value)
{
	*value = semctl(id, member, GETVAL);
	return *value < 0 ? removed(errno) : 0;
}

static int set(int id, int member, int value)
{
	union semun arg = { .val = value };
	return semctl(id, member, SETVAL, arg) ? removed(errno) : 0;
}

/* Alone with the set, and one of its users. */
static int begin_setup(int id)
{
	struct timespec patience = { .tv_sec = SETUP_SECONDS };
	struct sembuf ops[] = { { IL_SETUP, 0, 0 }, { IL_SETUP, 1, SEM_UNDO }, { IL_USERS, 1, SEM_UNDO } };
	while (semtimedop(id, ops, 3, &patience))
		if (errno != EINTR)
			return errno == EAGAIN ? ETIMEDOUT : removed(errno);
	return 0;
}

static int end_setup(int id, int users)
{
	struct sembuf ops[] = { { IL_SETUP, -1, SEM_UNDO }, { IL_USERS, -1, SEM_UNDO } };
	return operate(id, ops, users ? 1 : 2);
}

/* A semaphore and a mutex are both sets, but not of the same key. */
static int check_noun(const struct il_sysv_semset *s)
{
	int held, err = get(s->id, IL_HELD, &held);
	return err ? err : s->mutex == (held != IL_NO_MUTEX) ? 0 : EINVAL;
}

/* The first user gives the permits out. A set that knows how many there are has got them already: a process that has
 * one need not be among the users, so they are not handed out twice; only what a foreign first user gave too many is
 * taken back. */
static int hand_out(struct il_sysv_semset *s, struct il_lock_options *o)
{
	int users, permits, max = 0, err = get(s->id, IL_USERS, &users);
	if (!err)
		err = get(s->id, IL_PERMITS, &permits);
	if (!err && s->members == IL_MEMBERS)
		err = get(s->id, IL_MAXIMUM, &max);
	if (err)
		return err;
	if (o->max && max && max != o->max) {
		o->found = max;
		return EEXIST;
	}
	bool known = max != 0;
	if (o->max && known && (err = check_noun(s)))
		return err;
	max = known ? max : o->max;
	if (users > 1 || !max || (known && permits <= max))
		return 0;
	err = set(s->id, IL_PERMITS, max);
	if (!err && !known && s->members == IL_MEMBERS && !s->mutex)
		err = set(s->id, IL_HELD, IL_NO_MUTEX);
	if (!err && s->members == IL_MEMBERS) /* the last: now the rest is believed */
		err = set(s->id, IL_MAXIMUM, max);
	return err;
}

static int join(struct il_sysv_semset *s, struct il_lock_options *o)
{
	int err = begin_setup(s->id);
	if (err)
		return err;
	err = hand_out(s, o);
	int end = end_setup(s->id, !err);
	s->generation = err || end ? 0 : il_fork.generation;
	return err ? err : end;
}

static struct seminfo limits(void)
{
	struct seminfo info = { 0 };
	semctl(0, 0, IPC_INFO, (union semun){ .info = &info });
	return info;
}

/* No set is there, and none can be made. */
static int no_set(int err)
{
	struct seminfo info = limits();
	if (err == ENOENT && info.semmsl < IL_MEMBERS)
		return il_because(ENOSPC,
			"a set takes %d semaphores, and the limit is %d (the 1st number of kernel.sem)", IL_MEMBERS,
			info.semmsl);
	if (err == ENOSPC)
		return il_because(ENOSPC,
			"there are %d sets already, or %d semaphores in them (the 4th and the 2nd number of "
			"kernel.sem)",
			info.semmni, info.semmns);
	return err;
}

/* A set on which no operation is possible was made for nothing. */
static int too_many_steps(int id)
{
	struct semid_ds ds;
	union semun arg = { .buf = &ds };
	if (semctl(id, 0, IPC_STAT, arg) == 0 && ds.sem_otime == 0)
		semctl(id, 0, IPC_RMID);
	return il_because(E2BIG,
		"to join a set takes 3 steps at once, and the limit is %d (the 3rd number of kernel.sem)",
		limits().semopm);
}

/* A set of PHP's has three members, and that is enough for all but a dead holder's mark. Other sets are no locks. */
static int find(const struct il_key *key, unsigned mode, int *id, int *members)
{
	struct semid_ds ds;
	union semun arg = { .buf = &ds };
	*id = semget(key->id, IL_MEMBERS, mode == IL_MODE_EXISTING ? 0 : IPC_CREAT | (int)mode);
	if (*id < 0 && errno == EINVAL)
		*id = semget(key->id, 0, 0);
	if (*id < 0)
		return no_set(errno);
	if (semctl(*id, 0, IPC_STAT, arg))
		return removed(errno);
	*members = (int)ds.sem_nsems;
	return *members == PHP_MEMBERS || *members == IL_MEMBERS ? 0 : EINVAL;
}

static struct il_sysv_semset *opened(int id)
{
	struct il_table_item *item = il_table_find(&il_sysv_state()->sets, (uint64_t)id);
	return item ? il_container_of(item, struct il_sysv_semset, item) : NULL;
}

static void drop(struct il_sysv_semset *s)
{
	if (--s->refs)
		return;
	struct sembuf leave = { IL_USERS, -1, SEM_UNDO | IPC_NOWAIT };
	if (il_fork_is_own(s->generation))
		operate(s->id, &leave, 1);
	il_table_del(&il_sysv_state()->sets, &s->item);
	free(s);
}

/* What this process has joined already. */
static int check_joined(const struct il_sysv_semset *s, struct il_lock_options *o, bool mutex)
{
	int max = 0, err = s->members == IL_MEMBERS ? get(s->id, IL_MAXIMUM, &max) : 0;
	o->found = max;
	if (err)
		return err;
	return max && max != o->max ? EEXIST : s->mutex != mutex ? EINVAL : 0;
}

static int open_set(const struct il_key *key, struct il_lock_options *o, const struct il_blocking_queue_type *type,
	bool mutex, struct il_sysv_semset **result)
{
	int id, members = 0, err = find(key, o->mode, &id, &members);
	if (err)
		return err;
	struct il_sysv_semset *s = opened(id);
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return ENOMEM;
		*s = (struct il_sysv_semset){ .id = id, .key = key->id, .members = members, .mutex = mutex };
		il_blocking_queue_init(&s->waits, type);
		il_table_add(&il_sysv_state()->sets, &s->item, (uint64_t)id);
	}
	s->refs++;
	err = il_fork_is_own(s->generation) || s->mutex != mutex ? check_joined(s, o, mutex) : join(s, o);
	if (err)
		drop(s);
	else
		*result = s;
	return err == E2BIG ? too_many_steps(id) : err;
}

/* It may be removed between any two steps, and then there is a new one to be had. */
int il_sysv_semset_open(const struct il_key *key, struct il_lock_options *o, const struct il_blocking_queue_type *type,
	il_sysv_give *give, const struct il_lock_ops *ops, struct il_lock **l)
{
	struct il_sysv_lock *handle = calloc(1, sizeof *handle);
	int err = EIDRM;
	if (!handle)
		return ENOMEM;
	for (int i = 0; i < TRIES && (err == EIDRM || err == ENOENT); i++)
		err = open_set(key, o, type, ops->holder.attempt, &handle->set);
	if (err) {
		free(handle);
		return err;
	}
	handle->lock.ops = ops;
	handle->give = give;
	handle->generation = il_fork.generation;
	*l = &handle->lock;
	return 0;
}

int il_sysv_semset_op(struct il_sysv_semset *s, struct sembuf *ops, size_t count)
{
	if (!il_fork_is_own(s->generation)) {
		int err = join(s, &(struct il_lock_options){ .max = 0 });
		if (err)
			return err;
	}
	return operate(s->id, ops, count);
}

struct il_sysv_lock *il_sysv_lock(struct il_lock *l)
{
	struct il_sysv_lock *handle = il_container_of(l, struct il_sysv_lock, lock);
	if (!il_fork_is_own(handle->generation)) {
		handle->generation = il_fork.generation;
		handle->held = 0;
	}
	return handle;
}

bool il_sysv_semset_attempt(struct il_op *op)
{
	return il_blocking_queue_attempt(&il_sysv_lock(op->source)->set->waits, op);
}

int il_sysv_semset_start(struct il_op *op)
{
	il_blocking_queue_start(&il_sysv_lock(op->source)->set->waits, op);
	return 0;
}

bool il_sysv_semset_cancel(struct il_op *op)
{
	return il_blocking_queue_cancel(&il_container_of(op->source, struct il_sysv_lock, lock)->set->waits, op);
}

/* EINTR is for the queue of operations: it knows whether to stop. */
int il_sysv_semset_block(struct il_blocking_queue *waits)
{
	struct sembuf take = { IL_PERMITS, -1, SEM_UNDO };
	return semop(il_container_of(waits, struct il_sysv_semset, waits)->id, &take, 1) ? removed(errno) : 0;
}

int il_sysv_semset_value(struct il_lock *l, int *permits)
{
	return get(il_sysv_lock(l)->set->id, IL_PERMITS, permits);
}

bool il_sysv_semset_value_attempt(struct il_op *op)
{
	op->err = il_sysv_semset_value(op->source, &op->lock.permits);
	return true;
}

bool il_sysv_semset_remove(struct il_op *op)
{
	op->err = semctl(il_sysv_lock(op->source)->set->id, 0, IPC_RMID) ? removed(errno) : 0;
	return true;
}

static int release(struct il_sysv_lock *handle, bool abandoned)
{
	if (!handle->held)
		return EPERM;
	int err = handle->give(handle->set, abandoned);
	if (!err || err == EIDRM)
		handle->held--;
	if (!err)
		il_blocking_queue_retry(&handle->set->waits);
	return err;
}

bool il_sysv_semset_release(struct il_op *op)
{
	op->err = release(il_sysv_lock(op->source), op->lock.abandoned);
	return true;
}

void il_sysv_semset_close(struct il_lock *l)
{
	struct il_sysv_lock *handle = il_sysv_lock(l);
	while (handle->held && release(handle, l->unreported) == 0)
		;
	il_blocking_queue_close(&handle->set->waits, l);
	drop(handle->set);
	free(handle);
}
