/* SPDX-License-Identifier: MIT
 *
 * Looks after a while, see recheck.h. Floor 1a.
 */
#include "loop/recheck.h"
#include "base/list.h"
#include "loop/wake.h"

static const int64_t SHORTEST = 1000000, LONGEST = 20000000; /* ns */

static void expired(struct il_timer *t)
{
	struct il_recheck *l = il_container_of(t, struct il_recheck, timer);
	l->check(l);
}

void il_recheck_init(struct il_recheck *l, void (*check)(struct il_recheck *l))
{
	*l = (struct il_recheck){ .check = check, .pause = SHORTEST };
	l->timer.expired = expired;
}

int il_recheck_start(struct il_recheck *l)
{
	if (l->timer.item.place)
		return 0;
	il_timer_start(&l->timer, l->pause);
	l->pause = l->pause < LONGEST / 2 ? 2 * l->pause : LONGEST;
	int err = il_timer_arm(&l->timer, false);
	il_loop_wake_outer();
	return err;
}

void il_recheck_stop(struct il_recheck *l)
{
	il_timer_disarm(&l->timer);
	l->pause = SHORTEST;
}
