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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct il_life {
	struct il_list node;
	struct il_list mourners;
	struct il_io io;
	pid_t pid;
	uint64_t start;
};

static struct il_list lives = IL_LIST_INIT(lives);

/* A file of /proc/PID as a text; empty without. */
static void read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[48];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
}

/* Fields 3, 14 + 15, 20 and 22 of /proc/PID/stat. */
struct facts {
	char state;
	unsigned long long ran; /* in ticks of 10 ms */
	long threads;
	unsigned long long start;
};

/* The name in field 2 may have anything in it but ends with the last ")". False: not known, and all zero. */
static bool read_facts(pid_t pid, struct facts *f)
{
	char text[1024];
	unsigned long long user, system;
	read_file(pid, "stat", text, sizeof text);
	const char *at = strrchr(text, ')');
	if (!at || sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %ld %*d %llu",
			  &f->state, &user, &system, &f->threads, &f->start) != 5) {
		*f = (struct facts){ 0 };
		return false;
	}
	f->ran = user + system;
	return true;
}

static uint64_t start_of(pid_t pid)
{
	struct facts f;
	read_facts(pid, &f);
	return f.start;
}

/* To the nanosecond, where the kernel keeps that. */
uint64_t il_life_ran(pid_t pid)
{
	char text[64];
	struct facts f;
	read_file(pid, "schedstat", text, sizeof text);
	uint64_t ran = strtoull(text, NULL, 10);
	if (!ran)
		read_facts(pid, &f);
	return ran ? ran : f.ran;
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

/* Without a pidfd: there is no descriptor left, or the kernel has none. A process that has neither ended nor is a zombie with
 * this start is taken for alive; its first thread may be a zombie while others run. */
static bool looks_ended(pid_t pid, uint64_t start)
{
	struct facts f;
	siginfo_t info = { .si_pid = 0 };
	if (kill(pid, 0) && errno == ESRCH)
		return true;
	if (read_facts(pid, &f))
		return ((f.state == 'Z' || f.state == 'X') && f.threads <= 1) || (start && f.start != start);
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
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
	return fd < 0 && (errno == ESRCH || looks_ended(pid, start));
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
