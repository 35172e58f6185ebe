/* SPDX-License-Identifier: MIT
 *
 * The latch between processes: it excludes, an owner that is killed is told of to the next, one that stands still ends
 * the patience of the waiters, and a damaged word is found out. So does a second one that is joined to it.
 */
#include "base/clock.h"
#include "base/shared_atomic.h"
#include "loop/loop.h"
#include "os/latch.h"
#include "check.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, ROUNDS = 20000 };

static struct shared {
	uint32_t word, second;
	uint32_t inside; /* plain: only the latch guards it */
	uint32_t count, ready;
} * shared;

static int lock(void)
{
	struct il_patience patience = { 0 };
	return il_latch(&shared->word, &patience);
}

/* The number of a child that runs fn with the loop of its own, and stands still afterwards. */
static pid_t child(void (*fn)(void))
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid)
		return pid;
	fn();
	_exit(0);
}

static int end_of(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void count_up(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(lock() == 0);
		CHECK(shared->inside++ == 0);
		shared->count++;
		CHECK(--shared->inside == 0);
		il_unlatch(&shared->word, false);
	}
}

static void one_at_a_time(void)
{
	pid_t children[CHILDREN];
	for (int i = 0; i < CHILDREN; i++)
		children[i] = child(count_up);
	count_up();
	for (int i = 0; i < CHILDREN; i++)
		CHECK(end_of(children[i]) == 0);
	CHECK(shared->count == (CHILDREN + 1) * ROUNDS && shared->word == 0);
}

static void keep_it(void)
{
	CHECK(lock() == 0);
	il_put(&shared->ready, 1);
	for (;;)
		pause();
}

static pid_t owner(void)
{
	shared->ready = 0;
	pid_t pid = child(keep_it);
	while (!il_get(&shared->ready))
		usleep(100);
	return pid;
}

static void owner_dies(void)
{
	pid_t pid = owner();
	kill(pid, SIGKILL);
	end_of(pid);
	CHECK(lock() == EOWNERDEAD);
	il_unlatch(&shared->word, false);
	CHECK(lock() == 0);
	il_unlatch(&shared->word, false);
}

/* A call that is only to look does not stay: the owner sleeps, so it does not move. */
static void owner_stands_still(void)
{
	pid_t pid = owner();
	struct il_patience patience = { 0 };
	int64_t start = il_now();
	int err;
	while ((err = il_latch_soon(&shared->word, &patience)) == EAGAIN)
		usleep(1000);
	CHECK(err == ETIMEDOUT && il_now() - start > IL_SECOND);
	start = il_now();
	CHECK(il_latch(&shared->word, &patience) == ETIMEDOUT);
	CHECK(il_now() - start < IL_SECOND);
	kill(pid, SIGKILL);
	end_of(pid);
	CHECK(il_latch(&shared->word, &patience) == EOWNERDEAD);
	il_unlatch(&shared->word, false);
}

static void word_is_damaged(void)
{
	struct il_patience patience = { 0 };
	shared->word = 0x3fffffff; /* a thread that cannot be */
	CHECK(il_latch(&shared->word, &patience) == EUCLEAN);
	shared->word = 0;
	CHECK(lock() == 0);
	il_unlatch(&shared->word, false);
}

/* Two latches ------------------------------------------------------------------------------------------------- */

static int lock_both(void)
{
	struct il_patience patience = { 0 };
	int err = lock();
	return err ? err : il_latch_second(&shared->second, &patience, false);
}

static int lock_alone(void)
{
	struct il_patience patience = { 0 };
	int err;
	while ((err = il_latch_alone(&shared->second, &patience, false)) == EDEADLK) {
		CHECK(lock() == 0);
		il_unlatch(&shared->word, false);
	}
	return err;
}

static void count_in_turn(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		bool both = i % 2;
		CHECK((both ? lock_both() : lock_alone()) == 0);
		CHECK(shared->inside++ == 0);
		shared->count++;
		CHECK(--shared->inside == 0);
		if (both) {
			il_unlatch_second(&shared->second);
			il_unlatch(&shared->word, false);
		} else {
			il_unlatch(&shared->second, false);
		}
	}
}

static void both_and_alone(void)
{
	pid_t children[CHILDREN];
	shared->count = 0;
	for (int i = 0; i < CHILDREN; i++)
		children[i] = child(count_in_turn);
	count_in_turn();
	for (int i = 0; i < CHILDREN; i++)
		CHECK(end_of(children[i]) == 0);
	CHECK(shared->count == (CHILDREN + 1) * ROUNDS && shared->word == 0 && shared->second == 0);
}

static void keep_both(void)
{
	CHECK(lock_both() == 0);
	il_put(&shared->ready, 1);
	for (;;)
		pause();
}

/* The first latch tells of the death of a thread that had both; then the second can be had, too. */
static void owner_of_both_dies(void)
{
	struct il_patience patience = { 0 };
	shared->ready = 0;
	pid_t pid = child(keep_both);
	while (!il_get(&shared->ready))
		usleep(100);
	CHECK(il_latch_alone(&shared->second, &patience, true) == EDEADLK);
	kill(pid, SIGKILL);
	end_of(pid);
	CHECK(il_latch_alone(&shared->second, &patience, true) == EDEADLK);
	CHECK(lock() == EOWNERDEAD);
	CHECK(il_latch_second(&shared->second, &patience, true) == EOWNERDEAD);
	il_unlatch_second(&shared->second);
	il_unlatch_dead(&shared->word);
	CHECK(lock_both() == EOWNERDEAD); /* of the first: it was left as it was */
	CHECK(il_latch_second(&shared->second, &patience, true) == 0);
	il_unlatch_second(&shared->second);
	il_unlatch(&shared->word, false);
	CHECK(lock_alone() == 0);
	il_unlatch(&shared->second, false);
}

int main(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	il_loop_init(); /* its fork handler renews il_fork.pid */
	one_at_a_time();
	owner_dies();
	owner_stands_still();
	word_is_damaged();
	both_and_alone();
	owner_of_both_dies();
	puts("ok");
	return 0;
}
