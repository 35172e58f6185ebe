/* SPDX-License-Identifier: MIT
 *
 * Calls that wait, see queue_wait.h. A call that found nothing knows what the word of announcements was at that
 * time, with the lock. If it is another one meanwhile, the call is made again at once; else a change of the word is
 * slept for.
 * Floor 2.
 */
#include "engines/disk/queue_wait.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/shared_atomic.h"
#include "engines/disk/queue_kinds.h"
#include "engines/disk/queue_read.h"
#include "engines/disk/state.h"
#include "os/process_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of the wall clock, which may be set: so it is looked at again. */
static const int64_t LONGEST = 3600 * IL_SECOND;

enum {
	TYPES = 16, /* that are distinguished when one call of each is made again */
	SERVED = 1000, /* calls are queued together at most, */
	USUAL = 15, /* or at first */
};

struct watch {
	struct il_list node;
	struct il_process_watcher watcher;
	struct il_disk_holder process;
	struct il_dq_waits *waits;
};

static struct il_dq *queue_of(const struct il_dq_call *c)
{
	return il_container_of(c->change.object, struct il_dq, object);
}

static uint32_t *word_of(const struct il_dq_line *line)
{
	return &line->waits->disk->control->words[line->key % IL_DISK_WORDS];
}

/* NULL: a call of its kind does not wait. */
static struct il_dq_line *line_of(const struct il_dq_call *c)
{
	return c->kind->side == IL_DQ_NEITHER ? NULL : &queue_of(c)->waits->lines[c->kind->side];
}

static bool is_of_senders(const struct il_dq_line *line)
{
	return line == &line->waits->lines[IL_DQ_SENDERS];
}

/* Senders want room, whatever they send. */
static int64_t wants(const struct il_dq_line *line, int64_t type)
{
	return is_of_senders(line) ? 0 : type;
}

/* Having a turn --------------------------------------------------------------------------------------------- */

static bool is_new(int64_t types[TYPES], int *count, int64_t type)
{
	for (int i = 0; i < *count; i++)
		if (types[i] == type)
			return false;
	if (*count < TYPES)
		types[(*count)++] = type;
	return true;
}

static void make(struct il_dq_line *line, struct il_dq_call *c)
{
	c->first = line->calls.next == &c->link;
	il_dq_call_again(c);
}

/* A call that is made may end, and with it others of the same wait. */
static void make_firsts(struct il_dq_line *line)
{
	int64_t types[TYPES];
	int count = 0;
	struct il_list round;
	il_list_move(&line->calls, &round);
	il_list_drain(struct il_dq_call, c, &round, link) {
		il_list_add(&line->calls, &c->link);
		if (is_new(types, &count, wants(line, c->type)) && !c->flying)
			make(line, c);
	}
}

static void announced(struct il_futex *futex)
{
	struct il_dq_line *line = il_container_of(futex, struct il_dq_line, futex);
	if (il_list_empty(&line->calls))
		return;
	il_futex_watch(futex, word_of(line), il_get(word_of(line)));
	make_firsts(line);
}

/* The first one that is not under way; *stop: one before it is in a batch, and may be made again, or is made in parts:
 * that is not to be overtaken. */
static struct il_dq_call *next_of(const struct il_dq_line *line, int64_t type, bool *stop)
{
	*stop = false;
	il_list_each(struct il_dq_call, c, &line->calls, link) {
		if (wants(line, c->type) != wants(line, type))
			continue;
		if (!c->flying)
			return c;
		*stop |= il_disk_change_runs(&c->change) || c->kind->partly;
	}
	return NULL;
}

void il_dq_pass_on(struct il_dq_waits *w, const struct il_dq_kind *kind, int64_t type)
{
	struct il_dq_line *line = kind->side == IL_DQ_NEITHER ? NULL : &w->lines[kind->side];
	struct il_dq_call *c;
	bool stop;
	for (int i = 0; line && i <= line->served && (c = next_of(line, type, &stop)) && !stop; i++)
		make(line, c);
}

/* Processes that take ---------------------------------------------------------------------------------------- */

static bool has_ended(const struct il_dq *q, const struct il_disk_holder *process)
{
	struct il_disk_holder own = il_dq_holder(q);
	if (process->world != own.world) /* while a process of one world uses the folder, none of another can */
		return true;
	return il_process_watch_ended((pid_t)process->pid, process->start);
}

void il_dq_find_dead(struct il_disk_records *r, struct il_dq_call *c)
{
	struct il_disk_holder process = { .world = 0 };
	c->deaths = 0;
	while (c->deaths < IL_DQ_DEATHS && il_disk_records_taker(r, &process) == 0)
		if (has_ended(queue_of(c), &process))
			c->dead[c->deaths++] = process;
}

