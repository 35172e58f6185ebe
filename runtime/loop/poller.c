/* SPDX-License-Identifier: MIT
 *
 * The list of what has to be polled, see poller.h. Floor 1a.
 */
#include "loop/poller.h"
#include "loop/state.h"

/* A loop that never blocks, because some task is always ready, polls this often before it arms. */
enum { MOST_MISSES = 3 };

void il_poller_init(struct il_poller *p, bool (*poll)(struct il_poller *), bool (*arm)(struct il_poller *))
{
	*p = (struct il_poller){ .poll = poll, .arm = arm };
	il_list_init(&p->node);
}

void il_poller_add(struct il_poller *p)
{
	if (!il_list_empty(&p->node))
		return;
	p->misses = 0;
	il_list_add(&il_loop->pollers, &p->node);
}

void il_poller_del(struct il_poller *p)
{
	il_list_del(&p->node);
}

static bool arm(struct il_poller *p)
{
	il_list_del(&p->node);
	return p->arm(p);
}

/* A poll or an arm may end a select, and that takes any others out of the list, wherever they stand: each round works
 * off a list of its own from the front. What is added meanwhile is for the next round. */
bool il_pollers_poll(bool no_arm)
{
	struct il_list round;
	bool woke = false;
	il_list_move(&il_loop->pollers, &round);
	il_list_drain(struct il_poller, p, &round, node) {
		il_list_add(&il_loop->pollers, &p->node);
		if (p->poll(p))
			woke = true;
		else if (!no_arm && ++p->misses >= MOST_MISSES)
			woke |= arm(p);
	}
	return woke;
}

struct il_poller *il_pollers_only(void)
{
	struct il_list *first = il_loop->pollers.next;
	struct il_poller *p = il_container_of(first, struct il_poller, node);
	return first != &il_loop->pollers && first->next == &il_loop->pollers && p->block ? p : NULL;
}

bool il_pollers_arm(void)
{
	struct il_list round;
	bool woke = false;
	il_list_move(&il_loop->pollers, &round);
	il_list_drain(struct il_poller, p, &round, node)
		woke |= arm(p);
	return woke;
}
