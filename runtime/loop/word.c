/* SPDX-License-Identifier: MIT
 *
 * Sleeping on words, see word.h. futex_waitv (Linux 5.16) takes up to 128 words; without it every word has a thread of
 * its own. A sleeper is one thread's lot; it ends when one of its words changes. Those that have changed are told, the
 * others are watched as before: a look at a word is nothing against what its owner would have to look at.
 * Floor 1.
 */
#include "loop/word.h"
#include "base/clock.h"
#include "loop/pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AT_ONCE = FUTEX_WAITV_MAX };

struct il_sleeper {
	struct il_list node;
	struct il_job job;
	int count, left; /* words it was given, and those that are still wanted */
	int err; /* the thread's: it could not sleep */
	struct il_word *words[AT_ONCE]; /* the loop's; NULL: not wanted any more */
	struct futex_waitv futexes[AT_ONCE]; /* the thread's */
};

static struct il_list watched = IL_LIST_INIT(watched); /* words that nobody sleeps on yet */
static struct il_list sleepers = IL_LIST_INIT(sleepers);
static int capacity = AT_ONCE; /* of a sleeper; 1 on an old kernel */

void il_word_init(struct il_word *word, void (*changed)(struct il_word *word))
{
	*word = (struct il_word){ .changed = changed };
	il_list_init(&word->node);
}

void il_word_watch(struct il_word *word, uint32_t *address, uint32_t expected)
{
	word->address = address;
	word->expected = expected;
	il_list_add(&watched, &word->node);
}

static void forget(struct il_word *word)
{
	struct il_sleeper *s = word->sleeper;
	il_list_del(&word->node);
	word->sleeper = NULL;
	if (s) {
		s->words[word->place] = NULL;
		s->left--;
	}
}

void il_word_unwatch(struct il_word *word)
{
	struct il_sleeper *s = word->sleeper;
	forget(word);
	if (s && !s->left)
		il_pool_cancel(&s->job);
}

int il_word_wake(uint32_t *address)
{
	long n = syscall(SYS_futex, address, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	return n > 0 ? (int)n : 0;
}

void il_word_wake_own(uint32_t *wakes)
{
	syscall(SYS_futex, wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
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

/* 0: a word may have changed; else errno. */
static int wait_for(struct futex_waitv *futexes, int count, const struct timespec *until)
{
	long n = syscall(SYS_futex_waitv, futexes, count, 0, until, CLOCK_MONOTONIC);
	if (n < 0 && errno == ENOSYS && count == 1)
		n = syscall(SYS_futex, (uint32_t *)(uintptr_t)futexes->uaddr, FUTEX_WAIT, (uint32_t)futexes->val, NULL,
			NULL, 0);
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
	while (!il_list_empty(round)) {
		struct il_word *word = il_container_of(round->next, struct il_word, node);
		il_list_del(&word->node);
		word->changed(word);
	}
}

static void tell_all(void)
{
	struct il_list round;
	il_list_move(&watched, &round);
	tell(&round);
}

static bool has_changed(const struct il_word *word)
{
	return atomic_load_explicit((_Atomic uint32_t *)word->address, memory_order_acquire) != word->expected;
}

bool il_words_look(bool patiently)
{
	struct il_list round = IL_LIST_INIT(round), *next;
	int left = 0;
	for (struct il_list *l = watched.next; l != &watched; l = next) {
		next = l->next;
		if (!has_changed(il_container_of(l, struct il_word, node))) {
			left++;
			continue;
		}
		il_list_del(l);
		il_list_add(&round, l);
	}
	bool any = !il_list_empty(&round);
	tell(&round);
	if (!patiently && left >= capacity)
		il_words_hand_out();
	return any;
}

/* Its words are watched, and nobody sleeps on them; but those that have changed, or all, come into a list. */
static void take_back(struct il_sleeper *s, struct il_list *changed, bool all)
{
	for (int i = 0; i < s->count; i++)
		if (s->words[i]) {
			struct il_word *word = s->words[i];
			forget(word);
			il_list_add(all || has_changed(word) ? changed : &watched, &word->node);
		}
}

static void dissolve(struct il_sleeper *s, bool all)
{
	struct il_list round = IL_LIST_INIT(round);
	take_back(s, &round, all);
	il_list_del(&s->node);
	free(s);
	tell(&round);
}

bool il_words_any(void)
{
	return !il_list_empty(&watched);
}

bool il_words_sleep(uint32_t *wakes, uint32_t seen, int64_t until)
{
	struct futex_waitv futexes[AT_ONCE];
	struct timespec ts = il_timespec(until);
	int n = 0;
	learn_capacity();
	if (!il_list_empty(&sleepers))
		return false;
	futexes[n++] = own_futex_of(wakes, seen);
	for (struct il_list *l = watched.next; l != &watched; l = l->next) {
		struct il_word *word = il_container_of(l, struct il_word, node);
		if (n == capacity)
			return false;
		futexes[n++] = futex_of(word->address, word->expected);
	}
	int err = wait_for(futexes, n, until == IL_NEVER ? NULL : &ts);
	if (!err || err == EINTR || err == ETIMEDOUT)
		il_words_look(true);
	else
		tell_all();
	return true;
}

static void work(struct il_job *job)
{
	struct il_sleeper *s = il_container_of(job, struct il_sleeper, job);
	while (!il_job_cancelled(job) && (s->err = wait_for(s->futexes, s->count, NULL)) == EINTR)
		;
}

static void ended(struct il_job *job)
{
	struct il_sleeper *s = il_container_of(job, struct il_sleeper, job);
	dissolve(s, s->err);
}

static void take(struct il_sleeper *s, struct il_word *word)
{
	il_list_del(&word->node);
	word->sleeper = s;
	word->place = s->count;
	s->words[s->count] = word;
	s->futexes[s->count++] = futex_of(word->address, word->expected);
	s->left++;
}

/* The one with the most room sleeps on what is new as well, if that saves a thread: it is woken, and its words join the
 * others. */
static void gather(void)
{
	struct il_sleeper *least = NULL;
	int more = 0;
	for (struct il_list *l = sleepers.next; l != &sleepers; l = l->next) {
		struct il_sleeper *s = il_container_of(l, struct il_sleeper, node);
		if (!least || s->left < least->left)
			least = s;
	}
	for (struct il_list *l = watched.next; l != &watched; l = l->next)
		more = more % capacity + 1;
	if (!least || least->left + more > capacity)
		return;
	take_back(least, &watched, true);
	il_pool_cancel(&least->job);
}

bool il_words_hand_out(void)
{
	learn_capacity();
	if (il_list_empty(&watched))
		return true;
	gather();
	while (!il_list_empty(&watched)) {
		struct il_sleeper *s = calloc(1, sizeof *s);
		if (s) {
			while (s->count < capacity && !il_list_empty(&watched))
				take(s, il_container_of(watched.next, struct il_word, node));
			il_list_add(&sleepers, &s->node);
			if (il_pool_start(&s->job, work, ended) == 0)
				continue;
			dissolve(s, true);
		}
		tell_all();
		return false;
	}
	return true;
}

void il_words_after_fork(void)
{
	struct il_list dropped;
	while (!il_list_empty(&sleepers)) {
		struct il_sleeper *s = il_container_of(sleepers.next, struct il_sleeper, node);
		take_back(s, &watched, true);
		il_list_del(&s->node);
		free(s);
	}
	for (il_list_move(&watched, &dropped); !il_list_empty(&dropped);)
		il_list_del(dropped.next);
}
