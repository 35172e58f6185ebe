/* SPDX-License-Identifier: MIT
 *
 * Sleeping on futexes, see futex.h. futex_waitv (Linux 5.16) takes up to 128 words; without it every word has a thread
 * of its own. A waiter is one thread's set of words; it ends when one of them changes. changed() is called for those
 * that have changed, and the others are watched as before: to read a word costs nothing beside what changed() does.
 * Floor 1a.
 */
#include "loop/futex.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/state.h"
#include "loop/thread_pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AT_ONCE = FUTEX_WAITV_MAX, MOST_AWAY = 16 };

/* A thread that wakes gives the kernel all its words again, at half a microsecond each: so it has few, unless there
 * would be too many threads. */
enum { GROUP = 24, MANY_THREADS = 64 };

struct il_futex_waiter {
	struct il_list node;
	struct il_work item;
	int count, left; /* words it was given, and those that are still wanted */
	int err; /* the thread's: it could not sleep */
	int woken; /* the thread's: which word it was woken on, or -1 */
	struct il_futex *words[AT_ONCE]; /* the loop's; NULL: not wanted any more */
	struct futex_waitv futexes[AT_ONCE]; /* the thread's */
};

static int capacity = AT_ONCE; /* of a waiter; 1 on an old kernel */

static inline struct il_futexes *futexes(void)
{
	return &il_loop->futexes;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES, .anew = il_futexes_drop };

void il_futex_init(struct il_futex *futex, void (*changed)(struct il_futex *futex))
{
	*futex = (struct il_futex){ .changed = changed };
	il_list_init(&futex->node);
	il_fork_add(&fork_hook);
}

void il_futex_watch(struct il_futex *futex, uint32_t *address, uint32_t expected)
{
	futex->address = address;
	futex->expected = expected;
	il_list_add(&futexes()->watched, &futex->node);
}

static _Atomic uint32_t *word_of(const struct il_futex *futex)
{
	return (_Atomic uint32_t *)futex->address;
}

static void forget(struct il_futex *futex)
{
	struct il_futex_waiter *s = futex->waiter;
	if (s && futexes()->away && futex->away)
		atomic_fetch_and(word_of(futex), ~futex->away);
	il_list_del(&futex->node);
	futex->waiter = NULL;
	if (s) {
		s->words[futex->place] = NULL;
		s->left--;
	}
}

void il_futex_unwatch(struct il_futex *futex)
{
	struct il_futex_waiter *s = futex->waiter;
	forget(futex);
	if (s && !s->left)
		il_thread_pool_cancel(&s->item);
}

