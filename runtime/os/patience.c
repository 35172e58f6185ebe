/* SPDX-License-Identifier: MIT
 *
 * Patience, see patience.h. Floor 1b.
 */
#include "os/patience.h"
#include "base/clock.h"
#include "os/identity.h"

#include <errno.h>

static const int64_t STANDS_STILL = 5 * IL_SECOND, LONGEST_TURN = 60 * IL_SECOND;

bool il_patience_left(struct il_patience *p, uint64_t turn, pid_t owner)
{
	int64_t now = il_now();
	uint64_t ran = il_identity_ran(owner);
	bool new = !p->since || p->turn != turn;
	if (new)
		p->since = now;
	p->moves = new || p->ran != ran;
	if (p->moves)
		p->end = now + STANDS_STILL;
	p->turn = turn;
	p->ran = ran;
	return now < p->end && now < p->since + LONGEST_TURN;
}

int il_patience_doubt(struct il_patience *p, uint64_t turn, pid_t owner)
{
	if (!il_patience_left(p, turn, owner))
		return ETIMEDOUT;
	return p->moves ? EBUSY : EAGAIN;
}
