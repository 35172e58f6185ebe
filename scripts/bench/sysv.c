/* SPDX-License-Identifier: MIT
 *
 * queue.lua and semaphore.lua in C, on the bare system calls. Messages are of 64 bytes.
 *   sysv queue one         sent and received by one process: ns per message
 *   sysv queue pair        parent to forked child: ns per message
 *   sysv queue roundtrip   to a forked child and back: ns per round
 *   sysv sem, sem_noundo   -1 and +1 on a free semaphore, with SEM_UNDO or without: ns per pair
 * A process that fails or is interrupted removes the object, so that the other process wakes up with
 * EIDRM; each hears of the other's sudden death by a signal.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, THERE = 1, BACK = 2 };

struct message {
	long type;
	char text[SIZE];
};

static int queue = -1, sem = -1;

static void remove_objects(void)
{
	if (queue != -1)
		msgctl(queue, IPC_RMID, NULL);
	if (sem != -1)
		semctl(sem, 0, IPC_RMID);
}

static void fail(int sig)
{
	(void)sig;
	remove_objects();
	_exit(1);
}

static void child_ended(int sig)
{
	int status;
	if (waitpid(-1, &status, WNOHANG) > 0 && status != 0)
		fail(sig);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void send_message(long type)
{
	struct message message = { .type = type };
	if (msgsnd(queue, &message, SIZE, 0))
		fail(0);
}

static void receive_message(long type)
{
	struct message message;
	if (msgrcv(queue, &message, SIZE, type, 0) != SIZE)
		fail(0);
}

static void open_queue(void)
{
	queue = msgget(IPC_PRIVATE, 0600);
	if (queue == -1)
		fail(0);
}

static double queue_one(int n)
{
	open_queue();
	double start = now();
	for (int i = 0; i < n; i++) {
		send_message(THERE);
		receive_message(0); /* any type, as the peers do */
	}
	return (now() - start) / n;
}

/* the child answers every `every` messages */
static double queue_two(int n, int every)
{
	open_queue();
	signal(SIGCHLD, child_ended);
	pid_t child = fork();
	if (child == -1)
		fail(0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		for (int i = 1; i <= n; i++) {
			receive_message(THERE);
			if (i % every == 0)
				send_message(BACK);
		}
		_exit(0);
	}
	double start = now();
	for (int i = 1; i <= n; i++) {
		send_message(THERE);
		if (i % every == 0)
			receive_message(BACK);
	}
	double took = now() - start;
	waitpid(child, NULL, 0);
	return took / n;
}

static double sem_pairs(int n, short flags)
{
	struct sembuf take = { .sem_op = -1, .sem_flg = flags };
	struct sembuf give = { .sem_op = 1, .sem_flg = flags };
	sem = semget(IPC_PRIVATE, 1, 0600);
	if (sem == -1 || semop(sem, &(struct sembuf){ .sem_op = 1 }, 1))
		fail(0);
	double start = now();
	for (int i = 0; i < n; i++)
		if (semop(sem, &take, 1) || semop(sem, &give, 1))
			fail(0);
	return (now() - start) / n;
}

int main(int argc, char **argv)
{
	char what[32];
	double ns;
	snprintf(what, sizeof what, "%s %s", argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
	for (int i = 0; i < 3; i++)
		signal((int[]){ SIGHUP, SIGINT, SIGTERM }[i], fail);
	if (!strcmp(what, "queue one"))
		ns = queue_one(300000);
	else if (!strcmp(what, "queue pair"))
		ns = queue_two(200000, 200000);
	else if (!strcmp(what, "queue roundtrip"))
		ns = queue_two(20000, 1);
	else if (!strcmp(what, "sem "))
		ns = sem_pairs(300000, SEM_UNDO);
	else if (!strcmp(what, "sem_noundo "))
		ns = sem_pairs(300000, 0);
	else
		return 2;
	remove_objects();
	printf("%.1f\n", ns);
	return 0;
}
