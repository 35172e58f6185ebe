/* SPDX-License-Identifier: MIT
 *
 * Waking a loop that sleeps on futexes, when the thread that wakes it stands still in the middle of that: the loop must
 * not count it as heard before its news can be read. The end of a thread's work was missed so, once in some hundred
 * thousand, until another event came.
 */
#include "base/clock.h"
#include "loop/futex.h"
#include "loop/loop.h"
#include "loop/state.h"
#include "loop/thread_pool.h"
#include "check.h"

#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool slow, writes;
static bool done;

/* Instead of the system's: the thread stands still before it writes. */
ssize_t write(int fd, const void *bytes, size_t size)
{
	atomic_store(&writes, true);
	while (atomic_load(&slow))
		sched_yield();
	return syscall(SYS_write, fd, bytes, size);
}

static void work(struct il_work *item)
{
	(void)item;
}

static void ended(struct il_work *item)
{
	(void)item;
	done = true;
}

static void changed(struct il_futex *futex)
{
	(void)futex;
}

/* The loop has nothing to do and learns not to spin. */
static void sleep_once(void)
{
	CHECK(il_loop_poll(il_now() + IL_SECOND / 50) == 0);
}

int main(void)
{
	struct il_work item;
	struct il_futex futex;
	uint32_t word = 0;
	il_loop_init();
	il_futex_init(&futex, changed);
	il_futex_watch(&futex, &word, 0);
	for (int i = 0; i < 3; i++)
		sleep_once();
	atomic_store(&slow, true);
	CHECK(il_thread_pool_start(&item, work, ended) == 0);
	while (!atomic_load(&writes))
		sched_yield();
	sleep_once();
	int64_t late = il_now() + 10 * IL_SECOND;
	atomic_store(&slow, false);
	while (!done && il_now() < late)
		CHECK(il_loop_poll(late) == 0);
	CHECK(il_now() < late);
	il_futex_unwatch(&futex);
	il_loop_fini();
	puts("ok");
	return 0;
}
