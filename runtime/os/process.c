/* SPDX-License-Identifier: MIT
 *
 * Child processes, see process.h. Each pidfd is watched from the start, so a child is reaped when it ends, waited for
 * or not.
 * Floor 1b.
 */
#include "os/process.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/epoll.h"
#include "os/board.h"
#include "os/state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for(const struct il_process *p, siginfo_t *info, int how)
{
	int failed;
	do
		failed = waitid(P_PIDFD, (id_t)p->io.fd, info, WEXITED | WNOHANG | how);
	while (failed && errno == EINTR);
	return failed;
}

/* One that was killed has left its board, whose name is known as long as it is a zombie. */
static void remove_board(const struct il_process *p, const siginfo_t *info)
{
	if (info->si_pid && info->si_code != CLD_EXITED)
		il_board_remove(p->pid);
}

/* Reaps it if it has ended. */
static void reap(struct il_process *p)
{
	siginfo_t info = { 0 };
	if (p->ended)
		return;
	int failed = wait_for(p, &info, WNOWAIT);
	if (!failed && info.si_pid == 0)
		return;
	remove_board(p, &info);
	if (!failed)
		failed = wait_for(p, &info, 0);
	p->err = failed ? errno : 0; /* ECHILD: another library reaped it, or SIGCHLD is ignored */
	p->ended = true;
	p->signalled = !failed && info.si_code != CLD_EXITED;
	p->code = failed ? 0 : info.si_status;
	il_list_del(&p->siblings);
	il_io_unwatch(&p->io);
	close(p->io.fd);
	p->io.fd = -1;
	il_op_finish_all(&p->waiters, 0);
	if (p->on_end)
		p->on_end(p);
}

static void ready(struct il_io *io, uint32_t events)
{
	(void)events;
	reap(il_container_of(io, struct il_process, io));
}

/* If no operation waits for its end, it is reaped when the loop polls next. */
static bool wanted(struct il_io *io)
{
	return !il_list_empty(&il_container_of(io, struct il_process, io)->waiters);
}

void il_process_init(struct il_process *p)
{
	*p = (struct il_process){ .io = { .fd = -1, .ready = ready, .wanted = wanted } };
	il_list_init(&p->waiters);
	il_list_init(&p->siblings);
}

/* The kernel has reaped it already, which it does while SIGCHLD is ignored. */
static void reaped_unseen(struct il_process *p)
{
	p->ended = true;
	p->err = ECHILD;
	if (p->on_end)
		p->on_end(p);
}

int il_process_prepare(int *place)
{
	int err = il_io_prepare();
	*place = err ? -1 : eventfd(0, EFD_CLOEXEC);
	return err ? err : *place < 0 ? errno : 0;
}

/* Only its parent reaps it, and has not yet: so the pid is its own. Where the kernel reaps it and gives the pid to
 * another, the first waitid says that this is no child of ours, before anything is done to it. */
int il_process_adopt(struct il_process *p, pid_t pid)
{
	p->pid = pid;
	p->parent = il_fork.pid;
	p->io.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->io.fd < 0 && errno == ESRCH) {
		reaped_unseen(p);
		return 0;
	}
	int err = p->io.fd < 0 ? errno : il_io_watch(&p->io, EPOLLIN);
	if (err) { /* it cannot be watched, so it must not be */
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		il_process_fini(p);
		p->pid = 0;
		return err;
	}
	il_list_add(&il_os()->children, &p->siblings);
	return 0;
}

int il_process_fork(struct il_process *p, bool *child)
{
	sigset_t all, old;
	int place, err = il_process_prepare(&place);
	*child = false;
	if (err)
		return err;
	sigfillset(&all);
	fflush(NULL); /* or the child would write it once more */
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pid_t pid = fork();
	err = pid < 0 ? errno : 0;
	close(place);
	*child = pid == 0;
	if (*child)
		return 0;
	if (!err)
		err = il_process_adopt(p, pid);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

void il_process_unblock(void)
{
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

int il_process_signal(struct il_process *p, int number)
{
	reap(p);
	if (p->io.fd < 0)
		return ESRCH;
	return syscall(SYS_pidfd_send_signal, p->io.fd, number, NULL, 0) ? errno : 0;
}

bool il_process_wait_attempt(struct il_op *op)
{
	struct il_process *p = op->source;
	reap(p);
	return p->ended;
}

int il_process_wait_start(struct il_op *op)
{
	il_list_add(&((struct il_process *)op->source)->waiters, &op->link);
	return 0;
}

bool il_process_wait_blocking(struct il_process *p, int64_t ns)
{
	int64_t until = il_time_add(il_now(), ns), rest;
	for (reap(p); !p->ended && (rest = until - il_now()) > 0; reap(p)) {
		struct pollfd fd = { .fd = p->io.fd, .events = POLLIN };
		struct timespec ts = il_timespec(rest);
		ppoll(&fd, 1, ns == IL_NEVER ? NULL : &ts, NULL);
	}
	return p->ended;
}

/* Each may end a wait, and that may take others out of the list: so the round has a list of its own. */
void il_processes_reap(void)
{
	struct il_list round;
	il_list_move(&il_os()->children, &round);
	il_list_drain(struct il_process, p, &round, siblings) {
		il_list_add(&il_os()->children, &p->siblings);
		reap(p);
	}
}

void il_process_fini(struct il_process *p)
{
	il_op_finish_all(&p->waiters, ECONNRESET);
	il_list_del(&p->siblings);
	il_io_unwatch(&p->io);
	if (p->io.fd >= 0)
		close(p->io.fd);
	p->io.fd = -1;
}

void il_processes_kill_closing(void)
{
	il_list_each_safe(struct il_process, p, &il_os()->children, siblings) { /* it may have ended, and leave */
		siginfo_t info = { 0 };
		if (p->closing)
			il_process_signal(p, SIGKILL);
		else if (wait_for(p, &info, WNOWAIT) == 0)
			remove_board(p, &info);
	}
}

static void begin_anew(void)
{
	il_list_drain(struct il_process, p, &il_os()->children, siblings) {
		il_process_fini(p);
		il_os()->inherited(p);
	}
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_CHILDREN, .anew = begin_anew };

void il_processes_init(void (*f)(struct il_process *p))
{
	il_os()->inherited = f;
	il_fork_add(&fork_hook);
}
