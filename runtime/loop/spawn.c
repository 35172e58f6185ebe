/* SPDX-License-Identifier: MIT
 *
 * Child processes that run another program, see spawn.h. posix_spawn does not copy page tables, so it costs the same
 * however large the parent is, and tells why a program could not be started.
 * Floor 1.
 */
#include "loop/spawn.h"
#include "loop/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STANDARD = 3 };

void il_program_init(struct il_program *g)
{
	*g = (struct il_program){ .fds = { -1, -1, -1 } };
}

/* Where our own 0, 1 or 2 are closed, what is opened gets these numbers, and would be overwritten in the child by another. */
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

static int set_actions(posix_spawn_file_actions_t *actions, const struct il_program *g)
{
	int err = 0;
	for (int i = 0; i < STANDARD && !err; i++)
		if (g->fds[i] >= 0)
			err = posix_spawn_file_actions_adddup2(actions, g->fds[i], i);
	if (!err && g->merge)
		err = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
	if (!err && g->cwd)
		err = posix_spawn_file_actions_addchdir_np(actions, g->cwd);
	if (!err) /* all of ours are CLOEXEC; those of other modules may be not */
		err = posix_spawn_file_actions_addclosefrom_np(actions, STANDARD);
	return err;
}

static int spawn(const struct il_program *g, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int err = posix_spawn_file_actions_init(&actions);
	if (err)
		return err;
	sigemptyset(&none);
	il_signal_defaults(&defaults);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	err = set_actions(&actions, g);
	if (!err)
		err = posix_spawnp(pid, g->argv[0], &actions, &attr, g->argv, g->envp ? g->envp : environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
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
