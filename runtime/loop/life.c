/* SPDX-License-Identifier: MIT
 *
 * Lives, see life.h: one pidfd per process, however many want to know. It is readable when the process has ended, reaped or
 * not.
 * Floor 1.
 */
#include "loop/life.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct il_life {
	struct il_list node;
	struct il_list mourners;
	struct il_io io;
	pid_t pid;
	uint64_t start;
};

static struct il_list lives = IL_LIST_INIT(lives);

/* Field 22 of /proc/PID/stat; the name in field 2 may have anything in it but ends with the last ")". 0: not known. */
static uint64_t start_of(pid_t pid)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

uint64_t il_life_start(void)
{
	static pid_t pid;
	static uint64_t start;
	if (pid != il_loop.pid) {
		start = start_of(il_loop.pid);
		pid = il_loop.pid;
	}
	return start;
}

uint64_t il_life_space(void)
{
	static uint64_t space;
	struct stat st;
	if (!space && stat("/proc/self/ns/pid", &st) == 0)
		space = st.st_ino;
	return space;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, 0) > 0;
}

static struct il_life *find(pid_t pid, uint64_t start)
{
	for (struct il_list *l = lives.next; l != &lives; l = l->next) {
		struct il_life *life = il_container_of(l, struct il_life, node);
		if (life->pid == pid && life->start == start)
			return life;
	}
	return NULL;
}

/* A pidfd of the very process; -1 and ESRCH: it is no more. */
static int open_pidfd(pid_t pid, uint64_t start)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd < 0) {
		errno = pid > 0 && errno != EINVAL ? errno : ESRCH;
		return -1;
	}
	uint64_t now = readable(fd) ? 0 : start_of(pid);
	if (readable(fd) || (start && now && now != start)) {
		close(fd);
		errno = ESRCH;
		return -1;
	}
	return fd;
}

bool il_life_ended(pid_t pid, uint64_t start)
{
	struct il_life *life = find(pid, start);
	if (pid == il_loop.pid)
		return start != il_life_start();
	if (life)
		return readable(life->io.fd);
	int fd = open_pidfd(pid, start);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ESRCH;
}

static void life_free(struct il_life *life)
{
	il_io_unwatch(&life->io);
	close(life->io.fd);
	il_list_del(&life->node);
	free(life);
}

static void ended(struct il_io *io, uint32_t events)
{
	struct il_life *life = il_container_of(io, struct il_life, io);
	struct il_list round;
	(void)events;
	il_list_move(&life->mourners, &round);
	while (!il_list_empty(&round)) {
		struct il_mourner *m = il_container_of(round.next, struct il_mourner, node);
		il_list_del(&m->node);
		m->life = NULL;
		m->ended(m);
	}
	if (il_list_empty(&life->mourners))
		life_free(life);
}

static int life_new(pid_t pid, uint64_t start, struct il_life **result)
{
	int fd = open_pidfd(pid, start);
	if (fd < 0)
		return errno;
	struct il_life *life = calloc(1, sizeof *life);
	int err = ENOMEM;
	if (life) {
		*life = (struct il_life){ .io = { .fd = fd, .ready = ended }, .pid = pid, .start = start };
		il_list_init(&life->mourners);
		err = il_io_watch(&life->io, EPOLLIN);
	}
	if (err) {
		free(life);
		close(fd);
		return err;
	}
	il_list_add(&lives, &life->node);
	*result = life;
	return 0;
}

int il_life_watch(struct il_mourner *m, pid_t pid, uint64_t start)
{
	struct il_life *life = find(pid, start);
	int err = !life ? life_new(pid, start, &life) : readable(life->io.fd) ? ESRCH : 0;
	if (err)
		return err;
	m->life = life;
	il_list_add(&life->mourners, &m->node);
	return 0;
}

void il_life_unwatch(struct il_mourner *m)
{
	struct il_life *life = m->life;
	if (!life)
		return;
	il_list_del(&m->node);
	m->life = NULL;
	if (il_list_empty(&life->mourners))
		life_free(life);
}

void il_lives_after_fork(void)
{
	while (!il_list_empty(&lives)) {
		struct il_life *life = il_container_of(lives.next, struct il_life, node);
		while (!il_list_empty(&life->mourners))
			il_life_unwatch(il_container_of(life->mourners.next, struct il_mourner, node));
	}
}
