/* SPDX-License-Identifier: MIT
 *
 * queue.lua for Boost's message queue: strings of 64 bytes in a queue of 1 MiB, as ours is by default.
 *   boost_queue pair        parent to forked child: ns per message
 *   boost_queue roundtrip   to a forked child and back: ns per round
 * A process that is killed inside send or receive leaves this queue locked.
 */
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

using boost::interprocess::create_only;
using boost::interprocess::message_queue;

static const size_t SIZE = 64, PLACES = (1 << 20) / SIZE;

static double now()
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void receive(message_queue &queue)
{
	char text[SIZE];
	message_queue::size_type size;
	unsigned priority;
	queue.receive(text, sizeof text, size, priority);
}

// The child answers every `every` messages.
static double measure(message_queue &there, message_queue &back, int n, int every)
{
	const char text[SIZE] = { 0 };
	const double start = now();
	const pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 1; i <= n; i++) {
			receive(there);
			if (i % every == 0)
				back.send(text, sizeof text, 0);
		}
		_exit(0);
	}
	for (int i = 1; i <= n; i++) {
		there.send(text, sizeof text, 0);
		if (i % every == 0)
			receive(back);
	}
	const double took = now() - start;
	waitpid(child, NULL, 0);
	return took / n;
}

int main(int argc, char **argv)
{
	const bool roundtrip = argc > 1 && !strcmp(argv[1], "roundtrip");
	const int n = roundtrip ? 50000 : 500000;
	const std::string name = "ipclua.bench." + std::to_string(getpid()), back = name + ".back";
	message_queue there_queue(create_only, name.c_str(), PLACES, SIZE);
	message_queue back_queue(create_only, back.c_str(), PLACES, SIZE);
	message_queue::remove(name.c_str());
	message_queue::remove(back.c_str());
	printf("%.1f\n", measure(there_queue, back_queue, n, roundtrip ? 1 : n));
	return 0;
}
