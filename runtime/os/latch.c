/* SPDX-License-Identifier: MIT
 *
 * The latch, see latch.h. It obeys the kernel's protocol of robust futexes: the owner's thread number in the word, with
 * FUTEX_WAITERS if others sleep on it; at a thread's death the kernel puts FUTEX_OWNER_DIED into the word that the
 * field list_op_pending of the thread's robust list points to, and wakes one. Unlike the list itself, that field lives
 * in the thread's own memory: no pointer is read from the segment. Floor 1b.
 */
#include "os/latch.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "loop/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of a word that was taken by il_latch_second; no thread's number has that bit. */
enum { SPINS = 100, SECOND = 1 << 29 };

static const int64_t SLICE = IL_SECOND / 10, SOON = IL_SECOND / 50;

/* Of the thread that Lua runs on. The model spares ipc.so a call for each access. */
static _Thread_local struct {
	uint32_t generation; /* for which the rest is right */
	uint32_t tid;
	struct robust_list_head *head;
} self __attribute__((tls_model("initial-exec")));

static void learn(void)
{
	size_t size;
	self.tid = (uint32_t)syscall(SYS_gettid);
	if (syscall(SYS_get_robust_list, 0, &self.head, &size))
		self.head = NULL;
	self.generation = il_fork.generation;
}

