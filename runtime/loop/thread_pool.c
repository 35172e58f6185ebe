/* SPDX-License-Identifier: MIT
 *
 * Threads for calls that can only block, see thread_pool.h. One mutex guards the lists; each worker sleeps on a
 * condition of its own. A signal that reaches a worker before its system call has begun is lost, so cancelling repeats
 * it until the work has returned. Floor 1a.
 */
#include "loop/thread_pool.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/signals.h"
#include "loop/kick.h"
#include "loop/state.h"
#include "loop/wake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { STACK = 128 * 1024 };

static const int64_t REPEAT = 1000000; /* ns between two signals to the same worker */
static const int64_t PARKED = 3 * IL_SECOND; /* how long a thread stays without work */

struct il_worker {
	struct il_list node; /* in `parked` or `retired` */
	struct il_loop *loop; /* whose it is */
	struct il_work *item; /* what it works at, NULL: it is parked, or to end */
	pthread_t thread;
	pthread_cond_t work;
	bool end;
};

static inline struct il_thread_pool *pool(void)
{
	return &il_loop->thread_pool;
}

static void lock(void)
{
	pthread_mutex_lock(&pool()->mutex);
}

static void unlock(void)
{
	pthread_mutex_unlock(&pool()->mutex);
}

static void forget(struct il_list *workers)
{
	il_list_drain(struct il_worker, w, workers, node)
		il_list_add(&pool()->forgotten, &w->node);
}

/* What the threads had brought belongs to the parent. */
static void forked(void)
{
	pthread_mutex_unlock(&pool()->mutex);
	forget(&pool()->parked);
	forget(&pool()->retired);
	il_list_drain(struct il_work, item, &pool()->working, node) {
		il_list_add(&pool()->forgotten, &item->worker->node);
		il_list_add(&pool()->done, &item->node);
	}
	il_list_each(struct il_work, item, &pool()->done, node) {
		item->forked = true;
		atomic_store(&item->returned, true);
	}
	atomic_store(&pool()->threads, 0);
	if (pool()->ready)
		pthread_cond_init(&pool()->returned, NULL);
	pool()->ready = !il_list_empty(&pool()->done);
}

/* The child of ipc.process wants to know nothing of the work. */
static void begin_anew(void)
{
	il_list_drain(struct il_worker, w, &pool()->forgotten, node)
		free(w);
	il_list_init(&pool()->working);
	il_list_init(&pool()->done);
	pool()->pending = 0;
	pool()->ready = false;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES,
	.before = lock,
	.parent = unlock,
	.child = forked,
	.anew = begin_anew };

/* A condition that is waited for by the clock of il_now. */
static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attr);
	pthread_condattr_destroy(&attr);
}

static int prepare(void)
{
	int err = pool()->ready ? 0 : il_kick_handler();
	if (err || pool()->ready)
		return err;
	init_condition(&pool()->returned);
	pool()->ready = true;
	il_fork_add(&fork_hook);
	return 0;
}

/* Waits for work. False: the thread ends, since it has to, or there was none for a while. The mutex is held. */
static bool await_item(struct il_worker *w, struct il_thread_pool *p)
{
	struct timespec until = il_timespec(il_now() + PARKED);
	while (!w->item && !w->end)
		if (pthread_cond_timedwait(&w->work, &p->mutex, &until) == ETIMEDOUT && !w->item && !w->end) {
			il_list_del(&w->node);
			il_list_add(&p->retired, &w->node);
			atomic_fetch_sub(&p->threads, 1);
			w->end = true;
		}
	return w->item;
}

