/* SPDX-License-Identifier: MIT
 *
 * The loop, see loop.h. Floor 1.
 */
#include "loop/loop.h"
#include "base/clock.h"
#include "loop/life.h"
#include "loop/op.h"
#include "loop/poller.h"
#include "loop/pool.h"
#include "loop/stream.h"
#include "loop/timer.h"
#include "loop/word.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BATCH = 64, FIRST_PENALTY = 8, MOST_PENALTY = 4096, FIRST_WATCHED = 16, FEW = 16 };

/* ns: how long to look before blocking, the usual wait up to which that pays, what is taken for long, and for how long to
 * block where nobody can watch. */
enum { SPIN = 120000, WORTH_SPINNING = 100000, LONG_WAIT = 400000, NAP = 1000000 };

static const uint64_t WAKE = UINT64_MAX, NESTED = UINT64_MAX - 1;

struct watched {
	struct il_io *io; /* NULL: free */
	uint32_t generation;
	uint32_t next_free; /* place + 1 */
};

struct il_loop il_loop = { .lingering = IL_LIST_INIT(il_loop.lingering) };

static struct watched *table;
static uint32_t table_size, table_free;
static int64_t usual_wait = LONG_WAIT;
static int waits_to_spin, penalty; /* after looking in vain: how many waits to let pass, now and the next time */
static int epoll_fd = -1, timer_fd = -1;
static atomic_int wake_fd = -1; /* read by signal handlers and by the pool's threads */
static _Atomic uint32_t wakes;   /* calls of il_loop_wake */
static atomic_bool asleep;       /* on words: the eventfd will not do */
static uint32_t wakes_seen;
static int watching;             /* descriptors */
static atomic_bool foreign_fork; /* somebody else forked and goes on with Lua in the child */

static void forked(void)
{
	il_pool_forked();
	il_loop.pid = getpid();
	atomic_store(&foreign_fork, true);
}

void il_loop_init(void)
{
	if (!il_loop.pid)
		pthread_atfork(il_pool_lock, il_pool_unlock, forked);
	il_loop.pid = getpid();
}

static int control(int how, struct il_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLRDHUP | EPOLLET };
	ev.data.u64 = (uint64_t)table[io->slot - 1].generation << 32 | (io->slot - 1);
	return epoll_ctl(epoll_fd, how, io->fd, &ev) ? errno : 0;
}

/* The descriptors are made by the first who needs them: most programs start and end without any. */
static int open_descriptors(void)
{
	if (epoll_fd >= 0)
		return 0;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		return errno;
	int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = WAKE };
	if (wake < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, wake, &ev)) {
		int err = errno;
		close(ep);
		if (wake >= 0)
			close(wake);
		return err;
	}
	epoll_fd = ep;
	atomic_store(&wake_fd, wake);
	return 0;
}