/* What the kernel reads when this thread dies. */
static inline void announce(struct robust_list_head *head, void *entry)
{
	*(void *volatile *)&head->list_op_pending = entry;
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void announce_latch(uint32_t *word)
{
	if (self.head)
		announce(self.head, (char *)word - self.head->futex_offset);
}

static inline void announce_nothing(void)
{
	if (self.head)
		announce(self.head, NULL);
}

/* Has its owner died? One that had it as a second latch has, if the first is ours. */
static inline bool is_dead(uint32_t found, uint32_t mark)
{
	return found & FUTEX_OWNER_DIED || found & mark & SECOND;
}

/* 0 or EOWNERDEAD; else EBUSY, and the value in the way. */
static inline int take(uint32_t *word, uint32_t mark, uint32_t *found)
{
	_Atomic uint32_t *w = (_Atomic uint32_t *)word;
	*found = 0;
	if (atomic_compare_exchange_strong_explicit(w, found, self.tid | mark, memory_order_acquire,
		    memory_order_relaxed))
		return 0;
	if (is_dead(*found, mark) && atomic_compare_exchange_strong(w, found, self.tid | mark | FUTEX_WAITERS))
		return EOWNERDEAD;
	return EBUSY;
}

/* Until the owner wakes us, but not for longer than a slice, since a damaged word never does. 0: it has moved; EAGAIN:
 * it has not; EUCLEAN. */
static int sleep_on(uint32_t *word, uint32_t found, int64_t slice)
{
	struct timespec ts = il_timespec(slice);
	pid_t owner = (pid_t)(found & FUTEX_TID_MASK);
	if (found == 0 || found & FUTEX_OWNER_DIED)
		return 0;
	if (!(found & FUTEX_WAITERS) &&
		!atomic_compare_exchange_strong((_Atomic uint32_t *)word, &found, found | FUTEX_WAITERS))
		return 0;
	found |= FUTEX_WAITERS;
	if (syscall(SYS_futex, word, FUTEX_WAIT, found, &ts, NULL, 0) == 0 || errno == EAGAIN)
		return 0;
	bool gone = owner == 0 || owner == (pid_t)self.tid || (kill(owner, 0) && errno == ESRCH);
	return !gone ? EAGAIN : il_get(word) == found ? EUCLEAN : 0;
}

static int doubt(struct il_patience *p, uint32_t found)
{
	pid_t owner = (pid_t)(found & FUTEX_TID_MASK);
	return il_patience_doubt(p, (uint64_t)owner, owner);
}

/* EBUSY: go on; EAGAIN: it is not for now. */
static int sleep_for(uint32_t *word, uint32_t found, struct il_patience *p, int64_t until, bool soon)
{
	int64_t now = il_now();
	if (now >= until)
		return EAGAIN;
	int err = sleep_on(word, found, until - now < SLICE ? until - now : SLICE);
	if (err == 0)
		il_patience_renew(p);
	if (err == EAGAIN)
		err = doubt(p, found);
	return err == 0 || (err == EAGAIN && !soon) ? EBUSY : err;
}

/* Which latch it is: one that is taken first; one that is taken alone, though it may be had as a second one; or a
 * second one. */
enum kind { FIRST, ALONE, JOINED };

static int wait_for(uint32_t *word, struct il_patience *p, enum kind kind, bool soon)
{
	uint32_t found, mark = kind == JOINED ? SECOND : 0;
	int err = take(word, mark, &found);
	for (int i = 0; err == EBUSY && i < SPINS; i++) {
		if (found == 0 || is_dead(found, mark))
			err = take(word, mark, &found);
		else
			found = il_get(word);
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#endif
	}
	if (err == EBUSY && p->since)
		err = doubt(p, found);
	if (err == EAGAIN && !soon)
		err = EBUSY;
	int64_t until = err != EBUSY ? 0 : soon ? il_now() + SOON : IL_NEVER;
	while (err == EBUSY) { /* others may sleep: the mark says so for them, too */
		err = take(word, mark | FUTEX_WAITERS, &found);
		if (err == EBUSY && kind == ALONE && found & SECOND)
			err = EDEADLK;
		if (err == EBUSY)
			err = sleep_for(word, found, p, until, soon);
	}
	return err;
}

/* The word was not free at the first attempt. */
static int __attribute__((noinline)) latch_busy(uint32_t *word, struct il_patience *p, enum kind kind, bool soon)
{
	int err = wait_for(word, p, kind, soon);
	if (err && err != EOWNERDEAD)
		announce_nothing();
	else
		il_patience_renew(p);
	return err;
}

static int latch_anew(uint32_t *word, struct il_patience *p, enum kind kind, bool soon);

static inline __attribute__((always_inline)) int latch(uint32_t *word, struct il_patience *p, enum kind kind, bool soon)
{
	uint32_t free = 0;
	if (!il_fork_is_own(self.generation))
		return latch_anew(word, p, kind, soon);
	announce_latch(word);
	if (!atomic_compare_exchange_strong_explicit((_Atomic uint32_t *)word, &free, self.tid, memory_order_acquire,
		    memory_order_relaxed))
		return latch_busy(word, p, kind, soon);
	il_patience_renew(p);
	return 0;
}

/* The first time in this process. */
static int __attribute__((noinline)) latch_anew(uint32_t *word, struct il_patience *p, enum kind kind, bool soon)
{
	learn();
	return latch(word, p, kind, soon);
}

int il_latch(uint32_t *word, struct il_patience *p)
{
	return latch(word, p, FIRST, false);
}

int il_latch_soon(uint32_t *word, struct il_patience *p)
{
	return latch(word, p, FIRST, true);
}

int il_latch_alone(uint32_t *word, struct il_patience *p, bool soon)
{
	return latch(word, p, ALONE, soon);
}

int il_latch_second(uint32_t *word, struct il_patience *p, bool soon)
{
	uint32_t free = 0;
	int err = 0;
	if (!atomic_compare_exchange_strong_explicit((_Atomic uint32_t *)word, &free, self.tid | SECOND,
		    memory_order_acquire, memory_order_relaxed))
		err = wait_for(word, p, JOINED, soon);
	if (!err || err == EOWNERDEAD)
		il_patience_renew(p);
	return err;
}

void il_unlatch_second(uint32_t *word)
{
	uint32_t was = atomic_exchange_explicit((_Atomic uint32_t *)word, 0, memory_order_release);
	if (was & FUTEX_WAITERS)
		il_futex_wake(word);
}

int il_latch_gather(uint32_t *word, uint32_t *from)
{
	atomic_fetch_or((_Atomic uint32_t *)word, FUTEX_WAITERS);
	long n = syscall(SYS_futex, from, FUTEX_REQUEUE, 0, (void *)(uintptr_t)INT_MAX, word, 0);
	return n > 0 ? (int)n : 0;
}

void il_unlatch(uint32_t *word, bool wake)
{
	uint32_t was = atomic_exchange_explicit((_Atomic uint32_t *)word, 0, memory_order_release);
	if (wake || was & FUTEX_WAITERS)
		il_futex_wake(word);
	announce_nothing();
}

void il_unlatch_dead(uint32_t *word)
{
	atomic_exchange_explicit((_Atomic uint32_t *)word, FUTEX_OWNER_DIED, memory_order_release);
	il_futex_wake(word);
	announce_nothing();
}