static void *run(void *arg)
{
	struct il_worker *w = arg;
	struct il_thread_pool *p = &w->loop->thread_pool;
	pthread_mutex_lock(&p->mutex);
	while (await_item(w, p)) {
		struct il_work *item = w->item;
		pthread_mutex_unlock(&p->mutex);
		item->work(item);
		pthread_mutex_lock(&p->mutex);
		w->item = NULL;
		il_list_add(&p->parked, &w->node);
		il_list_del(&item->node);
		il_list_add(&p->done, &item->node);
		atomic_store(&item->returned, true);
		pthread_cond_broadcast(&p->returned);
		pthread_mutex_unlock(&p->mutex); /* or the thread that this wakes would wait for us */
		il_loop_wake(w->loop);
		pthread_mutex_lock(&p->mutex);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

/* The mutex is not held: a thread that retires may have it. */
static void join(struct il_worker *w)
{
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->work);
	free(w);
}

static void join_retired(void)
{
	struct il_list retired;
	pthread_mutex_lock(&pool()->mutex);
	il_list_move(&pool()->retired, &retired);
	pthread_mutex_unlock(&pool()->mutex);
	il_list_drain(struct il_worker, w, &retired, node)
		join(w);
}

static int start_thread(struct il_worker *w)
{
	sigset_t all, old;
	pthread_attr_t attr;
	sigfillset(&all);
	sigdelset(&all, IL_SIGNAL_POOL);
	int err = pthread_attr_init(&attr);
	if (err)
		return err;
	pthread_attr_setstacksize(&attr, STACK);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* the thread inherits it */
	err = pthread_create(&w->thread, &attr, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

/* A worker with work, made if none is parked. The mutex is held. */
static int employ(struct il_work *item)
{
	struct il_worker *w = il_list_first(struct il_worker, &pool()->parked, node);
	if (w) {
		il_list_del(&w->node);
		w->item = item;
		item->worker = w;
		return 0;
	}
	w = calloc(1, sizeof *w);
	if (!w)
		return ENOMEM;
	il_list_init(&w->node);
	init_condition(&w->work);
	w->loop = il_loop;
	w->item = item;
	item->worker = w;
	int err = start_thread(w);
	if (err) {
		pthread_cond_destroy(&w->work);
		free(w);
		return err;
	}
	atomic_fetch_add(&pool()->threads, 1);
	return 0;
}

int il_thread_pool_start(struct il_work *item, void (*work)(struct il_work *), void (*ended)(struct il_work *))
{
	int err = prepare();
	if (err)
		return err;
	join_retired();
	il_list_init(&item->node);
	item->work = work;
	item->ended = ended;
	item->forked = false;
	atomic_init(&item->cancelled, false);
	atomic_init(&item->returned, false);
	pthread_mutex_lock(&pool()->mutex);
	err = employ(item);
	if (!err)
		il_list_add(&pool()->working, &item->node);
	pthread_mutex_unlock(&pool()->mutex);
	if (err)
		return err;
	pool()->pending++;
	pthread_cond_signal(&item->worker->work);
	return 0;
}

/* The mutex is held, and given back. */
static void end(struct il_work *item)
{
	il_list_del(&item->node);
	pthread_mutex_unlock(&pool()->mutex);
	pool()->pending--;
	item->ended(item);
}

void il_thread_pool_cancel(struct il_work *item)
{
	pthread_mutex_lock(&pool()->mutex);
	atomic_store(&item->cancelled, true);
	while (!atomic_load(&item->returned)) {
		struct timespec until = il_timespec(il_now() + REPEAT);
		pthread_kill(item->worker->thread, IL_SIGNAL_POOL);
		pthread_cond_timedwait(&pool()->returned, &pool()->mutex, &until);
	}
	end(item);
}

void il_thread_pool_finish(struct il_work *item)
{
	pthread_mutex_lock(&pool()->mutex);
	while (!atomic_load(&item->returned))
		pthread_cond_wait(&pool()->returned, &pool()->mutex);
	end(item);
}

bool il_work_cancelled(struct il_work *item)
{
	return atomic_load(&item->cancelled);
}

static struct il_work *take_done(void)
{
	pthread_mutex_lock(&pool()->mutex);
	struct il_work *item = il_list_first(struct il_work, &pool()->done, node);
	if (item)
		il_list_del(&item->node);
	pthread_mutex_unlock(&pool()->mutex);
	return item;
}

void il_thread_pool_collect(void)
{
	struct il_work *item;
	while (pool()->ready && (item = take_done())) {
		pool()->pending--;
		item->ended(item);
	}
}

int il_thread_pool_threads(void)
{
	join_retired();
	return atomic_load(&pool()->threads);
}

/* One that has retired meanwhile is left to join_retired. */
static void end_worker(struct il_worker *w)
{
	pthread_mutex_lock(&pool()->mutex);
	bool retired = w->end;
	if (!retired) {
		il_list_del(&w->node);
		w->end = true;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&pool()->mutex);
	if (retired)
		return;
	join(w);
	atomic_fetch_sub(&pool()->threads, 1);
}

static struct il_list *first_of(struct il_list *list)
{
	pthread_mutex_lock(&pool()->mutex);
	struct il_list *first = il_list_empty(list) ? NULL : list->next;
	pthread_mutex_unlock(&pool()->mutex);
	return first;
}

void il_thread_pool_fini(void)
{
	struct il_list *first;
	if (!pool()->ready)
		return;
	while ((first = first_of(&pool()->working)))
		il_thread_pool_cancel(il_container_of(first, struct il_work, node));
	il_thread_pool_collect();
	while ((first = first_of(&pool()->parked)))
		end_worker(il_container_of(first, struct il_worker, node));
	join_retired();
	pthread_cond_destroy(&pool()->returned);
	pool()->ready = false;
}
