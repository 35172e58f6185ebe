/* SPDX-License-Identifier: MIT
 *
 * The pool of threads by itself: work that ends, work that blocks in a read or in System V's msgrcv and is cancelled,
 * and results that race with its cancellation. Each item must end exactly once.
 */
#include "loop/loop.h"
#include "loop/thread_pool.h"
#include "check.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

enum { JOBS = 40, ROUNDS = 50 };

struct test_job {
	struct il_work item;
	int fd, queue, result, ended;
	char got;
};

static int running;

static void ended(struct il_work *item)
{
	struct test_job *t = il_container_of(item, struct test_job, item);
	t->ended++;
	running--;
}

static void read_byte(struct il_work *item)
{
	struct test_job *t = il_container_of(item, struct test_job, item);
	ssize_t n;
	do
		n = read(t->fd, &t->got, 1);
	while (n < 0 && errno == EINTR && !il_work_cancelled(item));
	t->result = n < 0 ? -errno : (int)n;
}

static void receive_message(struct il_work *item)
{
	struct test_job *t = il_container_of(item, struct test_job, item);
	struct {
		long type;
		char text[8];
	} message;
	ssize_t n;
	do
		n = msgrcv(t->queue, &message, sizeof message.text, 0, 0);
	while (n < 0 && errno == EINTR && !il_work_cancelled(item));
	t->result = n < 0 ? -errno : (int)n;
}

static void turn_until(int rest)
{
	while (running > rest)
		CHECK(il_loop_poll(INT64_MAX) == 0);
}

/* The loop has not made its descriptors yet, so there is nothing that the thread could have written to. */
static void a_job_may_end_before_the_first_poll(void)
{
	struct test_job t = { 0 };
	int fds[2];
	CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
	t.fd = fds[0];
	CHECK(il_thread_pool_start(&t.item, read_byte, ended) == 0);
	running++;
	while (!atomic_load(&t.item.returned))
		sched_yield();
	turn_until(0);
	CHECK(t.ended == 1 && t.result == 1);
	close(fds[0]);
	close(fds[1]);
}

static void jobs_end(void)
{
	struct test_job t[JOBS] = { 0 };
	int fds[JOBS][2];
	for (int i = 0; i < JOBS; i++) {
		CHECK(pipe(fds[i]) == 0);
		t[i].fd = fds[i][0];
		CHECK(il_thread_pool_start(&t[i].item, read_byte, ended) == 0);
		running++;
	}
	for (int i = 0; i < JOBS; i++)
		CHECK(write(fds[i][1], "x", 1) == 1);
	turn_until(0);
	for (int i = 0; i < JOBS; i++) {
		CHECK(t[i].ended == 1 && t[i].result == 1 && t[i].got == 'x');
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static void blocked_jobs_are_cancelled(void)
{
	struct test_job t[JOBS] = { 0 };
	int queue = msgget(IPC_PRIVATE, 0600);
	CHECK(queue >= 0);
	for (int i = 0; i < JOBS; i++) {
		t[i].queue = queue;
		CHECK(il_thread_pool_start(&t[i].item, receive_message, ended) == 0);
		running++;
	}
	for (int i = 0; i < JOBS; i++)
		il_thread_pool_cancel(&t[i].item);
	CHECK(running == 0);
	for (int i = 0; i < JOBS; i++)
		CHECK(t[i].ended == 1 && t[i].result == -EINTR);
	msgctl(queue, IPC_RMID, NULL);
}

/* Either the byte was read, or it is still in the pipe. */
static void a_result_may_race_with_its_cancellation(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct test_job t = { 0 };
		int fds[2];
		char rest;
		CHECK(pipe(fds) == 0);
		t.fd = fds[0];
		CHECK(il_thread_pool_start(&t.item, read_byte, ended) == 0);
		running++;
		CHECK(write(fds[1], "x", 1) == 1);
		if (i % 2)
			il_thread_pool_cancel(&t.item);
		turn_until(0);
		CHECK(t.ended == 1);
		close(fds[1]);
		CHECK(read(fds[0], &rest, 1) == (t.result == 1 ? 0 : 1));
		close(fds[0]);
	}
}

int main(void)
{
	il_loop_init();
	a_job_may_end_before_the_first_poll();
	for (int i = 0; i < 3; i++) {
		jobs_end();
		blocked_jobs_are_cancelled();
		a_result_may_race_with_its_cancellation();
	}
	CHECK(il_thread_pool_threads() > 0 && il_thread_pool_threads() <= JOBS + 1);
	struct test_job left = { .queue = msgget(IPC_PRIVATE, 0600) };
	CHECK(il_thread_pool_start(&left.item, receive_message, ended) == 0);
	il_loop_fini(); /* cancels what is left and ends the threads */
	CHECK(left.ended == 1 && il_thread_pool_threads() == 0);
	msgctl(left.queue, IPC_RMID, NULL);
	puts("ok");
	return 0;
}