static void free_watch(struct watch *w)
{
	il_process_watch_del(&w->watcher);
	il_list_del(&w->node);
	free(w);
}

/* Processes that have ended, as a call has them. */
struct dead {
	struct il_disk_holder at[IL_DQ_DEATHS];
	int count;
};

/* Without memory, the next call does it. */
static void bereave(struct il_dq *q, const struct dead *dead)
{
	struct il_dq_call *c = dead->count ? il_dq_call_new(q, &il_dq_bereave, NULL, NULL, 0) : NULL;
	if (!c)
		return;
	memcpy(c->dead, dead->at, sizeof c->dead);
	c->deaths = dead->count;
	il_dq_call_start(c);
}

/* One of those that wait does it, and so may have a job of that process at once. Else each handle does: the queue of
 * some may have been removed, and another one made. */
static void ended(struct il_process_watcher *watcher)
{
	struct watch *watch = il_container_of(watcher, struct watch, watcher);
	struct il_dq_waits *w = watch->waits;
	struct il_dq_line *line = &w->lines[IL_DQ_RECEIVERS];
	struct il_dq_call *first = il_list_first(struct il_dq_call, &line->calls, link);
	struct dead dead = { .at = { watch->process }, .count = 1 };
	free_watch(watch);
	if (first && !first->flying && il_list_count(&w->handles) == 1) {
		first->dead[first->deaths++] = dead.at[0];
		make(line, first);
		return;
	}
	il_list_each_safe(struct il_dq, q, &w->handles, node)
		bereave(q, &dead);
}

static bool is_watched(const struct il_dq_waits *w, const struct il_disk_holder *process)
{
	il_list_each(struct watch, watch, &w->watches, node)
		if (watch->process.pid == process->pid && watch->process.start == process->start)
			return true;
	return false;
}

/* 0, ESRCH: it has ended; or errno: it cannot be watched now. */
static int watch_one(struct il_dq *q, const struct il_disk_holder *process)
{
	struct watch *watch = calloc(1, sizeof *watch);
	if (!watch)
		return ENOMEM;
	*watch = (struct watch){ .watcher.ended = ended, .process = *process, .waits = q->waits };
	il_list_init(&watch->watcher.node);
	il_list_add(&q->waits->watches, &watch->node);
	int err = il_process_watch_add(&watch->watcher, (pid_t)process->pid, process->start);
	if (err)
		free_watch(watch);
	return err && has_ended(q, process) ? ESRCH : err;
}

/* Each that takes, but this one, which cannot see its own end. */
static void watch_all(struct il_dq *q)
{
	struct il_disk_holder process = { .world = 0 }, own = il_dq_holder(q);
	struct dead dead = { .count = 0 };
	struct il_disk_records r;
	struct il_disk_txn t;
	int err = il_dq_read_begin(q, &t, &r);
	bool blind = err && err != EIDRM;
	while (!err && dead.count < IL_DQ_DEATHS && il_disk_records_taker(&r, &process) == 0) {
		bool here = process.world == own.world;
		if (here && ((process.pid == own.pid && process.start == own.start) || is_watched(q->waits, &process)))
			continue;
		int failed = here ? watch_one(q, &process) : ESRCH;
		blind |= failed && failed != ESRCH;
		if (failed == ESRCH)
			dead.at[dead.count++] = process;
	}
	if (!err)
		il_dq_read_end(q, &t);
	if (blind)
		il_recheck_start(&q->waits->later);
	bereave(q, &dead);
}

static void recheck(struct il_recheck *later)
{
	struct il_dq_waits *w = il_container_of(later, struct il_dq_waits, later);
	if (!il_list_empty(&w->lines[IL_DQ_RECEIVERS].calls))
		il_list_each_safe(struct il_dq, q, &w->handles, node)
			watch_all(q);
}

static void set_idle(struct il_dq_waits *w, bool idle)
{
	il_list_each(struct watch, watch, &w->watches, node)
		watch->watcher.idle = idle;
}

/* What is delayed --------------------------------------------------------------------------------------------- */

static void stop_timer(struct il_dq_waits *w)
{
	il_timer_disarm(&w->timer);
	w->due = IL_NEVER;
}

static void due(struct il_timer *timer)
{
	struct il_dq_waits *w = il_container_of(timer, struct il_dq_waits, timer);
	w->due = IL_NEVER;
	make_firsts(&w->lines[IL_DQ_RECEIVERS]);
}

