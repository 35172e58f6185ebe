/* SPDX-License-Identifier: MIT
 *
 * Second latches, see second.h. Floor 2.
 */
#include "engines/shm/second.h"
#include "base/shared_atomic.h"
#include "os/latch.h"

#include <errno.h>
#include <linux/futex.h>

/* With both latches. A process that died in remove() may have said so here only. */
static int repair(struct il_second *x)
{
	struct il_segment *s = x->segment;
	if (il_get(&x->shared->removed))
		il_put(&s->head->removed, 1);
	return x->repair(s);
}

int il_second_join(struct il_second *x, bool soon)
{
	int err = il_latch_second(&x->shared->latch, &x->patience, soon);
	if (err != EOWNERDEAD)
		return err;
	x->segment->repaired = true;
	err = repair(x);
	if (err)
		il_unlatch_second(&x->shared->latch);
	return err;
}

void il_second_part(struct il_second *x)
{
	il_unlatch_second(&x->shared->latch);
}

bool il_second_is_orphaned(const struct il_second *x)
{
	return il_get(&x->shared->latch) & FUTEX_OWNER_DIED;
}

int il_second_recover(struct il_second *x)
{
	int err = il_latch_second(&x->shared->latch, &x->patience, false);
	if (err && err != EOWNERDEAD)
		return err;
	err = repair(x);
	il_unlatch_second(&x->shared->latch);
	return err;
}

/* Some process has both, or has died: the segment's latch is where to wait for that, and to repair. */
static int pass_through(struct il_second *x, bool soon)
{
	int err = soon ? il_segment_enter_soon(x->segment) : il_segment_enter(x->segment);
	if (err)
		return err;
	err = il_second_join(x, soon);
	if (!err)
		il_second_part(x);
	il_segment_leave(x->segment);
	return err;
}

static int __attribute__((noinline)) enter_slowly(struct il_second *x, int err, bool soon)
{
	while (err == EOWNERDEAD || err == EDEADLK) {
		if (err == EOWNERDEAD)
			il_unlatch_dead(&x->shared->latch);
		err = pass_through(x, soon);
		if (!err)
			err = il_latch_alone(&x->shared->latch, &x->patience, soon);
	}
	if (err)
		return err;
	if (!x->segment->lost && !il_get(&x->shared->removed))
		return 0;
	il_unlatch(&x->shared->latch, false);
	return x->segment->lost ? EUCLEAN : EIDRM;
}

static inline int enter(struct il_second *x, bool soon)
{
	int err = il_segment_usable(x->segment);
	if (err)
		return err;
	err = il_latch_alone(&x->shared->latch, &x->patience, soon);
	return err || x->segment->lost || il_get(&x->shared->removed) ? enter_slowly(x, err, soon) : 0;
}

int il_second_enter(struct il_second *x)
{
	return enter(x, false);
}

int il_second_enter_soon(struct il_second *x)
{
	return enter(x, true);
}

void il_second_leave(struct il_second *x)
{
	il_unlatch(&x->shared->latch, false);
}
