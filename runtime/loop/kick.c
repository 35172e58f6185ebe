/* SPDX-License-Identifier: MIT
 *
 * Kicks, see kick.h. Floor 1a.
 */
#include "loop/kick.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/signals.h"
#include "loop/state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AGAIN = 1000000 }; /* ns between two signals */

static inline struct il_kick *kick(void)
{
	return &il_loop->kick;
}

static void disarm(struct il_kick *k)
{
	struct itimerspec never = { 0 };
	atomic_store(&k->armed, false);
	timer_settime(k->timer, 0, &never, NULL);
}

/* Another thread may have armed the timer after the call was over. */
static void interrupt(int number)
{
	int saved = errno;
	(void)number;
	if (atomic_load(&kick()->armed) && !atomic_load(&kick()->blocked))
		disarm(kick());
	errno = saved;
}

int il_kick_handler(void)
{
	struct sigaction sa = { .sa_handler = interrupt };
	sigemptyset(&sa.sa_mask);
	return sigaction(IL_SIGNAL_POOL, &sa, NULL) ? errno : 0;
}

/* The thread may have been started with the signal blocked. */
bool il_kick_prepare(void)
{
	struct il_kick *k = kick();
	struct sigevent how = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = IL_SIGNAL_POOL };
	sigset_t pool;
	if (il_fork_is_own(k->owner))
		return true;
	how._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	atomic_store(&k->armed, false);
	sigemptyset(&pool);
	sigaddset(&pool, IL_SIGNAL_POOL);
	if (il_kick_handler() || pthread_sigmask(SIG_UNBLOCK, &pool, NULL) ||
		timer_create(CLOCK_MONOTONIC, &how, &k->timer))
		return false;
	k->owner = il_fork.generation;
	return true;
}

static void arm(struct il_kick *k, int flags, int64_t when)
{
	struct itimerspec times = { .it_value = il_timespec(when), .it_interval = { .tv_nsec = AGAIN } };
	atomic_store(&k->armed, true);
	timer_settime(k->timer, flags, &times, NULL);
}

bool il_kick_begin(int64_t until)
{
	atomic_store(&kick()->blocked, true);
	if (until != IL_NEVER)
		arm(kick(), TIMER_ABSTIME, until);
	return atomic_load(&il_loop->wakes) == il_loop->wakes_seen;
}

void il_kick_end(void)
{
	atomic_store(&kick()->blocked, false);
	if (atomic_load(&kick()->armed))
		disarm(kick());
}

void il_kick(struct il_loop *loop)
{
	arm(&loop->kick, 0, 1);
}
