/* SPDX-License-Identifier: MIT
 *
 * Process 1, see reaper.h. Floor 5.
 */
#include "reaper.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST = 1, SIGNALLED = 128 };

/* All that have ended. True: the program was among them. */
static bool reap(pid_t program, int *status)
{
	pid_t pid;
	bool ended = false;
	for (int how; (pid = waitpid(-1, &how, WNOHANG)) > 0;)
		if (pid == program) {
			ended = true;
			*status = WIFEXITED(how) ? WEXITSTATUS(how) : SIGNALLED + WTERMSIG(how);
		}
	return ended;
}

/* What the terminal sends, the program gets by itself; but of a terminal that is gone only process 1 is told. A signal
 * with a value keeps its sender's pid: that much the kernel lets others say. */
static void pass_on(siginfo_t *info, pid_t program)
{
	if (info->si_code == SI_QUEUE)
		syscall(SYS_rt_sigqueueinfo, program, info->si_signo, info);
	else if (info->si_code <= 0 || info->si_signo == SIGHUP)
		kill(program, info->si_signo);
}

/* With all signals blocked. Pipes have their other end closed when the program closes them, and not later. */
static _Noreturn void look_after(pid_t program, const sigset_t *signals)
{
	siginfo_t info;
	int status = EXIT_FAILURE;
	syscall(SYS_close_range, 0, ~0U, 0);
	while (!reap(program, &status))
		if (sigwaitinfo(signals, &info) > 0 && info.si_signo != SIGCHLD)
			pass_on(&info, program);
	_exit(status);
}

void il_reaper_start(void)
{
	struct sigaction reaped = { .sa_handler = SIG_DFL },
			 before; /* ignored, its children would be gone without a word */
	sigset_t all, old;
	if (getpid() != FIRST)
		return;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	sigaction(SIGCHLD, &reaped, &before);
	pid_t program = fork();
	if (program > 0)
		look_after(program, &all);
	sigaction(SIGCHLD, &before, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
}
