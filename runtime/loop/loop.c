/* SPDX-License-Identifier: MIT
 *
 * The loop, see loop.h: how it asks and how it waits; what is watched is in epoll.c. It polls while that pays, then
 * sleeps on futexes if no operation waits for a descriptor, and else in epoll. Floor 1a.
 */
#include "loop/loop.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/reason.h"
#include "loop/epoll.h"
#include "loop/kick.h"
#include "loop/op.h"
#include "loop/poller.h"
#include "loop/state.h"
#include "loop/timer.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BATCH = 64, FIRST_PENALTY = 8, MOST_PENALTY = 4096, FEW = 16 };

/* ns: how long to poll before blocking, the usual wait up to which that pays, for how long to block where no thread can
 * watch, and what is a short while. */
enum { SPIN = 120000, WORTH_SPINNING = 100000, NAP = 1000000, SHORT = 20000000 };

/* In a forked child whatever waited has been dropped before. */
static void begin_anew(void)
{
	il_loop->unheard = true;
	il_heap_fini(&il_loop->deadlines);
	il_timers_drop();
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_LOOP, .anew = begin_anew };

void il_loop_init(void)
{
	il_fork_init();
	il_fork_add(&fork_hook);
}

static void dispatch(const struct epoll_event *events, int n);

/* The kernel reports what is left beyond a batch again. */
static void dispatch_rare(void)
{
	struct epoll_event events[BATCH];
	dispatch(events, epoll_wait(il_loop->epoll.rare_fd, events, BATCH, 0));
}

static void dispatch(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t data = events[i].data.u64;
		if (data == IL_EPOLL_WAKE)
			il_thread_pool_collect();
		if (data == IL_EPOLL_RARE)
			dispatch_rare();
		if (data >= IL_EPOLL_RARE)
			continue;
		struct il_watched *w = &il_loop->epoll.table[(uint32_t)data];
		if (w->io && w->generation == (uint32_t)(data >> 32))
			w->io->ready(w->io, events[i].events);
	}
}

static void expire(void)
{
	int64_t now = INT64_MIN;
	while (il_heap_min(&il_loop->deadlines) != IL_NEVER) {
		if (il_heap_min(&il_loop->deadlines) > now && il_heap_min(&il_loop->deadlines) > (now = il_now()))
			break;
		il_wait_end(il_container_of(il_heap_top(&il_loop->deadlines), struct il_wait, deadline), IL_TIMEOUT);
	}
}

static bool several_cpus(void)
{
	static int count;
	cpu_set_t set;
	if (!count)
		count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	return count > 1;
}

/* There was no descriptor left for an epoll set, so none is watched: all but descriptors can be waited for without one.
 */
static bool blind(void)
{
	return il_loop->epoll.epoll_fd < 0;
}

/* What il_loop_wake has said until now is among the events. */
static int query(struct epoll_event *events)
{
	uint32_t before = il_loop->wakes_seen;
	il_loop->wakes_seen = atomic_load(&il_loop->wakes);
	if (!blind())
		return epoll_wait(il_loop->epoll.epoll_fd, events, BATCH, 0);
	events[0] = (struct epoll_event){ .data.u64 = IL_EPOLL_WAKE };
	return il_loop->wakes_seen != before;
}

/* Polls again and again for a short while, if waits have been short lately: to be woken takes longer than that. After
 * a spell without a result it lets ever more waits pass before the next one, so an idle process, or a busy machine,
 * pays next to nothing. */
static int spin(struct epoll_event *events, int64_t start, int64_t until, bool *woke)
{
	int64_t end = start + SPIN, now = start;
	int n = 0;
	if (il_loop->usual_wait > WORTH_SPINNING || !several_cpus() || il_loop->waits_to_spin-- > 0)
		return 0;
	il_loop->waits_to_spin = 0;
	for (; n == 0 && !*woke && now < end && now < until; now = il_now()) {
		*woke = il_pollers_poll(true);
		*woke = il_futexes_poll(true) || *woke;
		n = query(events);
	}
	if (n == 0 && !*woke)
		il_loop->waits_to_spin = il_loop->penalty =
			il_loop->penalty < MOST_PENALTY ? 2 * il_loop->penalty + FIRST_PENALTY : il_loop->penalty;
	else
		il_loop->penalty /= 2;
	return n;
}

static int block(struct epoll_event *events, int64_t now, int64_t until)
{
	if (blind()) {
		struct timespec nap = il_timespec(until < now + NAP ? until - now : NAP);
		nanosleep(&nap, NULL);
		return query(events);
	}
	if (until == IL_NEVER)
		return epoll_wait(il_loop->epoll.epoll_fd, events, BATCH, -1);
	int64_t rest = until - now;
	struct timespec ts = il_timespec(rest);
	int n = epoll_pwait2(il_loop->epoll.epoll_fd, events, BATCH, &ts, NULL);
	if (n < 0 && errno == ENOSYS) { /* before Linux 5.11: whole milliseconds, rounded up */
		int64_t ms = (rest + 999999) / 1000000;
		n = epoll_wait(il_loop->epoll.epoll_fd, events, BATCH, ms < INT_MAX ? (int)ms : INT_MAX);
	}
	return n;
}

