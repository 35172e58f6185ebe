/* SPDX-License-Identifier: MIT
 *
 * The System V objects that there are, see list.h. Floor 2.
 */
#include "engines/sysv/list.h"
#include "engines/sysv/semset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

/* What comes behind the slots of a segment of ours, see shared_memory.c of this folder: no array of 64-bit numbers has
 * such a size. */
enum { WORDS = 92 };

union semun { /* of semctl(2), for its callers to declare */
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static void describe(struct il_found *f, const char *noun, const struct ipc_perm *p, int64_t made)
{
	f->noun = noun;
	snprintf(f->key, sizeof f->key, p->__key == IPC_PRIVATE ? "sysv:private" : "sysv:0x%08x", (unsigned)p->__key);
	f->made = made * 1000000000;
	f->owner = p->uid;
	f->mode = p->mode & 0777;
	f->foreign = p->__key == IPC_PRIVATE;
}

/* An object that may not be looked at. */
static bool refuse(struct il_found *f, bool failed)
{
	if (failed)
		f->fault = il_found_fault(errno);
	return failed;
}

static int add_queue(struct il_listing *l, const struct msqid_ds *ds)
{
	struct il_found *f = il_listing_add(l, "sysv");
	if (!f)
		return ENOMEM;
	describe(f, "queue", &ds->msg_perm, ds->msg_ctime);
	f->size = (int64_t)ds->__msg_cbytes;
	f->holds = ds->msg_qnum > 0;
	il_found_number(f, "messages", (int64_t)ds->msg_qnum);
	il_found_number(f, "bytes", (int64_t)ds->__msg_cbytes);
	il_found_number(f, "capacity", (int64_t)ds->msg_qbytes);
	il_found_number(f, "last_sender", ds->msg_lspid);
	il_found_number(f, "last_receiver", ds->msg_lrpid);
	return 0;
}

static int list_queues(struct il_listing *l)
{
	struct msqid_ds ds;
	int err = 0, last = msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&(struct msginfo){ 0 });
	for (int i = 0; !err && i <= last; i++)
		if (msgctl(i, MSG_STAT_ANY, &ds) >= 0)
			err = add_queue(l, &ds);
	return err;
}

static int add_segment(struct il_listing *l, const struct shmid_ds *ds)
{
	struct il_found *f = ds->shm_perm.mode & SHM_DEST ? NULL : il_listing_add(l, "sysv");
	if (!f)
		return ds->shm_perm.mode & SHM_DEST ? 0 : ENOMEM;
	describe(f, "shared_memory", &ds->shm_perm, ds->shm_ctime);
	bool ours = ds->shm_segsz > WORDS && (ds->shm_segsz - WORDS) % sizeof(int64_t) == 0;
	f->foreign |= !ours;
	f->size = (int64_t)ds->shm_segsz;
	f->users = (int)ds->shm_nattch;
	f->holds = true;
	il_found_number(f, "slots", (int64_t)((ds->shm_segsz - (ours ? WORDS : 0)) / sizeof(int64_t)));
	return 0;
}

static int list_segments(struct il_listing *l)
{
	struct shmid_ds ds;
	int err = 0, last = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&(struct shm_info){ 0 });
	for (int i = 0; !err && i <= last; i++)
		if (shmctl(i, SHM_STAT_ANY, &ds) >= 0)
			err = add_segment(l, &ds);
	return err;
}

/* PHP's have three members, and do not say how many permits there are. */
static void describe_set(struct il_found *f, int id, const unsigned short *values)
{
	bool mutex = values[IL_HELD] != IL_NO_MUTEX;
	int max = values[IL_MAXIMUM], held = max - values[IL_PERMITS];
	f->noun = mutex ? "mutex" : "semaphore";
	f->users = values[IL_USERS];
	f->holds = mutex && held <= 0 && values[IL_HELD];
	il_found_number(f, "max", max);
	il_found_number(f, "held", held > 0 ? held : 0);
	il_found_number(f, "waiters", semctl(id, IL_PERMITS, GETNCNT));
	if (mutex && held > 0)
		il_found_number(f, "holder", semctl(id, IL_PERMITS, GETPID));
	if (mutex)
		il_found_number(f, "abandoned", f->holds);
}

