/* SPDX-License-Identifier: MIT
 *
 * Watched descriptors: each is told of what it is watched for; one that is unwatched by another's callback, in the same
 * round, is not told any more, nor is another that has got its place; what the loop cannot watch is refused.
 */
#include "base/clock.h"
#include "base/list.h"
#include "loop/epoll.h"
#include "loop/futex.h"
#include "loop/loop.h"
#include "loop/standby.h"
#include "loop/state.h"
#include "loop/wake.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PIPES = 200 };

static struct test_io {
	struct il_io io;
	int writer, told;
	uint32_t events;
	struct test_io *victim,
		*heir; /* when this one is told, the first is unwatched, and the second gets its place */
} ios[PIPES];

static void ready(struct il_io *io, uint32_t events)
{
	struct test_io *t = il_container_of(io, struct test_io, io);
	CHECK(io->index);
	t->told++;
	t->events = events;
	if (t->victim) {
		uint32_t place = t->victim->io.index;
		il_io_unwatch(&t->victim->io);
		CHECK(il_io_watch(&t->heir->io, EPOLLIN) == 0 && t->heir->io.index == place);
	}
}

static void make_io(struct test_io *t)
{
	int fds[2];
	CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
	*t = (struct test_io){ .io = { .fd = fds[0], .ready = ready }, .writer = fds[1] };
}

static void open_io(struct test_io *t)
{
	make_io(t);
	CHECK(il_io_watch(&t->io, EPOLLIN) == 0);
}

static void close_io(struct test_io *t)
{
	il_io_unwatch(&t->io);
	il_io_unwatch(&t->io); /* harmless */
	close(t->io.fd);
	close(t->writer);
}

static void make_readable(struct test_io *t)
{
	CHECK(write(t->writer, "x", 1) == 1);
}

static int told(void)
{
	int n = 0;
	for (int i = 0; i < PIPES; i++)
		n += ios[i].told;
	return n;
}

static void each_is_told(void)
{
	for (int i = 0; i < PIPES; i++) {
		open_io(&ios[i]);
		make_readable(&ios[i]);
	}
	CHECK(il_loop_poll(IL_NEVER) == 0); /* more than one batch of epoll_wait, in one poll */
	CHECK(told() == PIPES);
	for (int i = 0; i < PIPES; i++)
		CHECK(ios[i].told == 1 && ios[i].events & EPOLLIN);
	CHECK(il_loop_poll(0) == 0); /* edge-triggered: nothing is new */
	CHECK(told() == PIPES);
}

/* One of the two unwatches the other, and the place of that goes to a third. */
static void an_unwatched_one_is_not_told(void)
{
	struct test_io third;
	make_io(&third);
	for (int i = 0; i < 2; i++) {
		ios[i].told = 0;
		ios[i].victim = &ios[1 - i];
		ios[i].heir = &third;
		make_readable(&ios[i]);
	}
	CHECK(il_loop_poll(IL_NEVER) == 0);
	CHECK(ios[0].told + ios[1].told == 1 && third.told == 0);
	make_readable(&third);
	CHECK(il_loop_poll(IL_NEVER) == 0);
	CHECK(third.told == 1);
	close_io(&third);
}

static void the_other_end_closes(void)
{
	struct test_io t;
	open_io(&t);
	close(t.writer);
	CHECK(il_loop_poll(IL_NEVER) == 0);
	CHECK(t.told == 1 && t.events & EPOLLHUP);
	il_io_unwatch(&t.io);
	close(t.io.fd);
}

static void what_cannot_be_watched(void)
{
	struct il_io file = { .fd = open("/dev/null", O_RDONLY | O_CLOEXEC), .ready = ready };
	CHECK(file.fd >= 0);
	int err = il_io_watch(&file, EPOLLIN);
	CHECK((err == EPERM || err == 0) && (err == 0) == (file.index != 0));
	il_io_unwatch(&file);
	close(file.fd);
	struct il_io closed = { .fd = file.fd, .ready = ready };
	CHECK(il_io_watch(&closed, EPOLLIN) == EBADF && !closed.index);
}

static void *wake(void *unused)
{
	(void)unused;
	usleep(2000);
	il_loop_wake(il_loop);
	return NULL;
}

static void it_is_woken(void)
{
	pthread_t thread;
	il_loop_wake(il_loop);
	CHECK(il_loop_poll(IL_NEVER) == 0); /* a call that came before is not lost */
	CHECK(pthread_create(&thread, NULL, wake, NULL) == 0);
	CHECK(il_loop_poll(IL_NEVER) == 0);
	pthread_join(thread, NULL);
}

static void *write_later(void *t)
{
	usleep(2000);
	make_readable(t);
	return NULL;
}

/* A rare one wakes a loop that sleeps on a futex, each time; the thread that stands by ends with its need. */
static void a_rare_one_wakes(void)
{
	static uint32_t word;
	struct il_futex futex;
	struct test_io t;
	make_io(&t);
	t.io.rare = true;
	CHECK(il_io_watch(&t.io, EPOLLIN) == 0);
	il_futex_init(&futex, NULL);
	for (int i = 1; i <= 3; i++) {
		pthread_t thread;
		il_futex_watch(&futex, &word, 0);
		CHECK(pthread_create(&thread, NULL, write_later, &t) == 0);
		while (t.told < i)
			CHECK(il_loop_poll(IL_NEVER) == 0);
		CHECK(futex.waiter == NULL && il_loop->epoll.rare == 1);
		il_futex_unwatch(&futex);
		pthread_join(thread, NULL);
	}
	close_io(&t);
	CHECK(!il_standby_is_needed() && !il_loop->standby.active && il_loop->epoll.rare == 0);
}

int main(void)
{
	il_loop_init();
	CHECK(il_epoll_open() == 0);
	each_is_told();
	an_unwatched_one_is_not_told();
	the_other_end_closes();
	what_cannot_be_watched();
	it_is_woken();
	for (int i = 0; i < PIPES; i++)
		close_io(&ios[i]);
	a_rare_one_wakes();
	il_loop_fini();
	puts("ok");
	return 0;
}
