/* SPDX-License-Identifier: MIT
 *
 * Forks, see fork.h. Floor 0.
 */
#include "base/fork.h"

#include <pthread.h>
#include <unistd.h>

struct il_fork il_fork;

static struct il_fork_hook *hooks; /* by their order, equal ones as they were added */

static void before(void)
{
	for (struct il_fork_hook *h = hooks; h; h = h->next)
		if (h->before)
			h->before();
}

static void parent(void)
{
	for (struct il_fork_hook *h = hooks; h; h = h->next)
		if (h->parent)
			h->parent();
}

static void child(void)
{
	il_fork.pid = getpid();
	il_fork.generation++;
	for (struct il_fork_hook *h = hooks; h; h = h->next)
		if (h->child)
			h->child();
}

void il_fork_init(void)
{
	if (il_fork.generation)
		return;
	pthread_atfork(before, parent, child);
	il_fork.generation = 1;
	il_fork.pid = getpid();
}

void il_fork_add(struct il_fork_hook *hook)
{
	struct il_fork_hook **place = &hooks;
	if (hook->added)
		return;
	while (*place && (*place)->order <= hook->order)
		place = &(*place)->next;
	hook->next = *place;
	hook->added = true;
	*place = hook;
}

void il_fork_begin_anew(void)
{
	il_fork.beginnings++;
	for (struct il_fork_hook *h = hooks; h; h = h->next)
		if (h->anew)
			h->anew();
}
