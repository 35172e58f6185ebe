/* SPDX-License-Identifier: MIT
 *
 * Waking the loop, see wake.h: it sleeps in epoll, where its eventfd wakes it, or on futexes, of which `wakes` is one,
 * or in a call that has to be interrupted.
 * Floor 1a.
 */
#include "loop/wake.h"
#include "loop/state.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void il_loop_wake(struct il_loop *loop)
{
	int saved = errno, fd = atomic_load(&loop->epoll.wake_fd);
	uint64_t one = 1;
	if (fd >= 0 && write(fd, &one, sizeof one) < 0) {
		/* EAGAIN: 2^64 wake-ups unread, so it is awake */
	}
	atomic_fetch_add(&loop->wakes, 1); /* after the write: where the loop has seen this, epoll tells of that */
	if (atomic_load(&loop->asleep))
		syscall(SYS_futex, &loop->wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	if (atomic_load(&loop->kick.blocked))
		il_kick(loop);
	errno = saved;
}

void il_loop_wake_outer(void)
{
	if (il_loop->epoll.timer_fd >= 0)
		il_loop_wake(il_loop);
}