static int add_set(struct il_listing *l, int id, const struct semid_ds *ds)
{
	unsigned short values[IL_MEMBERS] = { 0 };
	struct il_found *f = il_listing_add(l, "sysv");
	if (!f)
		return ENOMEM;
	describe(f, "semaphore", &ds->sem_perm, ds->sem_ctime);
	bool ours = ds->sem_nsems == IL_MEMBERS;
	if (ours && refuse(f, semctl(id, 0, GETALL, (union semun){ .array = values }) < 0))
		return 0;
	if (ours && values[IL_MAXIMUM])
		describe_set(f, id, values);
	else
		f->foreign = true;
	return 0;
}

static int list_sets(struct il_listing *l)
{
	struct semid_ds ds;
	struct seminfo info;
	int err = 0, id, last = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	for (int i = 0; !err && i <= last; i++)
		if ((id = semctl(i, 0, SEM_STAT_ANY, (union semun){ .buf = &ds })) >= 0)
			err = add_set(l, id, &ds);
	return err;
}

int il_sysv_list(const char *folder, struct il_listing *l)
{
	if (folder)
		return ENOTSUP;
	int err = list_queues(l);
	if (!err)
		err = list_segments(l);
	return err ? err : list_sets(l);
}

/* A process that uses a set is counted among its users, and joins it in one step, for which no other process sets it
 * up. So this one says that it does, if there is no user: a process that comes meanwhile waits, finds that the set was
 * removed, and makes a new one. */
static int remove_set(int id, unsigned how)
{
	struct sembuf alone[] = { { IL_USERS, 0, IPC_NOWAIT }, { IL_SETUP, 0, IPC_NOWAIT }, { IL_SETUP, 1, SEM_UNDO } };
	struct sembuf leave = { IL_SETUP, -1, SEM_UNDO };
	if (semop(id, alone, 3))
		return errno == EAGAIN ? EBUSY : errno == EINVAL || errno == EIDRM ? ENOENT : errno;
	int held = semctl(id, IL_HELD, GETVAL);
	int err = !(how & IL_UNUSED_ANYTHING) && held == 1 ? ENOTEMPTY : 0;
	bool look = how & IL_UNUSED_LOOK;
	if (!err && !look && semctl(id, 0, IPC_RMID))
		err = errno;
	if (err || look)
		semop(id, &leave, 1);
	return err;
}

/* These two do what ipcrm(1) does: only where the caller takes no account of what is in them. */
static int remove_queue(key_t key)
{
	int id = msgget(key, 0);
	return id < 0 || msgctl(id, IPC_RMID, NULL) ? errno : 0;
}

static int remove_segment(key_t key)
{
	struct shmid_ds ds;
	int id = shmget(key, 0, 0);
	if (id < 0 || shmctl(id, IPC_STAT, &ds))
		return errno;
	return ds.shm_nattch ? EBUSY : shmctl(id, IPC_RMID, NULL) ? errno : 0;
}

int il_sysv_remove_unused(const struct il_found *f, unsigned how)
{
	unsigned number;
	if (f->foreign || sscanf(f->key, "sysv:%x", &number) != 1)
		return ENOTSUP;
	key_t key = (key_t)number;
	if (strcmp(f->noun, "mutex") == 0 || strcmp(f->noun, "semaphore") == 0) {
		int id = semget(key, IL_MEMBERS, 0);
		return id < 0 ? errno : remove_set(id, how);
	}
	if (how != IL_UNUSED_ANYTHING)
		return ENOTSUP;
	return strcmp(f->noun, "queue") == 0 ? remove_queue(key) : remove_segment(key);
}
