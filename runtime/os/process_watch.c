/* SPDX-License-Identifier: MIT
 *
 * Watches, see process_watch.h: one pidfd per process, however many watchers it has. It is readable when the process
 * has ended, reaped or not. Floor 1b.
 */
#include "os/process_watch.h"
#include "base/fork.h"
#include "loop/epoll.h"
#include "os/identity.h"
#include "os/state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct il_process_watch {
	struct il_list node;
	struct il_list watchers;
	struct il_io io;
	pid_t pid;
	uint64_t start;
};

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, 0) > 0;
}

static struct il_process_watch *find(pid_t pid, uint64_t start)
{
	il_list_each(struct il_process_watch, watch, &il_os()->watches, node)
		if (watch->pid == pid && watch->start == start)
			return watch;
	return NULL;
}

/* A pidfd of the very process; -1 and ESRCH: it is no more. */
static int open_pidfd(pid_t pid, uint64_t start)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd < 0) {
		errno = pid > 0 && errno != EINVAL ? errno : ESRCH;
		return -1;
	}
	if (readable(fd) || il_identity_check(pid, start) == IL_IDENTITY_ANOTHER) {
		close(fd);
		errno = ESRCH;
		return -1;
	}
	return fd;
}

/* Without a pidfd: there is no descriptor left, or the kernel has none. A process that has neither ended nor is a
 * zombie with this start is taken for alive; its first thread may be a zombie while others run. */
static bool looks_ended(pid_t pid, uint64_t start)
{
	siginfo_t info = { .si_pid = 0 };
	if (kill(pid, 0) && errno == ESRCH)
		return true;
	enum il_identity identity = il_identity_check(pid, start);
	if (identity != IL_IDENTITY_UNKNOWN)
		return identity != IL_IDENTITY_SAME;
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

bool il_process_watch_ended(pid_t pid, uint64_t start)
{
	struct il_process_watch *watch = find(pid, start);
	if (pid == il_fork.pid)
		return start != il_identity_start();
	if (watch)
		return readable(watch->io.fd);
	int fd = open_pidfd(pid, start);
	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == ESRCH || looks_ended(pid, start));
}

static void watch_free(struct il_process_watch *watch)
{
	il_io_unwatch(&watch->io);
	close(watch->io.fd);
	il_list_del(&watch->node);
	free(watch);
}

static void ended(struct il_io *io, uint32_t events)
{
	struct il_process_watch *watch = il_container_of(io, struct il_process_watch, io);
	struct il_list round;
	(void)events;
	il_list_move(&watch->watchers, &round);
	il_list_drain(struct il_process_watcher, w, &round, node) {
		w->watch = NULL;
		w->ended(w);
	}
	if (il_list_empty(&watch->watchers))
		watch_free(watch);
}

static bool wanted(struct il_io *io)
{
	struct il_process_watch *watch = il_container_of(io, struct il_process_watch, io);
	for (struct il_list *l = watch->watchers.next; l != &watch->watchers; l = l->next)
		if (!il_container_of(l, struct il_process_watcher, node)->idle)
			return true;
	return false;
}

void il_process_watches_drop(void)
{
	struct il_process_watch *watch; /* goes with the last of its watchers */
	while ((watch = il_list_first(struct il_process_watch, &il_os()->watches, node)))
		il_process_watch_del(il_list_first(struct il_process_watcher, &watch->watchers, node));
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES, .anew = il_process_watches_drop };

static int watch_new(pid_t pid, uint64_t start, struct il_process_watch **result)
{
	int fd = open_pidfd(pid, start);
	if (fd < 0)
		return errno;
	struct il_process_watch *watch = calloc(1, sizeof *watch);
	int err = ENOMEM;
	if (watch) {
		*watch = (struct il_process_watch){ .io = { .fd = fd, .ready = ended, .wanted = wanted, .rare = true },
			.pid = pid,
			.start = start };
		il_list_init(&watch->watchers);
		err = il_io_watch(&watch->io, EPOLLIN);
	}
	if (err) {
		free(watch);
		close(fd);
		return err;
	}
	il_list_add(&il_os()->watches, &watch->node);
	il_fork_add(&fork_hook);
	*result = watch;
	return 0;
}

int il_process_watch_add(struct il_process_watcher *w, pid_t pid, uint64_t start)
{
	struct il_process_watch *watch = find(pid, start);
	int err = !watch ? watch_new(pid, start, &watch) : readable(watch->io.fd) ? ESRCH : 0;
	if (err)
		return err;
	w->watch = watch;
	il_list_add(&watch->watchers, &w->node);
	return 0;
}

void il_process_watch_del(struct il_process_watcher *w)
{
	struct il_process_watch *watch = w->watch;
	if (!watch)
		return;
	il_list_del(&w->node);
	w->watch = NULL;
	if (il_list_empty(&watch->watchers))
		watch_free(watch);
}