static void close_descriptors(void)
{
	int fds[] = { epoll_fd, atomic_exchange(&wake_fd, -1), timer_fd };
	epoll_fd = timer_fd = -1;
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* A program that forked without us goes on with its own epoll set: the one it has is its parent's too. */
static int reopen(void)
{
	bool nested = timer_fd >= 0;
	atomic_store(&foreign_fork, false);
	close_descriptors();
	int err = open_descriptors();
	for (uint32_t i = 0; i < table_size && !err; i++)
		if (table[i].io)
			err = control(EPOLL_CTL_ADD, table[i].io, table[i].io->events);
	if (!err && nested && il_loop_fileno() < 0)
		err = errno;
	return err;
}

int il_loop_open(void)
{
	return atomic_load_explicit(&foreign_fork, memory_order_relaxed) ? reopen() : open_descriptors();
}

static int grow_table(void)
{
	uint32_t size = table_size ? table_size * 2 : FIRST_WATCHED;
	struct watched *grown = realloc(table, size * sizeof *grown);
	if (!grown)
		return ENOMEM;
	for (uint32_t i = size; i-- > table_size;) {
		grown[i] = (struct watched){ .next_free = table_free };
		table_free = i + 1;
	}
	table = grown;
	table_size = size;
	return 0;
}

int il_io_watch(struct il_io *io, uint32_t events)
{
	if (io->slot && (io->events & events) == events)
		return 0;
	int err = il_loop_open();
	if (err)
		return err;
	if (io->slot) {
		err = control(EPOLL_CTL_MOD, io, io->events | events);
		if (!err)
			io->events |= events;
		return err;
	}
	if (!table_free && (err = grow_table()))
		return err;
	uint32_t slot = table_free;
	io->slot = slot;
	err = control(EPOLL_CTL_ADD, io, events);
	if (err) {
		io->slot = 0;
		return err;
	}
	io->events = events;
	table[slot - 1].io = io;
	table_free = table[slot - 1].next_free;
	watching++;
	return 0;
}

void il_io_unwatch(struct il_io *io)
{
	if (!io->slot)
		return;
	struct watched *w = &table[io->slot - 1];
	if (epoll_fd >= 0 && !atomic_load(&foreign_fork)) /* else the set is the parent's, too */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	watching--;
	w->io = NULL;
	w->generation++;
	w->next_free = table_free;
	table_free = io->slot;
	io->slot = 0;
	io->events = 0;
}

static void dispatch(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t data = events[i].data.u64;
		if (data == WAKE)
			il_pool_collect();
		if (data == WAKE || data == NESTED)
			continue;
		struct watched *w = &table[(uint32_t)data];
		if (w->io && w->generation == (uint32_t)(data >> 32))
			w->io->ready(w->io, events[i].events);
	}
}

