/* SPDX-License-Identifier: MIT
 *
 * What was given back to a segment whose latch could not be had, since a process stands still with it. That need not
 * fail: no process can take it before that process goes on, or ends. So it is owed, and paid by whatever of this
 * process has the latch next, at the latest by a look after a while, or by the end of the process. Floor 2.
 */
#ifndef IL_SHM_DEBT_H
#define IL_SHM_DEBT_H

#include "engines/shm/segment.h"
#include "loop/recheck.h"

struct il_debt {
	struct il_list node; /* in the list of all that owe */
	struct il_segment *segment;
	void (*pay)(struct il_debt *d); /* with the latch: gives back what is owed */
	void (*paid)(struct il_debt *d); /* without it: operations of this process may want it */
	uint32_t owed;
	bool abandoned; /* one of them as if its holder had died */
	uint32_t by; /* the generation whose debt it is: a forked child has nothing to do with it */
	uint32_t orphans; /* handles that were closed meanwhile: they keep the segment */
	struct il_recheck later;
};

void il_debt_init(struct il_debt *d, struct il_segment *s, void (*pay)(struct il_debt *d),
	void (*paid)(struct il_debt *d));

/* The segment goes. */
void il_debt_fini(struct il_debt *d);

void il_debt_add(struct il_debt *d, bool abandoned);

void il_debt_clear(struct il_debt *d);

/* With the latch. */
static inline void il_debt_pay(struct il_debt *d)
{
	if (d->owed)
		il_debt_clear(d);
}

/* A handle lets go of the segment, at once or when all is paid. */
void il_debt_drop_segment(struct il_debt *d);

/* At the end of the process: waits for a process that stands in the way, with patience. */
void il_debts_fini(void);

#endif
