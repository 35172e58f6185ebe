/* SPDX-License-Identifier: MIT
 *
 * The epoll set, see epoll.h. The descriptors are made when one is needed: most programs start and end without any. A
 * child that another library forked makes its own, when it comes to the loop.
 * Floor 1a.
 */
#include "loop/epoll.h"
#include "base/fork.h"
#include "loop/state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { FIRST_WATCHED = 16 };

static inline struct il_epoll *epoll(void)
{
	return &il_loop->epoll;
}

static int control(int how, struct il_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLRDHUP | EPOLLET };
	ev.data.u64 = (uint64_t)epoll()->table[io->index - 1].generation << 32 | (io->index - 1);
	return epoll_ctl(io->rare ? epoll()->rare_fd : epoll()->epoll_fd, how, io->fd, &ev) ? errno : 0;
}

static void drop(void);

static void forked(void)
{
	atomic_store(&epoll()->foreign_fork, true);
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_LOOP, .child = forked, .anew = drop };

static int open_descriptors(void)
{
	if (epoll()->epoll_fd >= 0)
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
	epoll()->epoll_fd = ep;
	atomic_store(&epoll()->wake_fd, wake);
	il_fork_add(&fork_hook);
	return 0;
}

static int open_rare(void)
{
	if (epoll()->rare_fd >= 0)
		return 0;
	int rare = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = IL_EPOLL_RARE };
	if (rare < 0)
		return errno;
	if (epoll_ctl(epoll()->epoll_fd, EPOLL_CTL_ADD, rare, &ev)) {
		int err = errno;
		close(rare);
		return err;
	}
	epoll()->rare_fd = rare;
	return 0;
}

static void close_descriptors(void)
{
	int fds[] = { epoll()->epoll_fd, atomic_exchange(&epoll()->wake_fd, -1), epoll()->timer_fd, epoll()->rare_fd };
	epoll()->epoll_fd = epoll()->timer_fd = epoll()->rare_fd = -1;
	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* A program that forked without us goes on with its own epoll set: the one it has is its parent's too. Where it cannot
 * have one now, it tries again. */
static int reopen(void)
{
	bool nested = epoll()->nested || epoll()->timer_fd >= 0;
	close_descriptors();
	int err = open_descriptors();
	if (!err && epoll()->rare)
		err = open_rare();
	for (uint32_t i = 0; i < epoll()->size && !err; i++)
		if (epoll()->table[i].io)
			err = control(EPOLL_CTL_ADD, epoll()->table[i].io, epoll()->table[i].io->events);
	atomic_store(&epoll()->foreign_fork, false);
	if (!err && nested && il_epoll_fileno() < 0)
		err = errno;
	if (err)
		close_descriptors();
	atomic_store(&epoll()->foreign_fork, err != 0);
	epoll()->nested = nested && err;
	return err;
}

int il_epoll_open(void)
{
	return atomic_load_explicit(&epoll()->foreign_fork, memory_order_relaxed) ? reopen() : open_descriptors();
}

static int grow_table(void)
{
	uint32_t size = epoll()->size ? epoll()->size * 2 : FIRST_WATCHED;
	struct il_watched *grown = realloc(epoll()->table, size * sizeof *grown);
	if (!grown)
		return ENOMEM;
	for (uint32_t i = size; i-- > epoll()->size;) {
		grown[i] = (struct il_watched){ .next_free = epoll()->free };
		epoll()->free = i + 1;
	}
	epoll()->table = grown;
	epoll()->size = size;
	return 0;
}

int il_io_prepare(void)
{
	int err = il_epoll_open();
	return err || epoll()->free ? err : grow_table();
}

int il_io_watch(struct il_io *io, uint32_t events)
{
	if (io->index && (io->events & events) == events)
		return 0;
	int err = il_io_prepare();
	if (!err && io->rare)
		err = open_rare();
	if (err)
		return err;
	if (io->index) {
		err = control(EPOLL_CTL_MOD, io, io->events | events);
		if (!err)
			io->events |= events;
		return err;
	}
	uint32_t index = epoll()->free;
	io->index = index;
	err = control(EPOLL_CTL_ADD, io, events);
	if (err) {
		io->index = 0;
		return err;
	}
	io->events = events;
	epoll()->table[index - 1].io = io;
	epoll()->free = epoll()->table[index - 1].next_free;
	epoll()->watching++;
	epoll()->rare += io->rare;
	return 0;
}

void il_io_unwatch(struct il_io *io)
{
	if (!io->index)
		return;
	struct il_watched *w = &epoll()->table[io->index - 1];
	if (epoll()->epoll_fd >= 0 && !atomic_load(&epoll()->foreign_fork)) /* else the set is the parent's, too */
		epoll_ctl(io->rare ? epoll()->rare_fd : epoll()->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	epoll()->watching--;
	epoll()->rare -= io->rare;
	w->io = NULL;
	w->generation++;
	w->next_free = epoll()->free;
	epoll()->free = io->index;
	io->index = 0;
	io->events = 0;
}

int il_epoll_fileno(void)
{
	int err = il_epoll_open();
	if (!err && epoll()->timer_fd < 0) {
		int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = IL_EPOLL_NESTED };
		if (fd < 0) {
			err = errno;
		} else if (epoll_ctl(epoll()->epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
			err = errno;
			close(fd);
		} else {
			epoll()->timer_fd = fd;
		}
	}
	errno = err;
	return err ? -1 : epoll()->epoll_fd;
}

/* What was watched is forgotten. */
static void drop(void)
{
	close_descriptors();
	for (uint32_t i = 0; i < epoll()->size; i++)
		if (epoll()->table[i].io)
			il_io_unwatch(epoll()->table[i].io);
	atomic_store(&epoll()->foreign_fork, false);
}

void il_epoll_fini(void)
{
	drop();
	free(epoll()->table);
	epoll()->table = NULL;
	epoll()->size = epoll()->free = 0;
}