int il_futex_wake(uint32_t *address)
{
	long n = syscall(SYS_futex, address, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	return n > 0 ? (int)n : 0;
}

static struct futex_waitv futex_of(const uint32_t *address, uint32_t expected)
{
	return (struct futex_waitv){ .uaddr = (uintptr_t)address, .val = expected, .flags = FUTEX_32 };
}

/* The kernel need not find out which memory it is in. */
static struct futex_waitv own_futex_of(const uint32_t *address, uint32_t expected)
{
	return (struct futex_waitv){ .uaddr = (uintptr_t)address,
		.val = expected,
		.flags = FUTEX_32 | FUTEX_PRIVATE_FLAG };
}

/* 0: a word may have changed; else errno. *woken: which one we were woken on, or -1. */
static int wait_for(struct futex_waitv *futexes, int count, const struct timespec *until, int *woken)
{
	long n = syscall(SYS_futex_waitv, futexes, count, 0, until, CLOCK_MONOTONIC);
	if (n < 0 && errno == ENOSYS && count == 1)
		n = syscall(SYS_futex, (uint32_t *)(uintptr_t)futexes->uaddr, FUTEX_WAIT, (uint32_t)futexes->val, NULL,
			NULL, 0);
	*woken = n < 0 ? -1 : (int)n;
	return n < 0 && errno != EAGAIN ? errno : 0;
}

static void learn_capacity(void)
{
	static bool known;
	if (!known && syscall(SYS_futex_waitv, NULL, 0, 0, NULL, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
		capacity = 1;
	known = true;
}

/* Each may end a select, whose other words then leave the round. */
static void tell(struct il_list *round)
{
	il_list_drain(struct il_futex, futex, round, node)
		futex->changed(futex);
}

static void tell_all(void)
{
	struct il_list round;
	il_list_move(&futexes()->watched, &round);
	tell(&round);
}

/* To be woken is to be told, whatever the word says: what wakes may have died before it could change it. */
static void mark_woken(struct il_futex *futex)
{
	futex->expected = ~atomic_load_explicit(word_of(futex), memory_order_acquire);
}

static bool has_changed(const struct il_futex *futex)
{
	return (atomic_load_explicit(word_of(futex), memory_order_acquire) & ~futex->away) != futex->expected;
}

bool il_futexes_poll(bool no_arm)
{
	struct il_list round = IL_LIST_INIT(round);
	int left = 0;
	il_list_each_safe(struct il_futex, futex, &futexes()->watched, node) {
		if (!has_changed(futex)) {
			left++;
			continue;
		}
		il_list_del(&futex->node);
		il_list_add(&round, &futex->node);
	}
	bool any = !il_list_empty(&round);
	tell(&round);
	if (!no_arm && left >= capacity)
		il_futexes_hand_out();
	return any;
}

/* Its words are watched again, and no thread sleeps on them; but those that have changed, or all, come into the list.
 */
static void take_back(struct il_futex_waiter *s, struct il_list *changed, bool all)
{
	for (int i = 0; i < s->count; i++)
		if (s->words[i]) {
			struct il_futex *futex = s->words[i];
			forget(futex);
			il_list_add(all || has_changed(futex) ? changed : &futexes()->watched, &futex->node);
		}
}

static void dissolve(struct il_futex_waiter *s, bool all)
{
	struct il_list round = IL_LIST_INIT(round);
	take_back(s, &round, all);
	il_list_del(&s->node);
	free(s);
	tell(&round);
}

bool il_futexes_any(void)
{
	return !il_list_empty(&futexes()->watched);
}

bool il_futexes_sleep(uint32_t *wakes, uint32_t seen, int64_t until)
{
	struct futex_waitv list[AT_ONCE];
	struct il_futex *words[AT_ONCE];
	struct timespec ts = il_timespec(until);
	int n = 0, woken;
	learn_capacity();
	if (!il_list_empty(&futexes()->waiters))
		return false;
	list[n++] = own_futex_of(wakes, seen);
	il_list_each(struct il_futex, futex, &futexes()->watched, node) {
		if (n == capacity)
			return false;
		words[n] = futex;
		list[n++] = futex_of(futex->address, futex->expected);
	}
	int err = wait_for(list, n, until == IL_NEVER ? NULL : &ts, &woken);
	if (woken > 0)
		mark_woken(words[woken]);
	if (!err || err == EINTR || err == ETIMEDOUT)
		il_futexes_poll(true);
	else
		tell_all();
	return true;
}

static void work(struct il_work *item)
{
	struct il_futex_waiter *s = il_container_of(item, struct il_futex_waiter, item);
	while (!il_work_cancelled(item) && (s->err = wait_for(s->futexes, s->count, NULL, &s->woken)) == EINTR)
		;
}

static void ended(struct il_work *item)
{
	struct il_futex_waiter *s = il_container_of(item, struct il_futex_waiter, item);
	if (item->forked) /* the bits are the parent's */
		futexes()->away = false;
	if (s->woken >= 0 && s->words[s->woken])
		mark_woken(s->words[s->woken]);
	dissolve(s, s->err);
}

static void take(struct il_futex_waiter *s, struct il_futex *futex)
{
	il_list_del(&futex->node);
	futex->waiter = s;
	futex->place = s->count;
	s->words[s->count] = futex;
	s->futexes[s->count++] = futex_of(futex->address, futex->expected);
	s->left++;
}

static int count_given(void)
{
	int count = 0;
	il_list_each(struct il_futex_waiter, s, &futexes()->waiters, node)
		count += s->left;
	return count;
}

/* Words for a thread. */
static int group_size(void)
{
	int size = (il_list_count(&futexes()->watched) + count_given()) / MANY_THREADS;
	return futexes()->few_threads || size > capacity ? capacity
		: size > GROUP                           ? size
		: GROUP < capacity                       ? GROUP
							 : capacity;
}

/* The one with the most room sleeps on what is new as well, if that saves a thread: it is woken, and its words join the
 * others. */
static void gather(int size)
{
	struct il_futex_waiter *least = NULL;
	il_list_each(struct il_futex_waiter, s, &futexes()->waiters, node)
		if (!least || s->left < least->left)
			least = s;
	int count = il_list_count(&futexes()->watched), more = count ? (count - 1) % size + 1 : 0;
	if (!least || least->left + more > size)
		return;
	take_back(least, &futexes()->watched, true);
	il_thread_pool_cancel(&least->item);
}

/* A thread sleeps on so many of the words. */
static int hand_out_some(int size)
{
	struct il_futex_waiter *s = calloc(1, sizeof *s);
	if (!s)
		return ENOMEM;
	s->woken = -1;
	while (s->count < size && !il_list_empty(&futexes()->watched))
		take(s, il_list_first(struct il_futex, &futexes()->watched, node));
	il_list_add(&futexes()->waiters, &s->node);
	int err = il_thread_pool_start(&s->item, work, ended);
	if (!err)
		return 0;
	take_back(s, &futexes()->watched, true);
	il_list_del(&s->node);
	free(s);
	return err;
}

/* There can be no more threads: those there are sleep on as many words as they can. */
static void use_few_threads(void)
{
	struct il_futex_waiter *s;
	futexes()->few_threads = true;
	while ((s = il_list_first(struct il_futex_waiter, &futexes()->waiters, node))) {
		take_back(s, &futexes()->watched, true);
		il_thread_pool_cancel(&s->item);
	}
}

bool il_futexes_hand_out(void)
{
	learn_capacity();
	if (il_list_empty(&futexes()->watched))
		return true;
	int size = group_size(), err = 0;
	gather(size);
	while (!err && !il_list_empty(&futexes()->watched)) {
		err = hand_out_some(size);
		if (err && size < capacity) {
			use_few_threads();
			size = capacity;
			err = 0;
		}
	}
	if (err)
		tell_all();
	return !err;
}

/* Being away ------------------------------------------------------------------------------------------- */

void il_futexes_asleep(void)
{
	if (!futexes()->away)
		return;
	il_list_each(struct il_futex_waiter, s, &futexes()->waiters, node)
		for (int i = 0; i < s->count; i++)
			if (s->words[i] && s->words[i]->away)
				atomic_fetch_and(word_of(s->words[i]), ~s->words[i]->away);
	futexes()->away = false;
}

/* True: it was changed before. */
static bool set_away(const struct il_futex *futex)
{
	return futex->away && (atomic_fetch_or(word_of(futex), futex->away) & ~futex->away) != futex->expected;
}

void il_futexes_awake(void)
{
	struct il_futex *changed[MOST_AWAY];
	struct il_list round = IL_LIST_INIT(round);
	int n = 0;
	if (count_given() > MOST_AWAY)
		return;
	il_list_each(struct il_futex_waiter, s, &futexes()->waiters, node)
		for (int i = 0; i < s->count; i++)
			if (s->words[i] && set_away(s->words[i]))
				changed[n++] = s->words[i];
	futexes()->away = true;
	while (n--) {
		il_futex_unwatch(changed[n]);
		il_list_add(&round, &changed[n]->node);
	}
	tell(&round);
}

void il_futexes_drop(void)
{
	futexes()->away = false;
	il_list_drain(struct il_futex_waiter, s, &futexes()->waiters, node) {
		take_back(s, &futexes()->watched, true);
		free(s);
	}
	il_list_drain(struct il_futex, futex, &futexes()->watched, node)
		;
}
