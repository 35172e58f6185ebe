/* SPDX-License-Identifier: MIT
 *
 * broadcast.lua in C: a 64-byte message behind a 4-byte length, one send(2) for each client. `broadcast CLIENTS` prints
 * ns per client and message. `broadcast read PATH CLIENTS` is the other end of both: it joins so often, says so on its
 * standard output, and reads until the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200, FRAME = 68, BATCH = 64 };

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	return at;
}

static void drain(int clients, int ep)
{
	static char buffer[65536];
	struct epoll_event events[BATCH];
	while (clients > 0) {
		int n = epoll_wait(ep, events, BATCH, -1);
		for (int i = 0; i < n; i++)
			if (read(events[i].data.fd, buffer, sizeof buffer) <= 0) {
				close(events[i].data.fd);
				clients--;
			}
	}
}

static void reader(const char *path, int clients)
{
	struct sockaddr_un at = address(path);
	int ep = epoll_create1(0);
	for (int i = 0; i < clients; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
		if (connect(fd, (struct sockaddr *)&at, sizeof at) || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
			fail("connect");
	}
	if (write(1, "joined\n", 7) != 7)
		fail("write");
	drain(clients, ep);
}

static double send_all(const int *fds, int clients)
{
	char frame[FRAME] = { 0, 0, 0, 64 };
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < clients; i++)
			if (send(fds[i], frame, sizeof frame, MSG_NOSIGNAL) != sizeof frame)
				fail("send");
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / ROUNDS / clients;
}

static void writer(int clients)
{
	char path[64];
	int *fds = calloc((size_t)clients, sizeof *fds), ready[2];
	snprintf(path, sizeof path, "/tmp/broadcast.%d", (int)getpid());
	struct sockaddr_un at = address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096) || pipe(ready))
		fail(path);
	if (fork() == 0) {
		dup2(ready[1], 1);
		close(listener);
		close(ready[0]);
		reader(path, clients);
		_exit(0);
	}
	for (int i = 0; i < clients; i++)
		fds[i] = accept(listener, NULL, NULL);
	unlink(path);
	if (read(ready[0], path, 1) != 1)
		fail("read");
	printf("%.1f\n", send_all(fds, clients));
	for (int i = 0; i < clients; i++)
		close(fds[i]);
	wait(NULL);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 4)
		reader(argv[2], atoi(argv[3]));
	else
		writer(argc > 1 ? atoi(argv[1]) : 100);
	return 0;
}