/* Is a descriptor waited for that may be ready often? With many of them, that is likely enough. */
static bool any_wanted(void)
{
	int watching = il_loop->epoll.watching - il_loop->epoll.rare;
	if (watching > FEW)
		return true;
	for (uint32_t i = 0; watching && i < il_loop->epoll.size; i++) {
		struct il_io *io = il_loop->epoll.table[i].io;
		if (io && !io->rare && (!io->wanted || io->wanted(io)))
			return true;
	}
	return false;
}

/* No operation waits for a descriptor, but for a rare one, and no other loop for ours. */
static bool no_descriptors(void)
{
	return il_loop->epoll.timer_fd < 0 && (blind() ? !il_loop->epoll.watching : !any_wanted());
}

/* What has no descriptor is waited for by a thread, unless the loop has nothing else to wait for: then its own thread
 * blocks, which saves two switches between threads. In a program with signal handlers of its own they would not tell
 * us. For a short while the timer that ends the call would cost too much. */
static struct il_poller *to_block_in(int64_t now, int64_t until)
{
	struct il_poller *only = il_loop->guest || until < now + SHORT ? NULL : il_pollers_only();
	bool alone = only && !il_futexes_any() && no_descriptors() && !il_standby_is_needed() &&
		!il_loop->thread_pool.pending;
	return alone && il_kick_prepare() ? only : NULL;
}

static int block_in(struct il_poller *p, struct epoll_event *events, int64_t until)
{
	if (il_kick_begin(until))
		p->block(p);
	il_kick_end();
	return atomic_load(&il_loop->wakes) == il_loop->wakes_seen ? 0 : query(events);
}

/* Words are the cheapest to sleep on, but only they can be slept on then. */
static int sleep_or_block(struct epoll_event *events, int64_t now, int64_t until)
{
	if ((blind() || il_futexes_any()) && no_descriptors() && il_standby_start()) {
		atomic_store(&il_loop->asleep, true);
		bool slept = il_futexes_sleep((uint32_t *)&il_loop->wakes, il_loop->wakes_seen, until);
		atomic_store(&il_loop->asleep, false);
		if (slept) /* no operation waits for a descriptor, so epoll is asked only if il_loop_wake was called */
			return atomic_load(&il_loop->wakes) == il_loop->wakes_seen ? 0 : query(events);
	}
	il_futexes_asleep();
	if (!il_futexes_hand_out() && until > now + NAP)
		until = now + NAP;
	int n = block(events, now, until);
	int err = errno;
	il_futexes_awake();
	errno = err;
	return n;
}

/* A poller that was polled, or armed, may want to be polled again after a while. */
static int64_t earlier(int64_t until)
{
	int64_t next = il_loop_next();
	return next < until ? next : until;
}

static int ask_kernel(struct epoll_event *events, int64_t until)
{
	int64_t start = until > 0 ? il_now() : 0;
	bool woke = false;
	if (until <= start) {
		il_pollers_poll(false);
		il_futexes_poll(false);
		return query(events);
	}
	int n = spin(events, start, until, &woke);
	int64_t end = earlier(until);
	struct il_poller *only = n == 0 && !woke ? to_block_in(start, end) : NULL;
	if (only)
		n = block_in(only, events, end);
	else if (n == 0 && !woke)
		n = il_pollers_arm() ? query(events) : sleep_or_block(events, start, earlier(until));
	if (several_cpus()) {
		int64_t took = il_now() - start;
		il_loop->usual_wait += ((took < IL_LONG_WAIT ? took : IL_LONG_WAIT) - il_loop->usual_wait) / 8;
	}
	return n;
}

/* A result that is there beats its timeout: so all that is ready is taken before anything expires, also if it is more
 * than one batch, or the wait was interrupted. In a number of rounds that no flood of new events can raise. */
static void take_ready(struct epoll_event *events, int n)
{
	for (uint32_t round = 0; n < 0 || n == BATCH; round++) {
		if (n > 0)
			dispatch(events, n);
		n = round <= il_loop->epoll.size / BATCH ? epoll_wait(il_loop->epoll.epoll_fd, events, BATCH, 0) : 0;
	}
	dispatch(events, n);
}

int il_loop_poll(int64_t until)
{
	struct epoll_event events[BATCH];
	int err = il_epoll_open();
	if (err && !il_is_shortage(err))
		return err;
	if (il_loop->unheard && !blind()) {
		il_thread_pool_collect();
		until = 0;
	}
	il_loop->unheard = blind();
	int n = ask_kernel(events, earlier(until));
	if (n < 0 && errno != EINTR)
		return errno;
	take_ready(events, n);
	il_timers_expire();
	expire();
	return 0;
}

int64_t il_loop_next(void)
{
	int64_t a = il_heap_min(&il_loop->deadlines), b = il_heap_min(&il_loop->timers);
	return a < b ? a : b;
}

void il_loop_nested(int64_t next)
{
	if (il_loop->epoll.timer_fd < 0)
		return;
	struct itimerspec when = { 0 };
	il_futexes_asleep();
	next = il_pollers_arm() || !il_futexes_hand_out() ? 0 : earlier(next);
	if (next != IL_NEVER)
		when.it_value = il_timespec(next > 0 ? next : 1); /* 0 would disarm it */
	timerfd_settime(il_loop->epoll.timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void il_loop_fini(void)
{
	il_thread_pool_fini();
	il_futexes_drop();
	begin_anew();
	il_epoll_fini();
}
