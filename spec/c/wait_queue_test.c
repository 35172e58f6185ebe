/* SPDX-License-Identifier: MIT
 *
 * The wait queue of an engine, over a source that has permits: operations are served in the order they came, nothing is
 * granted to a wait that is over, a lock that cannot be had is tried again, and sleepers are told of a change.
 */
#include "base/clock.h"
#include "engines/wait_queue.h"
#include "loop/epoll.h"
#include "loop/loop.h"
#include "loop/poller.h"
#include "os/state.h"
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum { OPS = 5, PARKED = 1 };

static uint32_t changes, parked;
static int permits, locked, refusals;
static struct il_wait_queue queue;

static struct waiting {
	struct il_wait wait;
	struct il_op op[2]; /* the second is of no line, and never done */
	int woken;
} waits[OPS];

static int order[OPS], ended;

static int enter(struct il_wait_queue *l)
{
	CHECK(l == &queue && !locked);
	if (refusals && refusals-- > 0)
		return EAGAIN;
	locked = 1;
	return 0;
}

static void leave(struct il_wait_queue *l)
{
	(void)l;
	CHECK(locked);
	locked = 0;
}

static int attempt(struct il_wait_queue *l, struct il_op *op, bool waiting)
{
	(void)l;
	CHECK(locked && waiting && op->wait->state == IL_WAITING);
	int wanted = 1 + (int)op->arg;
	if (__atomic_load_n(&permits, __ATOMIC_ACQUIRE) < wanted)
		return EAGAIN;
	__atomic_fetch_sub(&permits, wanted, __ATOMIC_ACQ_REL);
	return 0;
}

static const struct il_wait_queue_type waits_type = {
	.parked = PARKED,
	.strict = true,
	.enter = enter,
	.leave = leave,
	.attempt = attempt,
};

static bool op_attempt(struct il_op *op)
{
	(void)op;
	return false;
}

static int op_start(struct il_op *op)
{
	il_wait_queue_start(&queue, op);
	return 0;
}

static bool op_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&queue, op);
	return false;
}

static const struct il_op_type type = { "test", op_attempt, op_start, op_cancel };

static int never_start(struct il_op *op)
{
	(void)op;
	return 0;
}

static bool never_cancel(struct il_op *op)
{
	(void)op;
	return false;
}

static const struct il_op_type never = { "never", op_attempt, never_start, never_cancel };

static void wake(struct il_wait *w)
{
	struct waiting *t = il_container_of(w, struct waiting, wait);
	t->woken++;
	order[ended++] = (int)(t - waits);
}

/* The first `count` wait, those with an odd number as a select of two. */
static void begin(int count)
{
	permits = ended = 0;
	for (int i = 0; i < count; i++) {
		struct waiting *w = &waits[i];
		*w = (struct waiting){ .wait.wake = wake };
		il_op_init(&w->op[0], &type, &queue, 0);
		il_op_init(&w->op[1], &never, &queue, 0);
		CHECK(il_wait_start(&w->wait, w->op, i % 2 ? 2 : 1, IL_NEVER) == 0);
	}
	CHECK(il_wait_queue_count(&queue) == count);
}

static void grant(int n)
{
	__atomic_fetch_add(&permits, n, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&changes, 1, __ATOMIC_ACQ_REL);
	il_futex_wake(&changes);
}

static void served_in_order(void)
{
	begin(OPS);
	grant(3);
	CHECK(il_wait_queue_retry(&queue));
	CHECK(ended == 3 && permits == 0 && il_wait_queue_count(&queue) == OPS - 3);
	grant(3);
	CHECK(il_wait_queue_retry(&queue));
	CHECK(ended == OPS && permits == 1 && il_wait_queue_count(&queue) == 0);
	for (int i = 0; i < OPS; i++)
		CHECK(order[i] == i && waits[i].woken == 1 && waits[i].op[0].err == 0);
}

/* The second could have the permit, and waits behind the first, which needs two. */
static void none_overtakes(void)
{
	begin(2);
	waits[0].op[0].arg = 1;
	grant(1);
	CHECK(!il_wait_queue_retry(&queue) && ended == 0);
	grant(2);
	CHECK(il_wait_queue_retry(&queue) && ended == 2 && order[0] == 0 && permits == 0);
}

static void nothing_for_one_that_is_over(void)
{
	begin(3);
	il_wait_end(&waits[0].wait, IL_CANCELLED);
	il_wait_end(&waits[1].wait, IL_TIMEOUT);
	grant(1);
	CHECK(il_wait_queue_retry(&queue));
	CHECK(order[2] == 2 && waits[2].wait.winner == 0 && permits == 0);
	CHECK(waits[0].wait.winner == IL_CANCELLED && waits[1].wait.winner == IL_TIMEOUT);
}

static void *grant_later(void *unused)
{
	(void)unused;
	usleep(3000);
	grant(1);
	return NULL;
}

/* The loop sleeps, and the change comes from elsewhere. */
static void those_who_sleep_are_told(void)
{
	pthread_t thread;
	begin(1);
	CHECK(pthread_create(&thread, NULL, grant_later, NULL) == 0);
	while (!ended)
		CHECK(il_loop_poll(IL_NEVER) == 0);
	pthread_join(thread, NULL);
	CHECK(waits[0].woken == 1);
}

static void a_lock_that_cannot_be_had(void)
{
	begin(1);
	refusals = 3;
	grant(1);
	while (!ended)
		CHECK(il_loop_poll(IL_NEVER) == 0);
	CHECK(refusals <= 0 && waits[0].woken == 1);
	refusals = 0;
}

/* The lock could not be had, so the queue is to be tried again after a while. Meanwhile it is looked at from elsewhere,
 * with the lock and without a result: it waits for a change as before. */
static void looked_at_while_it_is_late(void)
{
	pthread_t thread;
	begin(1);
	refusals = 1;
	CHECK(!il_pollers_arm() && queue.late);
	CHECK(!il_wait_queue_retry(&queue) && !queue.late && !ended);
	CHECK(pthread_create(&thread, NULL, grant_later, NULL) == 0);
	while (!ended)
		CHECK(il_loop_poll(IL_NEVER) == 0);
	pthread_join(thread, NULL);
	CHECK(waits[0].woken == 1);
}

static void a_source_closes(void)
{
	begin(2);
	il_wait_queue_close(&queue, &queue);
	CHECK(ended == 2 && waits[0].op[0].err == ECANCELED && waits[1].op[0].err == ECANCELED);
}

int main(void)
{
	alarm(30); /* a lost wake-up */
	il_loop_init();
	il_os_init();
	CHECK(il_epoll_open() == 0);
	queue.type = &waits_type;
	queue.changes = &changes;
	queue.parked = &parked;
	il_wait_queue_init(&queue);
	served_in_order();
	none_overtakes();
	nothing_for_one_that_is_over();
	those_who_sleep_are_told();
	a_lock_that_cannot_be_had();
	looked_at_while_it_is_late();
	a_source_closes();
	il_wait_queue_fini(&queue);
	il_loop_fini();
	puts("ok");
	return 0;
}