static void expire(void)
{
	int64_t now = INT64_MIN;
	while (il_heap_min(&il_loop.deadlines) != IL_NEVER) {
		if (il_heap_min(&il_loop.deadlines) > now && il_heap_min(&il_loop.deadlines) > (now = il_now()))
			break;
		il_wait_end(il_container_of(il_heap_top(&il_loop.deadlines), struct il_wait, deadline), IL_TIMEOUT);
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

/* What il_loop_wake has said until now is among the events. */
static int look(struct epoll_event *events)
{
	wakes_seen = atomic_load(&wakes);
	return epoll_wait(epoll_fd, events, BATCH, 0);
}

/* Looks again and again for a short while, if waits have been short lately: to be woken takes longer than that. After
 * a vain spell it lets ever more waits pass before the next one, so an idle process, or a busy machine, pays next to nothing. */
static int spin(struct epoll_event *events, int64_t start, int64_t until, bool *woke)
{
	int64_t end = start + SPIN, now = start;
	int n = 0;
	if (usual_wait > WORTH_SPINNING || !several_cpus() || waits_to_spin-- > 0)
		return 0;
	waits_to_spin = 0;
	for (; n == 0 && !*woke && now < end && now < until; now = il_now()) {
		*woke = il_pollers_look(true) | il_words_look(true);
		n = look(events);
	}
	if (n == 0 && !*woke)
		waits_to_spin = penalty = penalty < MOST_PENALTY ? 2 * penalty + FIRST_PENALTY : penalty;
	else
		penalty /= 2;
	return n;
}

static int block(struct epoll_event *events, int64_t now, int64_t until)
{
	if (until == IL_NEVER)
		return epoll_wait(epoll_fd, events, BATCH, -1);
	int64_t rest = until - now;
	struct timespec ts = il_timespec(rest);
	int n = epoll_pwait2(epoll_fd, events, BATCH, &ts, NULL);
	if (n < 0 && errno == ENOSYS) { /* before Linux 5.11: whole milliseconds, rounded up */
		int64_t ms = (rest + 999999) / 1000000;
		n = epoll_wait(epoll_fd, events, BATCH, ms < INT_MAX ? (int)ms : INT_MAX);
	}
	return n;
}

/* Is a descriptor waited for? With many of them, that is likely enough. */
static bool any_wanted(void)
{
	if (watching > FEW)
		return true;
	for (uint32_t i = 0; i < table_size; i++)
		if (table[i].io && (!table[i].io->wanted || table[i].io->wanted(table[i].io)))
			return true;
	return false;
}

/* Words are the cheapest to sleep on, but only they can be slept on then. */
static int sleep_or_block(struct epoll_event *events, int64_t now, int64_t until)
{
	if (timer_fd < 0 && !any_wanted()) {
		atomic_store(&asleep, true);
		bool slept = il_words_sleep((uint32_t *)&wakes, wakes_seen, until);
		atomic_store(&asleep, false);
		if (slept) /* nobody waits for descriptors, so they need no look, unless somebody has called */
			return atomic_load(&wakes) == wakes_seen ? 0 : look(events);
	}
	if (!il_words_hand_out() && until > now + NAP)
		until = now + NAP;
	return block(events, now, until);
}

static int ask_kernel(struct epoll_event *events, int64_t until)
{
	int64_t start = until > 0 ? il_now() : 0;
	bool woke = false;
	if (until <= start) {
		il_pollers_look(false);
		il_words_look(false);
		return look(events);
	}
	int n = spin(events, start, until, &woke);
	if (n == 0 && !woke)
		n = il_pollers_arm() ? look(events) : sleep_or_block(events, start, until);
	if (several_cpus()) {
		int64_t took = il_now() - start;
		usual_wait += ((took < LONG_WAIT ? took : LONG_WAIT) - usual_wait) / 8;
	}
	return n;
}

/* A result that is there beats its timeout: so all that is ready is taken before anything expires, also if it is more than
 * one batch, or the wait was interrupted. In a number of rounds that no flood of new events can raise. */
static void take_ready(struct epoll_event *events, int n)
{
	for (uint32_t round = 0; n < 0 || n == BATCH; round++) {
		if (n > 0)
			dispatch(events, n);
		n = round <= table_size / BATCH ? epoll_wait(epoll_fd, events, BATCH, 0) : 0;
	}
	dispatch(events, n);
}

int il_loop_poll(int64_t until)
{
	struct epoll_event events[BATCH];
	int err = il_loop_open();
	if (err)
		return err;
	int64_t next = il_loop_next();
	int n = ask_kernel(events, next < until ? next : until);
	if (n < 0 && errno != EINTR)
		return errno;
	take_ready(events, n);
	il_timers_expire();
	expire();
	return 0;
}

void il_loop_wake(void)
{
	int saved = errno, fd = atomic_load(&wake_fd);
	uint64_t one = 1;
	atomic_fetch_add(&wakes, 1);
	if (fd >= 0 && write(fd, &one, sizeof one) < 0) {
		/* EAGAIN: 2^64 wake-ups unread, so it is awake */
	}
	if (atomic_load(&asleep))
		il_word_wake_own((uint32_t *)&wakes);
	errno = saved;
}

int64_t il_loop_next(void)
{
	int64_t a = il_heap_min(&il_loop.deadlines), b = il_heap_min(&il_loop.timers);
	return a < b ? a : b;
}

int il_loop_fileno(void)
{
	int err = il_loop_open();
	if (!err && timer_fd < 0) {
		int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = NESTED };
		if (fd < 0) {
			err = errno;
		} else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
			err = errno;
			close(fd);
		} else {
			timer_fd = fd;
		}
	}
	errno = err;
	return err ? -1 : epoll_fd;
}

void il_loop_nested(int64_t next)
{
	if (timer_fd < 0)
		return;
	struct itimerspec when = { 0 };
	if (il_pollers_arm() || !il_words_hand_out())
		next = 0;
	if (next != IL_NEVER)
		when.it_value = il_timespec(next > 0 ? next : 1); /* 0 would disarm it */
	timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void il_loop_wake_outer(void)
{
	if (timer_fd >= 0)
		il_loop_wake();
}

void il_loop_after_fork(void)
{
	il_pool_after_fork();
	il_words_after_fork();
	il_lives_after_fork();
	close_descriptors();
	for (uint32_t i = 0; i < table_size; i++)
		if (table[i].io)
			il_io_unwatch(table[i].io);
	il_heap_fini(&il_loop.deadlines);
	il_timers_drop();
	il_streams_drop();
	atomic_store(&foreign_fork, false);
}

void il_loop_fini(void)
{
	il_pool_fini();
	il_loop_after_fork();
	free(table);
	table = NULL;
	table_size = table_free = 0;
}
