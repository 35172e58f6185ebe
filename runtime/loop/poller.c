/* SPDX-License-Identifier: MIT
 *
 * The list of what only a look can tell, see poller.h. Floor 1.
 */
#include "loop/poller.h"

/* A loop that never blocks, because some task is always ready, looks this often before it has a thread look. */
enum { VAIN_LOOKS = 3 };

static struct il_list pollers = IL_LIST_INIT(pollers);

void il_poller_init(struct il_poller *p, bool (*poll)(struct il_poller *), void (*arm)(struct il_poller *))
{
	*p = (struct il_poller){ .poll = poll, .arm = arm };
	il_list_init(&p->node);
}

void il_poller_add(struct il_poller *p)
{
	if (!il_list_empty(&p->node))
		return;
	p->vain = 0;
	il_list_add(&pollers, &p->node);
}

void il_poller_del(struct il_poller *p)
{
	il_list_del(&p->node);
}

static void arm(struct il_poller *p)
{
	il_list_del(&p->node);
	p->arm(p);
}

/* poll and arm may take their own member out of the list or put it at the end, and touch no other. */
bool il_pollers_look(bool patiently)
{
	struct il_list *next, *last = pollers.prev;
	bool woke = false, end = il_list_empty(&pollers);
	for (struct il_list *l = pollers.next; !end; l = next) {
		struct il_poller *p = il_container_of(l, struct il_poller, node);
		next = l->next;
		end = l == last;
		if (p->poll(p))
			woke = true;
		else if (!patiently && ++p->vain >= VAIN_LOOKS)
			arm(p);
	}
	return woke;
}

void il_pollers_arm(void)
{
	struct il_list *last = pollers.prev;
	bool end = il_list_empty(&pollers);
	while (!end) {
		end = pollers.next == last;
		arm(il_container_of(pollers.next, struct il_poller, node));
	}
}
