/* SPDX-License-Identifier: MIT
 *
 * Debts, see debt.h. Floor 2.
 */
#include "engines/shm/debt.h"
#include "base/fork.h"
#include "engines/shm/state.h"

#include <errno.h>
#include <stdlib.h>

static bool owes(const struct il_debt *d)
{
	return d->owed && il_fork_is_own(d->by);
}

void il_debt_clear(struct il_debt *d)
{
	if (owes(d))
		d->pay(d);
	d->owed = 0;
}

/* `err`: of entering the segment. */
static void end(struct il_debt *d, int err)
{
	if (!err) {
		il_debt_pay(d);
		il_segment_leave(d->segment);
	}
	d->owed = 0;
	d->abandoned = false;
	il_list_del(&d->node);
	il_recheck_stop(&d->later);
}

static void drop_orphans(struct il_debt *d)
{
	struct il_segment *s = d->segment;
	for (uint32_t n = d->orphans; n; n--) {
		d->orphans = n - 1;
		il_segment_drop(s); /* the last one takes the debt with it */
	}
}

static void look(struct il_recheck *later)
{
	struct il_debt *d = il_container_of(later, struct il_debt, later);
	int err = il_segment_enter_soon(d->segment);
	if (err == EAGAIN || err == ETIMEDOUT) {
		il_recheck_start(later);
		return;
	}
	end(d, err);
	d->paid(d);
	drop_orphans(d);
}

void il_debt_init(struct il_debt *d, struct il_segment *s, void (*pay)(struct il_debt *d),
	void (*paid)(struct il_debt *d))
{
	*d = (struct il_debt){ .segment = s, .pay = pay, .paid = paid };
	il_list_init(&d->node);
	il_recheck_init(&d->later, look);
}

void il_debt_fini(struct il_debt *d)
{
	il_list_del(&d->node);
	il_recheck_stop(&d->later);
}

/* os.exit() ends a program without closing anything. */
void il_debt_add(struct il_debt *d, bool abandoned)
{
	static bool known;
	if (!known)
		known = atexit(il_debts_fini) == 0;
	if (!owes(d)) {
		d->owed = 0;
		d->abandoned = false;
		d->by = il_fork.generation;
	}
	d->owed++;
	d->abandoned |= abandoned;
	if (il_list_empty(&d->node))
		il_list_add(&il_shm_state()->debtors, &d->node);
	il_recheck_start(&d->later);
}

void il_debt_drop_segment(struct il_debt *d)
{
	if (owes(d))
		d->orphans++;
	else
		il_segment_drop(d->segment);
}

void il_debts_fini(void)
{
	while (!il_list_empty(&il_shm_state()->debtors)) {
		struct il_debt *d = il_container_of(il_shm_state()->debtors.next, struct il_debt, node);
		end(d, owes(d) ? il_segment_enter(d->segment) : ECANCELED);
		drop_orphans(d);
	}
}
