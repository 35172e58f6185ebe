/* SPDX-License-Identifier: MIT
 *
 * Child processes that run another program, see spawn.h. No page tables are copied, so that costs the same however
 * large the parent is, and the child tells why a program could not be started. Floor 1b.
 */
#include "os/spawn.h"
#include "os/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STANDARD = 3, STACK = 32 * 1024 };

void il_program_init(struct il_program *g)
{
	*g = (struct il_program){ .fds = { -1, -1, -1 } };
}

/* Where our own 0, 1 or 2 are closed, what is opened gets these numbers, and would be overwritten in the child by
 * another. */
static int put(struct il_program *g, int which, int fd)
{
	int moved = fd, err = 0;
	if (fd < STANDARD) {
		moved = fcntl(fd, F_DUPFD_CLOEXEC, STANDARD);
		err = moved < 0 ? errno : 0;
		close(fd);
	}
	g->fds[which] = moved;
	return err;
}

int il_program_pipe(struct il_program *g, int which, int *ours)
{
	int fds[2], here = which == STDIN_FILENO ? 1 : 0;
	*ours = -1;
	if (pipe2(fds, O_CLOEXEC))
		return errno;
	int err = put(g, which, fds[!here]);
	if (!err && fcntl(fds[here], F_SETFL, O_NONBLOCK))
		err = errno;
	if (err) {
		close(fds[here]);
		return err;
	}
	*ours = fds[here];
	return 0;
}

int il_program_null(struct il_program *g, int which)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd < 0 ? errno : put(g, which, fd);
}

/* O_NONBLOCK belongs to the open file. A socket of ours does not need it; a pipe or a terminal is opened anew. */
static int waiting_copy(int fd, int flags)
{
	struct stat st;
	char path[64];
	int copy = -1;
	if (fstat(fd, &st))
		return -1;
	bool anew = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (anew) /* O_NONBLOCK: or a FIFO would wait here for its other end */
		copy = open(path, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	bool ours = copy < 0;
	if (ours)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, STANDARD);
	if (copy >= 0 && (!ours || S_ISSOCK(st.st_mode)))
		fcntl(copy, F_SETFL, flags & ~O_NONBLOCK);
	return copy;
}

int il_program_lend(struct il_program *g, int which, int fd, bool channel)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return errno;
	int copy = channel && flags & O_NONBLOCK ? waiting_copy(fd, flags) : fcntl(fd, F_DUPFD_CLOEXEC, STANDARD);
	return copy < 0 ? errno : put(g, which, copy);
}

/* What the child works with, in memory that it shares with us until it has become the program. */
struct start {
	const struct il_program *g;
	char *const *envp;
	const char *path; /* our PATH */
	pid_t parent;
	sigset_t ignored;
	int err;
};

/* None of our handlers may be called in the child: our memory is its own. The C library keeps two signals for itself,
 * and would leave those as they are. */
static void reset_signals(const sigset_t *ignored)
{
	static const unsigned long by_default[8]; /* the kernel's struct sigaction */
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		if (sigismember(ignored, i) == 1)
			sigaction(i, &ignore, NULL);
		else
			syscall(SYS_rt_sigaction, i, by_default, NULL, (size_t)NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All of ours are CLOEXEC; those of other modules may be not. */
static int set_descriptors(const struct il_program *g)
{
	for (int i = 0; i < STANDARD; i++)
		if (g->fds[i] >= 0 && dup2(g->fds[i], i) < 0)
			return errno;
	if (g->merge && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		return errno;
	if (g->cwd && chdir(g->cwd))
		return errno;
	closefrom(STANDARD);
	return 0;
}

/* As execvpe(3), but what is no program is not given to a shell. */
static int become(const char *name, char *const *argv, char *const *envp, const char *path)
{
	char file[PATH_MAX];
	bool denied = false;
	if (strchr(name, '/')) {
		execve(name, argv, envp);
		return errno;
	}
	for (const char *end; *name && path; path = *end ? end + 1 : NULL) {
		end = strchrnul(path, ':');
		int n = snprintf(file, sizeof file, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "", name);
		if (n >= (int)sizeof file)
			continue;
		execve(file, argv, envp);
		if (errno == EACCES)
			denied = true;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV &&
			errno != ETIMEDOUT)
			return errno;
	}
	return denied ? EACCES : ENOENT;
}

/* The parent may have ended already. */
static int end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return errno;
	return getppid() == parent ? 0 : ESRCH;
}

static int child(void *arg)
{
	struct start *s = arg;
	reset_signals(&s->ignored);
	s->err = set_descriptors(s->g);
	if (!s->err && s->g->with_parent)
		s->err = end_with(s->parent);
	if (!s->err)
		s->err = become(s->g->argv[0], s->g->argv, s->envp, s->path);
	return 127;
}

/* A child that shares our memory, and for which we wait until it has become the program or given up: as posix_spawn
 * does, which cannot have a signal ignored that we listen to. */
static int spawn(const struct il_program *g, pid_t *pid)
{
	static _Alignas(16) char stack[STACK];
	struct start s = { .g = g, .envp = g->envp ? g->envp : environ, .path = getenv("PATH"), .parent = getpid() };
	sigset_t all, old;
	if (!s.path)
		s.path = "/bin:/usr/bin";
	il_signal_ignored(&s.ignored);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	*pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &s);
	int err = *pid < 0 ? errno : s.err;
	if (*pid > 0 && err)
		waitpid(*pid, NULL, 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int il_process_spawn(struct il_process *p, const struct il_program *g)
{
	pid_t pid;
	int place, err = il_process_prepare(&place);
	if (err)
		return err;
	err = spawn(g, &pid);
	close(place);
	return err ? err : il_process_adopt(p, pid);
}

void il_program_fini(struct il_program *g)
{
	for (int i = 0; i < STANDARD; i++) {
		if (g->fds[i] >= 0)
			close(g->fds[i]);
		g->fds[i] = -1;
	}
}
