/* SPDX-License-Identifier: MIT
 *
 * fork.lua in C, with a socket pair. Prints ns per child.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int one_child(void)
{
	int fds[2], status;
	char byte;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	pid_t pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0)
		_exit(write(fds[1], "x", 1) != 1);
	close(fds[1]);
	int failed = read(fds[0], &byte, 1) != 1 || waitpid(pid, &status, 0) != pid || status;
	close(fds[0]);
	return failed;
}

int main(void)
{
	enum { N = 1000 };
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < N; i++)
		if (one_child())
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / N);
	return 0;
}
