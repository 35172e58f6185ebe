/* SPDX-License-Identifier: MIT
 *
 * Checks after a while, see recheck.h. Floor 1a.
 */
#include "loop/recheck.h"
#include "base/list.h"
#include "loop/wake.h"

static const int64_t SHORTEST = 1000000, LONGEST = 20000000; /* ns */

static void expired(struct il_timer *t)
{
	struct il_recheck *r = il_container_of(t, struct il_recheck, timer);
	r->check(r);
}

void il_recheck_init(struct il_recheck *r, void (*check)(struct il_recheck *r))
{
	*r = (struct il_recheck){ .check = check, .pause = SHORTEST };
	r->timer.expired = expired;
}

int il_recheck_start(struct il_recheck *r)
{
	if (r->timer.item.place)
		return 0;
	il_timer_start(&r->timer, r->pause);
	r->pause = r->pause < LONGEST / 2 ? 2 * r->pause : LONGEST;
	int err = il_timer_arm(&r->timer, false);
	il_loop_wake_outer();
	return err;
}

int il_recheck_start_late(struct il_recheck *r)
{
	r->pause = LONGEST;
	return il_recheck_start(r);
}

void il_recheck_stop(struct il_recheck *r)
{
	il_timer_disarm(&r->timer);
	r->pause = SHORTEST;
}
