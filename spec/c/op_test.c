/* SPDX-License-Identifier: MIT
 *
 * Operations and waits: a wait ends exactly once, by one operation, its deadline or a cancellation, and then no
 * operation of it stands in any queue. The sources here are bare lists; some of their operations cannot be taken back
 * any more.
 */
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/op.h"
#include "loop/state.h"
#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { OPS = 3 };

static struct source {
	struct il_list queue;
	int cancelled;
	bool too_far; /* cancel comes too late: the operation is done */
	int refuses; /* errno of start */
} sources[OPS];

static struct il_wait wait;
static struct il_op ops[OPS];
static int woken;

static bool attempt(struct il_op *op)
{
	(void)op;
	return false;
}

static int start(struct il_op *op)
{
	struct source *s = op->source;
	if (s->refuses)
		return s->refuses;
	il_list_add(&s->queue, &op->link);
	return 0;
}

static bool cancel(struct il_op *op)
{
	struct source *s = op->source;
	CHECK(!il_list_empty(&op->link) || s->too_far);
	il_list_del(&op->link);
	s->cancelled++;
	return s->too_far;
}

static const struct il_op_type type = { "test", attempt, start, cancel };

static void wake(struct il_wait *w)
{
	CHECK(w == &wait && w->state == IL_DONE);
	woken++;
}

static void begin(void)
{
	memset(sources, 0, sizeof sources);
	for (int i = 0; i < OPS; i++) {
		il_list_init(&sources[i].queue);
		il_op_init(&ops[i], &type, &sources[i], 0);
	}
	wait = (struct il_wait){ .wake = wake };
	woken = 0;
}

static void begin_wait(int64_t deadline)
{
	begin();
	CHECK(il_wait_start(&wait, ops, OPS, deadline) == 0);
	CHECK(wait.state == IL_WAITING);
}

static void finish(int i, int err)
{
	il_list_del(&ops[i].link);
	il_op_finish(&ops[i], err);
}

static void check_end(int winner)
{
	CHECK(woken == 1 && wait.state == IL_DONE && wait.winner == winner);
	CHECK(il_heap_min(&il_loop->deadlines) == IL_NEVER);
	for (int i = 0; i < OPS; i++)
		CHECK(il_list_empty(&sources[i].queue) && sources[i].cancelled == (i != winner));
}

static void one_finishes(void)
{
	begin_wait(il_now() + IL_SECOND);
	finish(1, EPIPE);
	check_end(1);
	CHECK(ops[1].err == EPIPE);
	il_wait_end(&wait, IL_TIMEOUT); /* too late, and harmless */
	CHECK(woken == 1 && wait.winner == 1);
}

static void its_deadline_comes(void)
{
	begin_wait(il_now() + 1);
	while (wait.state == IL_WAITING)
		CHECK(il_loop_poll(IL_NEVER) == 0);
	check_end(IL_TIMEOUT);
}

static void it_is_cancelled(void)
{
	begin_wait(IL_NEVER);
	il_wait_end(&wait, IL_CANCELLED);
	check_end(IL_CANCELLED);
}

/* What has happened counts, and not the timeout. */
static void a_result_beats_the_end(void)
{
	begin_wait(IL_NEVER);
	sources[2].too_far = true;
	il_wait_end(&wait, IL_TIMEOUT);
	CHECK(woken == 1 && wait.winner == 2);
}

static void it_is_dropped(void)
{
	begin_wait(il_now() + IL_SECOND);
	il_wait_drop(&wait);
	CHECK(woken == 0 && wait.state == IL_IDLE && il_heap_min(&il_loop->deadlines) == IL_NEVER);
	for (int i = 0; i < OPS; i++)
		CHECK(il_list_empty(&sources[i].queue));
}

static void a_start_fails(void)
{
	begin();
	sources[2].refuses = ENOMEM;
	CHECK(il_wait_start(&wait, ops, OPS, IL_NEVER) == ENOMEM);
	CHECK(woken == 0 && wait.state == IL_IDLE);
	CHECK(sources[0].cancelled == 1 && sources[1].cancelled == 1 && sources[2].cancelled == 0);
}

/* The other cases have lost, and the deadline is off, though the one is not done yet. */
static void one_claims_the_wait(void)
{
	begin_wait(il_now() + IL_SECOND);
	il_op_commit(&ops[1]);
	CHECK(wait.state == IL_WAITING && il_heap_min(&il_loop->deadlines) == IL_NEVER);
	CHECK(sources[0].cancelled == 1 && sources[1].cancelled == 0 && sources[2].cancelled == 1);
	il_list_del(&ops[1].link);
	il_op_finish(&ops[1], 0);
	CHECK(woken == 1 && wait.winner == 0 && wait.ops == &ops[1]);
}

/* All that were asked elsewhere have said no. */
static void all_decline(void)
{
	begin_wait(IL_NEVER);
	ops[0].remote = ops[2].remote = true;
	il_list_del(&ops[0].link);
	il_op_not_ready(&ops[0]);
	CHECK(wait.state == IL_WAITING);
	il_list_del(&ops[2].link);
	il_op_not_ready(&ops[2]);
	CHECK(woken == 1 && wait.winner == IL_TIMEOUT);
	CHECK(sources[0].cancelled == 0 && sources[1].cancelled == 1 && sources[2].cancelled == 0);
}

/* An answer that is due is waited for a moment before the wait ends without it. */
static void an_answer_is_due(void)
{
	begin_wait(IL_NEVER);
	ops[0].busy = true;
	il_wait_end(&wait, IL_CANCELLED);
	CHECK(wait.state == IL_WAITING);
	il_op_unbusy(&ops[0]);
	check_end(IL_CANCELLED);
	begin_wait(IL_NEVER);
	ops[0].busy = true;
	il_wait_end(&wait, IL_TIMEOUT);
	finish(0, 0);
	check_end(0);
}

static void a_source_closes(void)
{
	begin_wait(IL_NEVER);
	il_op_finish_all(&sources[1].queue, ECANCELED);
	check_end(1);
	CHECK(ops[1].err == ECANCELED);
}

static void what_it_owns_is_freed(void)
{
	begin();
	int pair[2];
	CHECK(pipe(pair) == 0);
	ops[0].data = malloc(10);
	ops[0].size = 10;
	ops[0].fd = pair[1];
	ops[0].owned = true;
	il_op_clear(&ops[0]);
	char byte;
	CHECK(read(pair[0], &byte, 1) == 0); /* the other end has been closed */
	close(pair[0]);
	CHECK(!ops[0].data && !ops[0].owned && ops[0].fd == -1);
}

int main(void)
{
	il_loop_init();
	for (int i = 0; i < OPS; i++)
		ops[i].fd = -1;
	one_finishes();
	its_deadline_comes();
	it_is_cancelled();
	a_result_beats_the_end();
	it_is_dropped();
	a_start_fails();
	one_claims_the_wait();
	all_decline();
	an_answer_is_due();
	a_source_closes();
	what_it_owns_is_freed();
	il_loop_fini();
	puts("ok");
	return 0;
}
