/* SPDX-License-Identifier: MIT
 *
 * Watching the holders of locks, see watches.h. They change little between two parks: what is watched already stays.
 * Floor 2.
 */
#include "engines/shm/watches.h"
#include "os/process_watch.h"

#include <errno.h>
#include <stdlib.h>

struct watch {
	struct il_list node;
	struct il_process_watcher mourner;
	struct il_shm_watches *watches;
	pid_t pid;
	uint64_t start;
	bool wanted;
};

static struct watch *watch_at(struct il_list *l)
{
	return il_container_of(l, struct watch, node);
}

static void watch_free(struct watch *w)
{
	il_process_watch_del(&w->mourner);
	il_list_del(&w->node);
	free(w);
}

static void ended(struct il_process_watcher *m)
{
	struct watch *w = il_container_of(m, struct watch, mourner);
	struct il_shm_watches *watches = w->watches;
	watch_free(w);
	watches->look(watches);
}

static void look(struct il_recheck *l)
{
	struct il_shm_watches *w = il_container_of(l, struct il_shm_watches, later);
	w->look(w);
}

void il_shm_watches_init(struct il_shm_watches *w, void (*f)(struct il_shm_watches *w))
{
	il_list_init(&w->list);
	il_recheck_init(&w->later, look);
	w->look = f;
}

void il_shm_watches_begin(struct il_shm_watches *w)
{
	w->blind = false;
	for (struct il_list *l = w->list.next; l != &w->list; l = l->next)
		watch_at(l)->wanted = false;
}

bool il_shm_watches_add(struct il_shm_watches *watches, pid_t pid, uint64_t start)
{
	for (struct il_list *l = watches->list.next; l != &watches->list; l = l->next) {
		struct watch *w = watch_at(l);
		if (w->pid == pid && w->start == start) {
			w->wanted = true;
			return false;
		}
	}
	struct watch *w = calloc(1, sizeof *w);
	if (!w) {
		watches->blind = true;
		return false;
	}
	*w = (struct watch){ .watches = watches, .pid = pid, .start = start, .wanted = true };
	w->mourner.ended = ended;
	il_list_init(&w->mourner.node);
	il_list_add(&watches->list, &w->node);
	int err = il_process_watch_add(&w->mourner, pid, start);
	if (err)
		watch_free(w);
	watches->blind |= err && err != ESRCH;
	return err == ESRCH;
}

int il_shm_watches_end(struct il_shm_watches *watches)
{
	struct il_list *next;
	for (struct il_list *l = watches->list.next; l != &watches->list; l = next) {
		struct watch *w = watch_at(l);
		next = l->next;
		if (!w->wanted)
			watch_free(w);
	}
	if (watches->blind)
		return il_recheck_start(&watches->later);
	il_recheck_stop(&watches->later);
	return 0;
}

void il_shm_watches_clear(struct il_shm_watches *w)
{
	il_recheck_stop(&w->later);
	while (!il_list_empty(&w->list))
		watch_free(watch_at(w->list.next));
}
