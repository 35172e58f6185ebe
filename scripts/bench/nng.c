/* SPDX-License-Identifier: MIT
 *
 * channel.lua for nng: messages of 64 bytes over ipc://, a pair in each of two processes.
 *   nng oneway      ns per message
 *   nng roundtrip   ns per round
 */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, BUFFER = 1000 };

static void send_message(nng_socket socket)
{
	static char text[SIZE];
	if (nng_send(socket, text, SIZE, 0))
		exit(1);
}

static void receive_message(nng_socket socket)
{
	char text[SIZE];
	size_t size = SIZE;
	if (nng_recv(socket, text, &size, 0) || size != SIZE)
		exit(1);
}

static nng_socket open_socket(void)
{
	nng_socket socket;
	if (nng_pair0_open(&socket) || nng_socket_set_int(socket, NNG_OPT_SENDBUF, BUFFER) ||
		nng_socket_set_int(socket, NNG_OPT_RECVBUF, BUFFER))
		exit(1);
	return socket;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The first message only says that both are there. Threads do not survive a fork: each process opens its own end. */
static void answer(const char *address, int n, int every)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	nng_socket socket = open_socket();
	while (nng_dial(socket, address, NULL, 0))
		usleep(1000);
	send_message(socket);
	for (int i = 1; i <= n; i++) {
		receive_message(socket);
		if (i % every == 0)
			send_message(socket);
	}
	pause(); /* what was sent last is still on its way */
}

static double ask(const char *address, int n, int every)
{
	nng_socket socket = open_socket();
	if (nng_listen(socket, address, NULL, 0))
		exit(1);
	receive_message(socket);
	double start = now();
	for (int i = 1; i <= n; i++) {
		send_message(socket);
		if (i % every == 0)
			receive_message(socket);
	}
	double took = now() - start;
	nng_close(socket);
	return took / n;
}

int main(int argc, char **argv)
{
	int oneway = argc > 1 && !strcmp(argv[1], "oneway"), n = oneway ? 200000 : 20000;
	char address[64];
	snprintf(address, sizeof address, "ipc:///tmp/ipclua.bench.nng.%d", (int)getpid());
	pid_t child = fork();
	if (child == 0) {
		answer(address, n, oneway ? n : 1);
		_exit(0);
	}
	printf("%.1f\n", ask(address, n, oneway ? n : 1));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(address + strlen("ipc://"));
	return 0;
}
