/* SPDX-License-Identifier: MIT
 *
 * channel.lua for ZeroMQ: messages of 64 bytes over ipc://, a PAIR in each of two processes.
 *   zmq oneway      ns per message
 *   zmq roundtrip   ns per round
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { SIZE = 64 };

static void send_message(void *socket)
{
	static const char text[SIZE];
	if (zmq_send(socket, text, SIZE, 0) != SIZE)
		exit(1);
}

static void receive_message(void *socket)
{
	char text[SIZE];
	if (zmq_recv(socket, text, SIZE, 0) != SIZE)
		exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* the first message only says that both are there */
static void answer(const char *address, int n, int every)
{
	void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PAIR);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (zmq_connect(socket, address))
		exit(1);
	send_message(socket);
	for (int i = 1; i <= n; i++) {
		receive_message(socket);
		if (i % every == 0)
			send_message(socket);
	}
	zmq_close(socket);
	zmq_ctx_term(context);
}

static double ask(const char *address, int n, int every)
{
	void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PAIR);
	if (zmq_bind(socket, address))
		exit(1);
	receive_message(socket);
	double start = now();
	for (int i = 1; i <= n; i++) {
		send_message(socket);
		if (i % every == 0)
			receive_message(socket);
	}
	double took = now() - start;
	zmq_close(socket);
	zmq_ctx_term(context);
	return took / n;
}

int main(int argc, char **argv)
{
	int oneway = argc > 1 && !strcmp(argv[1], "oneway"), n = oneway ? 500000 : 20000;
	char address[64];
	snprintf(address, sizeof address, "ipc:///tmp/ipclua.bench.zmq.%d", (int)getpid());
	pid_t child = fork();
	if (child == 0) {
		answer(address, n, oneway ? n : 1);
		_exit(0);
	}
	printf("%.1f\n", ask(address, n, oneway ? n : 1));
	waitpid(child, NULL, 0);
	unlink(address + strlen("ipc://"));
	return 0;
}