static void set_timer(struct il_dq_waits *w, int64_t at)
{
	if (at >= w->due)
		return;
	int64_t left = at - il_wall_now();
	stop_timer(w);
	il_timer_start(&w->timer, left < 1 ? 1 : left < LONGEST ? left : LONGEST);
	if (il_timer_arm(&w->timer, false) == 0)
		w->due = at;
}

/* Waiting ------------------------------------------------------------------------------------------------------- */

bool il_dq_wait_begin(struct il_dq_call *c)
{
	const struct il_op *op = c->change.op;
	struct il_dq_line *line = line_of(c);
	c->first = line && il_list_empty(&line->calls);
	if (!line || !op || !op->wait || op->once)
		return true;
	bool stop, behind = next_of(line, c->type, &stop) != NULL;
	il_list_add(&line->calls, &c->link);
	return !behind && !stop;
}

/* The word may be another one by now: then a watch for the old one ends at once. */
void il_dq_wait(struct il_dq_call *c)
{
	struct il_dq_waits *w = queue_of(c)->waits;
	struct il_dq_line *line = line_of(c);
	line->served = 0;
	if (is_of_senders(line) && !c->first &&
		line->calls.next == &c->link) { /* the one before it has left meanwhile */
		c->first = true;
		c->change.then = IL_DISK_AGAIN;
		return;
	}
	if (c->change.seen != il_get(word_of(line)))
		il_futex_unwatch(&line->futex);
	if (!il_futex_watched(&line->futex))
		il_futex_watch(&line->futex, word_of(line), c->change.seen);
	if (is_of_senders(line))
		return;
	set_timer(w, c->due);
	set_idle(w, false);
	watch_all(queue_of(c));
}

void il_dq_wait_end(struct il_dq_call *c)
{
	struct il_dq_line *line = line_of(c);
	if (il_list_empty(&c->link))
		return;
	il_list_del(&c->link);
	line->served += line->served < SERVED;
	if (!il_list_empty(&line->calls))
		return;
	il_futex_unwatch(&line->futex);
	if (is_of_senders(line))
		return;
	stop_timer(line->waits);
	il_recheck_stop(&line->waits->later);
	set_idle(line->waits, true);
}

/* What the handles share ---------------------------------------------------------------------------------------- */

static void init(struct il_dq_waits *w, uint64_t key)
{
	for (int i = 0; i < IL_DQ_SIDES; i++) {
		struct il_dq_line *line = &w->lines[i];
		il_list_drain(struct il_dq_call, c, &line->calls, link)
			;
		*line = (struct il_dq_line){ .waits = w,
			.served = USUAL,
			.key = il_disk_key_of(key, i ? "room" : "work", 4) };
		il_list_init(&line->calls);
		il_futex_init(&line->futex, announced);
	}
	il_list_init(&w->watches);
	il_recheck_init(&w->later, recheck);
	w->timer = (struct il_timer){ .expired = due };
	w->due = IL_NEVER;
	w->orphans = 0;
	w->generation = il_fork.generation;
}

static struct il_dq_waits *find(const struct il_disk_table *table)
{
	il_list_each(struct il_dq_waits, w, &il_disk_folders()->queues, node)
		if (w->table == table)
			return w;
	return NULL;
}

static struct il_dq_waits *new_waits(struct il_dq *q)
{
	struct il_dq_waits *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->disk = q->object.disk;
	w->table = q->object.table;
	il_list_init(&w->handles);
	for (int i = 0; i < IL_DQ_SIDES; i++)
		il_list_init(&w->lines[i].calls);
	init(w, q->object.key);
	il_list_add(&il_disk_folders()->queues, &w->node);
	return w;
}

int il_dq_waits_join(struct il_dq *q)
{
	q->waits = find(q->object.table);
	if (!q->waits)
		q->waits = new_waits(q);
	if (!q->waits)
		return ENOMEM;
	il_list_add(&q->waits->handles, &q->node);
	return 0;
}

static void free_watches(struct il_dq_waits *w)
{
	il_list_each_safe(struct watch, watch, &w->watches, node)
		free_watch(watch);
}

/* The last handle has no calls any more. */
void il_dq_waits_quit(struct il_dq *q)
{
	struct il_dq_waits *w = q->waits;
	il_list_del(&q->node);
	if (!w || !il_list_empty(&w->handles))
		return;
	free_watches(w);
	il_list_del(&w->node);
	free(w);
}

void il_dq_waits_renew(struct il_dq_waits *w)
{
	if (il_fork_is_own(w->generation))
		return;
	il_list_each(struct il_dq, q, &w->handles, node)
		q->took = false;
	free_watches(w);
	init(w, il_container_of(w->handles.next, struct il_dq, node)->object.key);
}
