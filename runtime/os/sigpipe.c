/* SPDX-License-Identifier: MIT
 *
 * Signals held back for a moment, see sigpipe.h. The kernel sends both to the thread that writes, so blocking them
 * there is enough, and none that was on its way to another thread is taken. Floor 1b.
 */
#include "os/sigpipe.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static void both(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
	sigaddset(set, SIGXFSZ);
}

void il_sigpipe_hold(struct il_sigpipe *q)
{
	sigset_t held;
	both(&held);
	sigpending(&q->pending);
	pthread_sigmask(SIG_BLOCK, &held, &q->mask);
}

void il_sigpipe_release(struct il_sigpipe *q, int err)
{
	int before = errno, raised = err == EPIPE ? SIGPIPE : err == EFBIG ? SIGXFSZ : 0;
	struct timespec at_once = { 0 };
	sigset_t one;
	sigemptyset(&one);
	if (raised && !sigismember(&q->pending, raised)) {
		sigaddset(&one, raised);
		while (sigtimedwait(&one, NULL, &at_once) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
	errno = before;
}
