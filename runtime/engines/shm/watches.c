/* SPDX-License-Identifier: MIT
 *
 * Watching the holders of locks, see watches.h. They change little between two parks: what is watched already stays.
 * Floor 2.
 */
#include "engines/shm/watches.h"
#include "engines/waiters_lookout.h"
#include "os/process_watch.h"

#include <errno.h>
#include <stdlib.h>

enum { KEPT = 2 };

struct watch {
	struct il_list node;
	struct il_process_watcher watcher;
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
	il_process_watch_del(&w->watcher);
	il_list_del(&w->node);
	free(w);
}

static void ended(struct il_process_watcher *m)
{
	struct watch *w = il_container_of(m, struct watch, watcher);
	struct il_shm_watches *watches = w->watches;
	bool idle = m->idle;
	watch_free(w);
	if (idle)
		watches->ended = true;
	else
		watches->retry(watches);
}

static void check_later(struct il_recheck *l)
{
	struct il_shm_watches *w = il_container_of(l, struct il_shm_watches, later);
	w->retry(w);
}

void il_shm_watches_init(struct il_shm_watches *w, void (*f)(struct il_shm_watches *w))
{
	il_list_init(&w->list);
	il_recheck_init(&w->later, check_later);
	w->retry = f;
	w->kept = KEPT;
}

static void free_beyond(struct il_shm_watches *watches, int kept)
{
	struct il_list *before;
	for (struct il_list *l = watches->list.prev; l != &watches->list;
		l = before) { /* the last that was wanted first */
		struct watch *w = watch_at(l);
		before = l->prev;
		w->watcher.idle = !w->wanted;
		if (!w->wanted && (!w->watcher.watch || kept-- <= 0))
			watch_free(w);
	}
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
		if (w->pid == pid && w->start == start && w->watcher.watch) {
			w->wanted = true;
			w->watcher.idle = false;
			il_list_del(l);
			il_list_add(&watches->list, l);
			return false;
		}
	}
	struct watch *w = calloc(1, sizeof *w);
	if (!w) {
		watches->blind = true;
		return false;
	}
	*w = (struct watch){ .watches = watches, .pid = pid, .start = start, .wanted = true };
	w->watcher.ended = ended;
	il_list_init(&w->watcher.node);
	il_list_add(&watches->list, &w->node);
	int err = il_process_watch_add(&w->watcher, pid, start);
	if (err)
		watch_free(w);
	watches->blind |= err && err != ESRCH;
	return err == ESRCH;
}

bool il_shm_watches_add_waiters(struct il_shm_watches *watches, const struct il_waiters *w)
{
	bool ended = w->before && il_shm_watches_add(watches, w->before, w->before_start);
	for (int i = 0; w->lookouts && i < IL_LOOKOUTS; i++) {
		struct il_lookout l = w->lookouts->at[i];
		if (il_waiters_is_watched(w, i))
			ended |= il_shm_watches_add(watches, (pid_t)l.pid, l.start);
	}
	return ended;
}

int il_shm_watches_end(struct il_shm_watches *watches)
{
	free_beyond(watches, watches->kept);
	if (watches->blind)
		return il_recheck_start(&watches->later);
	il_recheck_stop(&watches->later);
	return 0;
}

void il_shm_watches_idle(struct il_shm_watches *w)
{
	il_recheck_stop(&w->later);
	il_shm_watches_begin(w);
	free_beyond(w, w->kept);
}

void il_shm_watches_fini(struct il_shm_watches *w)
{
	il_recheck_stop(&w->later);
	il_shm_watches_begin(w);
	free_beyond(w, 0);
}
