/* SPDX-License-Identifier: MIT
 *
 * Standing by, see standby.h. The thread stays where it is from one sleep of the loop to the next. Floor 1a.
 */
#include "loop/standby.h"
#include "base/fork.h"
#include "loop/state.h"

#include <errno.h>
#include <poll.h>

static inline struct il_standby *standby(void)
{
	return &il_loop->standby;
}

static void sleep_until_ready(struct il_work *work)
{
	struct pollfd p = { .fd = il_container_of(work, struct il_standby, work)->fd, .events = POLLIN };
	while (!il_work_cancelled(work) && poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

/* That the work is over has woken the loop, which finds what is ready in epoll. */
static void ended(struct il_work *work)
{
	il_container_of(work, struct il_standby, work)->active = false;
}

static bool is_awaited(void)
{
	const struct il_epoll *epoll = &il_loop->epoll;
	for (uint32_t i = 0; epoll->rare && i < epoll->size; i++) {
		struct il_io *io = epoll->table[i].io;
		if (io && io->rare && (!io->wanted || io->wanted(io)))
			return true;
	}
	return false;
}

static void drop(void)
{
	standby()->active = false;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES, .anew = drop };

bool il_standby_start(void)
{
	if (standby()->active || !is_awaited())
		return true;
	il_fork_add(&fork_hook);
	standby()->fd = il_loop->epoll.rare_fd;
	standby()->active = il_thread_pool_start(&standby()->work, sleep_until_ready, ended) == 0;
	return standby()->active;
}

bool il_standby_is_needed(void)
{
	bool awaited = is_awaited();
	if (!awaited && standby()->active)
		il_thread_pool_cancel(&standby()->work);
	return awaited;
}
