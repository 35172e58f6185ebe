/* SPDX-License-Identifier: MIT
 *
 * Watched words: changes are told once, whether the loop sleeps on the words itself, or threads do since a descriptor
 * is watched as well, or there are more words than one thread can sleep on. Another thread changes them.
 */
#include "base/clock.h"
#include "base/shared_atomic.h"
#include "loop/epoll.h"
#include "loop/futex.h"
#include "loop/loop.h"
#include "loop/state.h"
#include "loop/wake.h"
#include "check.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WORDS = 300 };

static struct test_word {
	struct il_futex word;
	uint32_t value;
	int told;
} words[WORDS];

static int told;

static void changed(struct il_futex *word)
{
	struct test_word *t = il_container_of(word, struct test_word, word);
	CHECK(!il_futex_watched(word));
	t->told++;
	told++;
}

static void watch(int count)
{
	told = 0;
	for (int i = 0; i < count; i++) {
		words[i].told = 0;
		il_futex_init(&words[i].word, changed);
		il_futex_watch(&words[i].word, &words[i].value, il_get(&words[i].value));
		CHECK(il_futex_watched(&words[i].word));
	}
}

static int count_of_changes;

static void *change(void *unused)
{
	(void)unused;
	for (int i = 0; i < count_of_changes; i++) {
		usleep(i % 50 ? 0 : 1000);
		il_put(&words[i].value, il_get(&words[i].value) + 1);
		il_futex_wake(&words[i].value);
	}
	return NULL;
}

static void each_is_told_once(int count)
{
	pthread_t thread;
	watch(count);
	count_of_changes = count;
	CHECK(pthread_create(&thread, NULL, change, NULL) == 0);
	while (told < count)
		CHECK(il_loop_poll(IL_NEVER) == 0);
	pthread_join(thread, NULL);
	for (int i = 0; i < count; i++)
		CHECK(words[i].told == 1);
}

static void what_changed_before_is_told(void)
{
	told = 0;
	il_futex_init(&words[0].word, changed);
	il_futex_watch(&words[0].word, &words[0].value, words[0].value - 1);
	while (!told)
		CHECK(il_loop_poll(IL_NEVER) == 0);
}

static void what_is_not_watched_is_not_told(void)
{
	watch(2);
	il_futex_unwatch(&words[0].word);
	il_futex_unwatch(&words[0].word); /* harmless */
	il_put(&words[0].value, words[0].value + 1);
	il_put(&words[1].value, words[1].value + 1);
	while (!told)
		CHECK(il_loop_poll(IL_NEVER) == 0);
	CHECK(told == 1 && words[1].told == 1);
}

static void *wake_later(void *unused)
{
	(void)unused;
	usleep(2000);
	il_loop_wake(il_loop);
	return NULL;
}

static void sleep_until_woken(void)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, wake_later, NULL) == 0);
	CHECK(il_loop_poll(IL_NEVER) == 0);
	pthread_join(thread, NULL);
}

/* The bit is set while a thread sleeps on the word and the loop does not. */
static void the_word_says_that_the_loop_is_away(void)
{
	const uint32_t AWAY = UINT32_C(1) << 31;
	uint32_t *value = &words[0].value;
	watch(1);
	words[0].word.away = (uint32_t)AWAY;
	do /* the thread may come too late, and go again */
		sleep_until_woken();
	while (!(il_get(value) & (uint32_t)AWAY));
	CHECK(told == 0);
	il_futexes_asleep();
	CHECK(!(il_get(value) & (uint32_t)AWAY));
	il_put(value, il_get(value) + 1); /* and no thread is woken: what did that has died, say */
	il_futexes_awake();
	CHECK(told == 1 && !(il_get(value) & (uint32_t)AWAY));
	watch(1);
	words[0].word.away = (uint32_t)AWAY;
	sleep_until_woken();
	il_futex_unwatch(&words[0].word);
	CHECK(!(il_get(value) & (uint32_t)AWAY) && told == 0);
}

static void ready(struct il_io *io, uint32_t events)
{
	(void)io;
	(void)events;
}

int main(void)
{
	il_loop_init();
	CHECK(il_epoll_open() == 0);
	each_is_told_once(1);
	each_is_told_once(WORDS);
	what_changed_before_is_told();
	what_is_not_watched_is_not_told();
	int fds[2];
	CHECK(pipe(fds) == 0);
	struct il_io io = { .fd = fds[0], .ready = ready }; /* from here on threads have to sleep on the words */
	CHECK(il_io_watch(&io, EPOLLIN) == 0);
	each_is_told_once(1);
	each_is_told_once(WORDS);
	what_is_not_watched_is_not_told();
	the_word_says_that_the_loop_is_away();
	il_loop->futexes.few_threads = true;
	each_is_told_once(WORDS);
	il_io_unwatch(&io);
	il_loop_fini();
	puts("ok");
	return 0;
}
