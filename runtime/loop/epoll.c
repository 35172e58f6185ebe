/* SPDX-License-Identifier: MIT
 *
 * The epoll set, see epoll.h. The descriptors are made by the first who needs them: most programs start and end without
 * any. A child that somebody else forked makes its own, when it comes to the loop.
 * Floor 1.
 */
#include "loop/epoll.h"
#include "base/fork.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { FIRST_WATCHED = 16 };

struct il_epoll il_epoll = { .epoll_fd = -1, .timer_fd = -1, .wake_fd = -1 };

static int control(int how, struct il_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLRDHUP | EPOLLET };
	ev.data.u64 = (uint64_t)il_epoll.table[io->index - 1].generation << 32 | (io->index - 1);
	return epoll_ctl(il_epoll.epoll_fd, how, io->fd, &ev) ? errno : 0;
}

static void drop(void);

static void forked(void)
{
	atomic_store(&il_epoll.foreign_fork, true);
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_LOOP, .child = forked, .anew = drop };

static int open_descriptors(void)
{
	if (il_epoll.epoll_fd >= 0)
		return 0;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		return errno;
	int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = IL_EPOLL_WAKE };
	if (wake < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, wake, &ev)) {
		int err = errno;
		close(ep);
		if (wake >= 0)
			close(wake);
		return err;
	}
	il_epoll.epoll_fd = ep;
	atomic_store(&il_epoll.wake_fd, wake);
	il_fork_add(&fork_hook);
	return 0;
}

static void close_descriptors(void)
{
	int fds[] = { il_epoll.epoll_fd, atomic_exchange(&il_epoll.wake_fd, -1), il_epoll.timer_fd };
	il_epoll.epoll_fd = il_epoll.timer_fd = -1;
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* A program that forked without us goes on with its own epoll set: the one it has is its parent's too. Where it cannot
 * have one now, it tries again. */
static int reopen(void)
{
	static bool nested;
	nested = nested || il_epoll.timer_fd >= 0;
	close_descriptors();
	int err = open_descriptors();
	for (uint32_t i = 0; i < il_epoll.size && !err; i++)
		if (il_epoll.table[i].io)
			err = control(EPOLL_CTL_ADD, il_epoll.table[i].io, il_epoll.table[i].io->events);
	atomic_store(&il_epoll.foreign_fork, false);
	if (!err && nested && il_loop_fileno() < 0)
		err = errno;
	if (err)
		close_descriptors();
	atomic_store(&il_epoll.foreign_fork, err != 0);
	nested = nested && err;
	return err;
}

int il_loop_open(void)
{
	return atomic_load_explicit(&il_epoll.foreign_fork, memory_order_relaxed) ? reopen() : open_descriptors();
}

static int grow_table(void)
{
	uint32_t size = il_epoll.size ? il_epoll.size * 2 : FIRST_WATCHED;
	struct il_watched *grown = realloc(il_epoll.table, size * sizeof *grown);
	if (!grown)
		return ENOMEM;
	for (uint32_t i = size; i-- > il_epoll.size;) {
		grown[i] = (struct il_watched){ .next_free = il_epoll.free };
		il_epoll.free = i + 1;
	}
	il_epoll.table = grown;
	il_epoll.size = size;
	return 0;
}

int il_io_prepare(void)
{
	int err = il_loop_open();
	return err || il_epoll.free ? err : grow_table();
}

int il_io_watch(struct il_io *io, uint32_t events)
{
	if (io->index && (io->events & events) == events)
		return 0;
	int err = il_io_prepare();
	if (err)
		return err;
	if (io->index) {
		err = control(EPOLL_CTL_MOD, io, io->events | events);
		if (!err)
			io->events |= events;
		return err;
	}
	uint32_t index = il_epoll.free;
	io->index = index;
	err = control(EPOLL_CTL_ADD, io, events);
	if (err) {
		io->index = 0;
		return err;
	}
	io->events = events;
	il_epoll.table[index - 1].io = io;
	il_epoll.free = il_epoll.table[index - 1].next_free;
	il_epoll.watching++;
	return 0;
}

void il_io_unwatch(struct il_io *io)
{
	if (!io->index)
		return;
	struct il_watched *w = &il_epoll.table[io->index - 1];
	if (il_epoll.epoll_fd >= 0 && !atomic_load(&il_epoll.foreign_fork)) /* else the set is the parent's, too */
		epoll_ctl(il_epoll.epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	il_epoll.watching--;
	w->io = NULL;
	w->generation++;
	w->next_free = il_epoll.free;
	il_epoll.free = io->index;
	io->index = 0;
	io->events = 0;
}

int il_loop_fileno(void)
{
	int err = il_loop_open();
	if (!err && il_epoll.timer_fd < 0) {
		int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = IL_EPOLL_NESTED };
		if (fd < 0) {
			err = errno;
		} else if (epoll_ctl(il_epoll.epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
			err = errno;
			close(fd);
		} else {
			il_epoll.timer_fd = fd;
		}
	}
	errno = err;
	return err ? -1 : il_epoll.epoll_fd;
}

/* What was watched is forgotten. */
static void drop(void)
{
	close_descriptors();
	for (uint32_t i = 0; i < il_epoll.size; i++)
		if (il_epoll.table[i].io)
			il_io_unwatch(il_epoll.table[i].io);
	atomic_store(&il_epoll.foreign_fork, false);
}

void il_epoll_fini(void)
{
	drop();
	free(il_epoll.table);
	il_epoll.table = NULL;
	il_epoll.size = il_epoll.free = 0;
}
