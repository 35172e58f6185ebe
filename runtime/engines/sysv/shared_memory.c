/* SPDX-License-Identifier: MIT
 *
 * Shared memory for Lua in a System V segment: the slots from its first byte on, as any program expects them, and then,
 * a cache line apart, our own words (slots.h). The segment of another program has no such words: all but waiting works
 * there. Ours are told apart by their size, which no array of 64-bit numbers has. Floor 2.
 */
#include "base/reason.h"
#include "base/shared_atomic.h"
#include "engines/slots.h"
#include "engines/sysv/sysv.h"
#include "os/identity.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/shm.h>

enum { LAYOUT = 1, GAP = 64, TRIES = 64 };

/* A new segment is all zero, and that is what these are at first. */
struct words {
	uint64_t pids; /* the pid namespace in which the latch means something */
	uint32_t layout;
	uint32_t latch, changes, parked, removed;
};

enum { WORDS_SIZE = offsetof(struct words, removed) + sizeof(uint32_t), EXTRA = GAP + WORDS_SIZE };

_Static_assert(WORDS_SIZE == 28 && EXTRA % sizeof(int64_t) == 4, "the size tells whose it is");

struct memory {
	struct il_slots_handle handle;
	struct il_slots slots;
	int id;
};

static struct memory *memory_of(struct il_memory *m)
{
	return il_container_of(m, struct memory, handle.memory);
}

static int gone_error(int err)
{
	return err == EINVAL ? EIDRM : err; /* the id is gone for good */
}

/* 0: how many slots a segment has, and whether it is ours. EIDRM: it is on its way out. */
static int describe(int id, size_t *slots, bool *ours)
{
	struct shmid_ds ds;
	if (shmctl(id, IPC_STAT, &ds))
		return gone_error(errno);
	if (ds.shm_perm.mode & SHM_DEST)
		return EIDRM;
	size_t size = ds.shm_segsz;
	*ours = size > EXTRA && (size - EXTRA) % sizeof(int64_t) == 0;
	*slots = (*ours ? size - EXTRA : size) / sizeof(int64_t);
	return *slots && (*ours || size % sizeof(int64_t) == 0) ? 0 : EINVAL;
}

static bool gone(struct il_slots *s)
{
	size_t slots;
	bool ours;
	return describe(il_container_of(s, struct memory, slots)->id, &slots, &ours) == EIDRM;
}

/* The first process writes it; all write the same. */
static int sign(struct words *w)
{
	uint32_t layout = 0;
	uint64_t pids = 0, own = il_identity_space();
	if (!atomic_compare_exchange_strong((_Atomic uint32_t *)&w->layout, &layout, LAYOUT) && layout != LAYOUT)
		return EPROTO;
	if (!atomic_compare_exchange_strong((_Atomic uint64_t *)&w->pids, &pids, own) && pids != own)
		return EXDEV;
	return il_get(&w->removed) ? EIDRM : 0;
}

/* Why a segment of this size cannot be made. */
static int no_segment(int err, size_t size)
{
	struct shminfo info = { 0 };
	shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&info);
	if (err == EINVAL && size > info.shmmax)
		return il_because(ENOSPC, "its %zu bytes are over the limit of %lu (kernel.shmmax)", size, info.shmmax);
	if (err == ENOSPC)
		return il_because(ENOSPC,
			"there are %lu segments already, or they have %lu pages (kernel.shmmni, kernel.shmall)",
			info.shmmni, info.shmall);
	return err;
}

/* EIDRM: another process was faster. */
static int find(const struct il_key *key, const struct il_memory_options *o, int *id)
{
	size_t size = o->slots * sizeof(int64_t) + EXTRA;
	*id = shmget(key->id, 0, 0);
	if (*id >= 0 || errno != ENOENT || o->mode == IL_MODE_EXISTING)
		return *id >= 0 ? 0 : errno;
	*id = shmget(key->id, size, IPC_CREAT | IPC_EXCL | (int)o->mode);
	if (*id >= 0)
		return 0;
	return errno == EEXIST ? EIDRM : no_segment(errno, size);
}

/* EIDRM: there may be a new one. */
static int attach(const struct il_key *key, struct il_memory_options *o, struct memory *m)
{
	size_t slots;
	bool ours;
	int err = find(key, o, &m->id);
	if (!err)
		err = describe(m->id, &slots, &ours);
	if (err)
		return err;
	o->found = slots;
	if (slots != o->slots)
		return EEXIST;
	void *at = shmat(m->id, NULL, 0);
	if (at == (void *)-1)
		return gone_error(errno);
	m->slots = (struct il_slots){ .at = at, .count = slots };
	if (ours) {
		struct words *w = (struct words *)(void *)((char *)at + slots * sizeof(int64_t) + GAP);
		err = sign(w);
		m->slots.space = &w->pids;
		m->slots.latch = &w->latch;
		m->slots.changes = &w->changes;
		m->slots.marks = &w->parked;
		m->slots.removed = &w->removed;
		m->slots.gone = gone;
	}
	if (!err) /* what is removed between shmget and shmat can still be attached */
		err = describe(m->id, &slots, &ours);
	if (err)
		shmdt(at);
	return err;
}

/* A process that is woken finds that it is removed, even if this process is killed before it has written that down.
 * Another program may have removed it: then the waits end now. */
static int remove_memory(struct il_memory *m)
{
	struct il_slots *s = &memory_of(m)->slots;
	bool ours = s->removed;
	int err = ours ? il_slots_enter(s) : 0;
	if (err)
		return err;
	bool before = gone(s);
	if (ours)
		il_slots_change(s);
	if (!before && shmctl(memory_of(m)->id, IPC_RMID, NULL))
		err = gone_error(errno);
	if (ours && (!err || err == EIDRM))
		il_put(s->removed, 1);
	if (ours)
		il_slots_leave(s);
	il_slots_poll(s);
	return before ? EIDRM : err;
}

static bool removed(struct il_memory *m)
{
	return gone(&memory_of(m)->slots);
}

static void close_memory(struct il_memory *m)
{
	struct memory *memory = memory_of(m);
	il_slots_close(&memory->slots, m);
	il_slots_fini(&memory->slots);
	shmdt(memory->slots.at);
	free(memory);
}

static bool remove_attempt(struct il_op *op)
{
	op->err = remove_memory(op->source);
	return true;
}

static const struct il_memory_ops ops = {
	.wait = { "memory wait", il_slots_wait_attempt, il_slots_wait_start, il_slots_wait_cancel },
	.mapped = { .write = il_slots_write, .add = il_slots_add, .swap = il_slots_swap },
	.remove = { "memory remove", remove_attempt, NULL, NULL },
	.removed = removed,
	.close = close_memory,
};

int il_sysv_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **m)
{
	int err = il_identity_require();
	if (err)
		return err;
	struct memory *memory = calloc(1, sizeof *memory);
	if (!memory)
		return ENOMEM;
	err = EIDRM;
	for (int i = 0; i < TRIES && err == EIDRM; i++)
		err = attach(key, o, memory);
	if (err) {
		free(memory);
		return err;
	}
	il_slots_init(&memory->slots);
	il_slots_handle_init(&memory->handle, &memory->slots, &ops);
	*m = &memory->handle.memory;
	return 0;
}
