/* SPDX-License-Identifier: MIT
 *
 * channel.lua in C: 64-byte messages behind a 4-byte length over a socketpair, blocking, one system call to send and
 * two to receive. Prints ns per message.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64 };

static void send_message(int fd, const char *text)
{
	char frame[4 + SIZE];
	uint32_t length = htonl(SIZE);
	memcpy(frame, &length, 4);
	memcpy(frame + 4, text, SIZE);
	if (send(fd, frame, sizeof frame, 0) != sizeof frame)
		_exit(1);
}

static void receive_message(int fd, char *text)
{
	uint32_t length;
	if (recv(fd, &length, 4, MSG_WAITALL) != 4 || recv(fd, text, ntohl(length), MSG_WAITALL) != SIZE)
		_exit(1);
}

int main(int argc, char **argv)
{
	int fds[2], oneway = argc > 1 && strcmp(argv[1], "oneway") == 0, n = oneway ? 200000 : 20000;
	char text[SIZE] = { 0 };
	struct timespec a, b;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	if (fork() == 0) {
		for (int i = 1; i <= n; i++) {
			receive_message(fds[1], text);
			if (!oneway || i == n)
				send_message(fds[1], text);
		}
		_exit(0);
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 1; i <= n; i++) {
		send_message(fds[0], text);
		if (!oneway || i == n)
			receive_message(fds[0], text);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / n);
	wait(NULL);
	return 0;
}
