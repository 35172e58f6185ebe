/* SPDX-License-Identifier: MIT
 *
 * Gates, see gate.h. A process that waits says so, and then looks once more before it sleeps; one that leaves looks
 * for that afterwards. A wake-up that goes astray, since its receiver has just given up, costs the others a slice.
 * Floor 2.
 */
#include "engines/store/gate.h"
#include "base/clock.h"
#include "base/fork.h"
#include "os/identity.h"
#include "os/process_watch.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OWNER_BITS = 22, SPINS = 100 }; /* no pid has more */

static const int64_t SLICE = IL_SECOND / 500, SOON = IL_SECOND / 50;

static uint64_t self(void)
{
	return il_identity_start() << OWNER_BITS | (uint64_t)il_fork.pid;
}

static pid_t pid_of(uint64_t owner)
{
	return (pid_t)(owner & ((1 << OWNER_BITS) - 1));
}

/* 0 or EBUSY, and the owner that is in the way. */
static inline int take(struct il_gate *g, uint64_t *owner)
{
	uint64_t free = 0;
	bool taken = atomic_compare_exchange_strong((_Atomic uint64_t *)&g->owner, &free, self());
	*owner = free;
	return taken ? 0 : EBUSY;
}

/* From one that has ended; or from ourselves, and we are not inside: another process wrote that there. */
static bool take_over(struct il_gate *g, uint64_t owner)
{
	bool gone = owner == self() || il_process_watch_ended(pid_of(owner), owner >> OWNER_BITS);
	return gone && atomic_compare_exchange_strong((_Atomic uint64_t *)&g->owner, &owner, self());
}

static uint32_t announce(struct il_gate *g)
{
	uint32_t turns = atomic_load((_Atomic uint32_t *)&g->turns);
	atomic_store((_Atomic uint32_t *)&g->waiting, 1);
	return turns;
}

static int doubt(struct il_gate *g, struct il_patience *p, uint64_t owner)
{
	uint32_t turns = announce(g);
	return il_patience_doubt(p, (uint64_t)turns << 32 | (uint32_t)owner, pid_of(owner));
}

/* 0; EBUSY: it has become free, and another was faster; ETIMEDOUT: the slice is over. */
static int sleep_at(struct il_gate *g, uint64_t *owner, int64_t slice)
{
	struct timespec ts = il_timespec(slice);
	uint32_t turns = announce(g);
	if (take(g, owner) == 0)
		return 0;
	bool turned = syscall(SYS_futex, &g->turns, FUTEX_WAIT, turns, &ts, NULL, 0) == 0 || errno == EAGAIN;
	return take(g, owner) == 0 ? 0 : turned ? EBUSY : ETIMEDOUT;
}

/* To ask whether the owner has ended costs more than the usual turn takes: only if it has stayed for a slice. */
static int __attribute__((noinline)) wait_for(struct il_gate *g, uint64_t owner, struct il_patience *p, bool patiently)
{
	for (int i = 0; i < SPINS; i++)
		if (atomic_load_explicit((_Atomic uint64_t *)&g->owner, memory_order_relaxed) == 0 &&
			take(g, &owner) == 0)
			return 0;
	int64_t until = il_now() + SOON;
	int err = p->since ? ETIMEDOUT : EBUSY;
	for (bool doubted = p->since, late = false;; doubted = late = il_now() > until) {
		if (err == ETIMEDOUT && take_over(g, owner))
			return 0;
		int how = doubted ? doubt(g, p, owner) : EBUSY;
		if (how == ETIMEDOUT || (!patiently && (how == EAGAIN || late)))
			return how == ETIMEDOUT ? ETIMEDOUT : EAGAIN;
		err = sleep_at(g, &owner, SLICE);
		if (!err)
			return 0;
	}
}

int il_gate_enter(struct il_gate *g, struct il_patience *p, bool patiently)
{
	uint64_t owner;
	int err = take(g, &owner);
	if (err)
		err = wait_for(g, owner, p, patiently);
	if (!err)
		il_patience_renew(p);
	return err;
}

void il_gate_leave(struct il_gate *g)
{
	atomic_exchange((_Atomic uint64_t *)&g->owner, 0);
	if (!atomic_load((_Atomic uint32_t *)&g->waiting))
		return;
	atomic_store((_Atomic uint32_t *)&g->waiting, 0);
	atomic_fetch_add((_Atomic uint32_t *)&g->turns, 1);
	syscall(SYS_futex, &g->turns, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

int il_gate_poll(struct il_gate *g, struct il_patience *p)
{
	uint64_t owner = atomic_load((_Atomic uint64_t *)&g->owner);
	if (!owner || owner == self() || il_process_watch_ended(pid_of(owner), owner >> OWNER_BITS))
		return 0;
	return doubt(g, p, owner);
}
