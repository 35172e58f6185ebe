/* SPDX-License-Identifier: MIT
 *
 * Preloaded: a disk that keeps what is written to a file data.mdb to itself until it is told to (fsync, fdatasync, a
 * descriptor with O_DSYNC), and a power cut. At the event of number $CUT_AT, a write or a sync, the process is killed.
 * $CUT_IMAGE becomes what the disk has then: all that was synced; and of each sector of 512 bytes that was written
 * since, a state that it has had, by chance of $CUT_SEED: the kernel may have written it at any time. Without
 * $CUT_IMAGE the process is only killed. With $CUT_COUNT a file of this name says how many events there were.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512 };

struct written {
	struct written *next;
	off_t at;
	size_t size;
	char bytes[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *disk; /* what was synced */
static size_t disk_size;
static struct written *first, **last = &first; /* since then, in order */
static long events, count_of_written;
static bool loaded;
static uint64_t chance;

static bool is_ours(int fd)
{
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	return n > 9 && memcmp(path + n - 9, "/data.mdb", 9) == 0;
}

static long setting(const char *name)
{
	const char *text = getenv(name);
	return text ? atol(text) : 0;
}

static uint32_t draw(uint32_t below)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(chance >> 33) % below;
}

static void put(char **to, size_t *size, off_t at, const char *bytes, size_t n)
{
	size_t end = (size_t)at + n;
	if (end > *size) {
		*to = realloc(*to, end);
		memset(*to + *size, 0, end - *size);
		*size = end;
	}
	memcpy(*to + at, bytes, n);
}

/* What is there before the first event was synced once. */
static void load(int fd)
{
	char link[64], bytes[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	int in = loaded ? -1 : open(link, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	for (off_t at = 0; in >= 0 && (n = pread(in, bytes, sizeof bytes, at)) > 0; at += n)
		put(&disk, &disk_size, at, bytes, (size_t)n);
	if (in >= 0)
		close(in);
	loaded = true;
	chance = (uint64_t)setting("CUT_SEED");
}

/* Each sector as it was after some of the writes. */
static void tear(void)
{
	size_t end = disk_size;
	for (struct written *w = first; w; w = w->next)
		end = (size_t)w->at + w->size > end ? (size_t)w->at + w->size : end;
	size_t sectors = end / SECTOR + 1;
	uint32_t *until = malloc(sectors * sizeof *until);
	uint32_t how = draw(4), number = 0;
	for (size_t i = 0; i < sectors; i++)
		until[i] = how == 0 ? (uint32_t)count_of_written : draw((uint32_t)count_of_written + 1);
	for (struct written *w = first; w; w = w->next, number++)
		for (size_t done = 0; done < w->size;) {
			size_t at = (size_t)w->at + done, n = SECTOR - at % SECTOR;
			n = n < w->size - done ? n : w->size - done;
			if (number < until[at / SECTOR])
				put(&disk, &disk_size, (off_t)at, w->bytes + done, n);
			done += n;
		}
}

static void cut(void)
{
	const char *image = getenv("CUT_IMAGE");
	if (image) {
		tear();
		int fd = open(image, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		syscall(SYS_write, fd, disk, disk_size);
	}
	kill(getpid(), SIGKILL);
	pause();
}

/* With the mutex. */
static void event(int fd)
{
	load(fd);
	if (++events == setting("CUT_AT"))
		cut();
	const char *count = getenv("CUT_COUNT");
	FILE *file = count ? fopen(count, "w") : NULL;
	if (file) {
		fprintf(file, "%ld", events);
		fclose(file);
	}
}

static void note(off_t at, const char *bytes, size_t n)
{
	struct written *w = malloc(sizeof *w + n);
	*w = (struct written){ .at = at, .size = n };
	memcpy(w->bytes, bytes, n);
	*last = w;
	last = &w->next;
	count_of_written++;
}

static void sync_all(void)
{
	while (first) {
		struct written *w = first;
		put(&disk, &disk_size, w->at, w->bytes, w->size);
		first = w->next;
		free(w);
	}
	last = &first;
	count_of_written = 0;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	if (!is_ours(fd))
		return syscall(SYS_pwrite64, fd, bytes, n, at);
	pthread_mutex_lock(&mutex);
	event(fd);
	ssize_t done = syscall(SYS_pwrite64, fd, bytes, n, at);
	if (done > 0) {
		note(at, bytes, (size_t)done);
		if (fcntl(fd, F_GETFL) & O_DSYNC)
			put(&disk, &disk_size, at, bytes, (size_t)done);
	}
	pthread_mutex_unlock(&mutex);
	return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
	return pwrite(fd, bytes, n, at);
}

/* LMDB's way of writing several pages. */
ssize_t writev(int fd, const struct iovec *v, int count)
{
	if (!is_ours(fd))
		return syscall(SYS_writev, fd, v, count);
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t all = 0;
	for (int i = 0; i < count; i++) {
		ssize_t n = pwrite(fd, v[i].iov_base, v[i].iov_len, at + all);
		if (n < 0)
			return n;
		all += n;
	}
	lseek(fd, at + all, SEEK_SET);
	return all;
}

/* What this library does not know of must not happen. */
static ssize_t refuse(int fd)
{
	if (is_ours(fd))
		abort();
	return 0;
}

ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	refuse(fd);
	return syscall(SYS_pwritev, fd, v, count, at, 0);
}

ssize_t pwritev64(int fd, const struct iovec *v, int count, off_t at)
{
	return pwritev(fd, v, count, at);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	refuse(fd);
	return syscall(SYS_write, fd, bytes, n);
}

int fdatasync(int fd)
{
	if (!is_ours(fd))
		return (int)syscall(SYS_fdatasync, fd);
	pthread_mutex_lock(&mutex);
	event(fd);
	sync_all();
	pthread_mutex_unlock(&mutex);
	return 0;
}

int fsync(int fd)
{
	return is_ours(fd) ? fdatasync(fd) : (int)syscall(SYS_fsync, fd);
}
